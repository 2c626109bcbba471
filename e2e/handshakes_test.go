//go:build linux

package e2e

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// A request is an opening handshake. Where the others are of one mind about it, the
// bridges are, too; where they are not, ours is what a bridge does, and why.
type request struct {
	name      string
	old, new  string // in the request of RFC 6455, 1.3
	ours, why string
}

const (
	yes = "accepted"
	no  = "refused"
)

const rightRequest = "GET / HTTP/1.1\r\nHost: bridge\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Key: h3aOngl22xTlrMuoCGC4+w==\r\nOrigin: http://bridge\r\nSec-WebSocket-Version: 13\r\n\r\n"

const (
	end   = "\r\n\r\n"
	nl    = "\r\n"
	vers  = "Sec-WebSocket-Version: 13"
	nonce = "h3aOngl22xTlrMuoCGC4+w=="
)

var requests = []request{
	{name: "right"},
	{name: "names in lower case", old: rightRequest, new: "GET / HTTP/1.1\r\nhost: bridge\r\nupgrade: WEBSOCKET\r\nconnection: upgrade\r\nsec-websocket-key: h3aOngl22xTlrMuoCGC4+w==\r\norigin: http://bridge\r\nsec-websocket-version: 13\r\n\r\n"},
	{name: "a list in Connection", old: "Connection: Upgrade", new: "Connection: keep-alive, Upgrade"},
	{name: "two lines of Connection", old: "Connection: Upgrade", new: "Connection: keep-alive\r\nConnection: Upgrade"},
	{name: "a list in Upgrade", old: "Upgrade: websocket", new: "Upgrade: h2c, websocket",
		ours: yes, why: "RFC 9110, 7.8: it is a list; RFC 6455, 4.2.1: it includes websocket"},
	{name: "no Upgrade", old: "Upgrade: websocket\r\n"},
	{name: "another Upgrade", old: "Upgrade: websocket", new: "Upgrade: h2c"},
	{name: "an empty Upgrade", old: "Upgrade: websocket", new: "Upgrade:"},
	{name: "an Upgrade with more at its end", old: "Upgrade: websocket", new: "Upgrade: websockets"},
	{name: "an Upgrade with a version", old: "Upgrade: websocket", new: "Upgrade: websocket/13"},
	{name: "no Connection", old: "Connection: Upgrade\r\n"},
	{name: "another Connection", old: "Connection: Upgrade", new: "Connection: keep-alive"},
	{name: "a list in Connection without a comma", old: "Connection: Upgrade", new: "Connection: keep-alive Upgrade"},
	{name: "no version", old: vers + nl},
	{name: "version 0", old: vers, new: "Sec-WebSocket-Version: 0"},
	{name: "version 8", old: vers, new: "Sec-WebSocket-Version: 8",
		ours: no, why: "RFC 6455, 4.2.2: only with --legacy, and the answer says what is spoken"},
	{name: "version 12", old: vers, new: "Sec-WebSocket-Version: 12"},
	{name: "version 14", old: vers, new: "Sec-WebSocket-Version: 14"},
	{name: "version 013", old: vers, new: "Sec-WebSocket-Version: 013",
		ours: no, why: "RFC 6455, 4.3: no leading zeros"},
	{name: "version 13a", old: vers, new: "Sec-WebSocket-Version: 13a"},
	{name: "version -13", old: vers, new: "Sec-WebSocket-Version: -13"},
	{name: "two versions in a list", old: vers, new: "Sec-WebSocket-Version: 13, 8"},
	{name: "two lines of versions", old: vers, new: vers + "\r\nSec-WebSocket-Version: 8",
		ours: no, why: "RFC 6455, 11.3.5: at most once in a request"},
	{name: "spaces around the version", old: vers, new: "Sec-WebSocket-Version:  \t13 \t"},
	{name: "no key", old: "Sec-WebSocket-Key: " + nonce + nl},
	{name: "an empty key", old: nonce},
	{name: "a key of 1 byte", old: nonce, new: "aA=="},
	{name: "a key of 15 bytes", old: nonce, new: "aGFhaGFhaGFhaGFhaGFh"},
	{name: "a key of 17 bytes", old: nonce, new: "aGFhaGFhaGFhaGFhaGFhaGE="},
	{name: "a key of 32 bytes", old: nonce, new: "aGFhaGFhaGFhaGFhaGFhaGFhaGFhaGFhaGFhaGFhaGE="},
	{name: "a key that is no base64", old: nonce, new: "!!!!!!!!!!!!!!!!!!!!!!=="},
	{name: "a key without padding", old: nonce, new: "h3aOngl22xTlrMuoCGC4+w"},
	{name: "a key in the other alphabet", old: nonce, new: "h3aOngl22xTlrMuoCGC4-w=="},
	{name: "a key with bits behind its end", old: nonce, new: "h3aOngl22xTlrMuoCGC4+x=="},
	{name: "two keys", old: nonce, new: nonce + "\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="},
	{name: "spaces around the key", old: nonce, new: "   " + nonce + "  "},
	{name: "POST", old: "GET", new: "POST"},
	{name: "HEAD", old: "GET", new: "HEAD"},
	{name: "OPTIONS", old: "GET", new: "OPTIONS"},
	{name: "get", old: "GET", new: "get"},
	{name: "HTTP/1.0", old: "HTTP/1.1", new: "HTTP/1.0",
		ours: no, why: "RFC 6455, 4.2.1: HTTP/1.1 or higher"},
	{name: "HTTP/0.9", old: "HTTP/1.1", new: "HTTP/0.9",
		ours: no, why: "RFC 6455, 4.2.1: HTTP/1.1 or higher"},
	{name: "HTTP/2.0", old: "HTTP/1.1", new: "HTTP/2.0",
		ours: no, why: "RFC 6455, 4.1: HTTP/1.1 or higher; another HTTP begins in other ways"},
	{name: "another protocol", old: "HTTP/1.1", new: "RTSP/1.1",
		ours: no, why: "RFC 9112, 2.3"},
	{name: "no protocol", old: " HTTP/1.1",
		ours: no, why: "RFC 9112, 3"},
	{name: "a target that is a URL", old: "GET / ", new: "GET http://bridge/ "},
	{name: "a target without a slash", old: "GET / ", new: "GET bridge ",
		ours: no, why: "RFC 9112, 3.2"},
	{name: "a target with a fragment", old: "GET / ", new: "GET /#here ",
		ours: yes, why: "RFC 6455, 3 binds who writes it; net/http takes it for a part of the path"},
	{name: "a target with a space", old: "GET / ", new: "GET /a b "},
	{name: "no target", old: "GET / ", new: "GET "},
	{name: "no Host", old: "Host: bridge\r\n",
		ours: no, why: "RFC 9112, 3.2: MUST answer 400"},
	{name: "two Hosts", old: "Host: bridge", new: "Host: bridge\r\nHost: other",
		ours: no, why: "RFC 9112, 3.2: MUST answer 400"},
	{name: "a body", old: end, new: "\r\nContent-Length: 5\r\n\r\nhello",
		ours: no, why: "RFC 6455, 1.3 knows none, and some would take it for frames: a way to smuggle"},
	{name: "an empty body", old: end, new: "\r\nContent-Length: 0\r\n\r\n"},
	{name: "a body in chunks", old: end, new: "\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		ours: no, why: "as above"},
	{name: "a length that is none", old: end, new: "\r\nContent-Length: x\r\n\r\n",
		ours: no, why: "RFC 9112, 6.3"},
	{name: "lines that end in LF", old: rightRequest, new: strings.ReplaceAll(rightRequest, nl, "\n"),
		ours: yes, why: "RFC 9112, 2.2: MAY"},
	{name: "a folded line", old: "Origin: ", new: "Origin:\r\n ",
		ours: yes, why: "RFC 9112, 5.2: may be made a space"},
	{name: "a space before a colon", old: "Origin:", new: "Origin :",
		ours: no, why: "RFC 9112, 5.1: MUST answer 400"},
	{name: "a line without a colon", old: "Origin: http://bridge", new: "Origin",
		ours: no, why: "RFC 9112, 5"},
	{name: "a line without a name", old: "Origin:", new: ":",
		ours: no, why: "RFC 9112, 5"},
	{name: "a NUL", old: "Origin: http://bridge", new: "Origin: http://\x00bridge",
		ours: no, why: "RFC 9110, 5.5"},
	{name: "a bare CR", old: "Origin: http://bridge", new: "Origin: http\r://bridge"},
	{name: "a byte over 127", old: "Origin: http://bridge", new: "X-Name: \xff"},
	{name: "one subprotocol", old: end, new: "\r\nSec-WebSocket-Protocol: chat\r\n\r\n"},
	{name: "several subprotocols", old: end, new: "\r\nSec-WebSocket-Protocol: chat, talk\r\nSec-WebSocket-Protocol: more\r\n\r\n"},
	{name: "the same subprotocol twice", old: end, new: "\r\nSec-WebSocket-Protocol: chat, chat\r\n\r\n",
		ours: yes, why: "RFC 6455, 4.2.2: what means nothing here is not chosen"},
	{name: "an empty list of subprotocols", old: end, new: "\r\nSec-WebSocket-Protocol: \r\n\r\n",
		ours: yes, why: "RFC 6455, 4.2.2: what means nothing here is not chosen"},
	{name: "empty subprotocols", old: end, new: "\r\nSec-WebSocket-Protocol: chat,,talk\r\n\r\n",
		ours: yes, why: "RFC 6455, 4.2.2: what means nothing here is not chosen"},
	{name: "a subprotocol with a space", old: end, new: "\r\nSec-WebSocket-Protocol: small talk\r\n\r\n",
		ours: yes, why: "RFC 6455, 4.2.2: what means nothing here is not chosen"},
	{name: "a subprotocol that is no token", old: end, new: "\r\nSec-WebSocket-Protocol: a@b\r\n\r\n",
		ours: yes, why: "RFC 6455, 4.2.2: what means nothing here is not chosen"},
	{name: "an extension that nobody knows", old: end, new: "\r\nSec-WebSocket-Extensions: x-unknown; a=b\r\n\r\n"},
	{name: "an extension with an unknown parameter", old: end, new: "\r\nSec-WebSocket-Extensions: permessage-deflate; unknown\r\n\r\n",
		ours: yes, why: "RFC 7692, 5.1: an offer to decline"},
	{name: "an extension with a bad value", old: end, new: "\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=7\r\n\r\n",
		ours: yes, why: "RFC 7692, 5.1: an offer to decline"},
	{name: "an extension with a parameter twice", old: end, new: "\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits; client_max_window_bits\r\n\r\n",
		ours: yes, why: "RFC 7692, 5.1: an offer to decline"},
	{name: "an empty list of extensions", old: end, new: "\r\nSec-WebSocket-Extensions:\r\n\r\n",
		ours: yes, why: "an offer to decline, as above"},
	{name: "an extension without a name", old: end, new: "\r\nSec-WebSocket-Extensions: ; a\r\n\r\n",
		ours: yes, why: "an offer to decline, as above"},
	{name: "an extension that is no token", old: end, new: "\r\nSec-WebSocket-Extensions: a b\r\n\r\n",
		ours: yes, why: "an offer to decline, as above"},
}

// TestHandshakeVerdicts: the same requests, right and wrong, to servers that know
// nothing of each other and to bridges.
func TestHandshakeVerdicts(t *testing.T) {
	others, bridges := servers(t)
	answers := make([]map[string]string, len(requests))
	var asking sync.WaitGroup
	for i, r := range requests {
		asking.Go(func() { answers[i] = r.askAll(others, bridges) })
	}
	asking.Wait()
	for i, r := range requests {
		r.compare(t, answers[i], others)
	}
}

// compare looks at all answers to a request. What a gateway's client offers it
// offers to its target, which may refuse.
func (r request) compare(t *testing.T, of map[string]string, others map[string]string) {
	said := map[string]bool{}
	for name := range others {
		said[of[name]] = true
	}
	ours := of["event loop"]
	switch {
	case of["goroutines"] != ours, of[gateway] != ours && of[gateway] != of[nodeWS]:
		t.Errorf("%s: the bridges are not of one mind: %v", r.name, of)
	case r.ours == "" && (len(said) > 1 || !said[ours]):
		t.Errorf("%s: others differ: %v", r.name, of)
	case r.ours != "" && len(said) == 1 && said[r.ours]:
		t.Errorf("%s: others do not differ", r.name)
	case r.ours != "" && r.ours != ours:
		t.Errorf("%s: %s, want %s (%s)", r.name, ours, r.ours, r.why)
	}
}

// askAll has the answers of all servers, by their names.
func (r request) askAll(others, bridges map[string]string) map[string]string {
	of := map[string]string{}
	for _, servers := range []map[string]string{others, bridges} {
		for name, address := range servers {
			of[name] = r.ask(address)
		}
	}
	return of
}

// ask is what a server says to the request; one that says nothing lets nobody in.
func (r request) ask(address string) string {
	conn, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		return err.Error()
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience / 8)) // some of the others say nothing for ever
	io.WriteString(conn, strings.Replace(rightRequest, r.old, r.new, 1))
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	switch {
	case err != nil && (failing(err) == "gone" || failing(err) == "reset"):
		return no
	case err != nil:
		return err.Error()
	case answer.StatusCode != http.StatusSwitchingProtocols:
		return no
	}
	return yes
}
