//go:build linux

package e2e

import (
	"io"
	"strings"
	"sync"
	"testing"
)

// An answer is a server's to an opening handshake. Where the others are of one mind
// about it, a gateway is, too; where they are not, ours is what it does, and why.
type answer struct {
	name      string
	old, new  string // in rightAnswer
	ours, why string
}

var odd = []answer{
	{name: "right"},
	{name: "names in lower case", old: "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept", new: "upgrade: WEBSOCKET\r\nconnection: upgrade\r\nsec-websocket-accept"},
	{name: "another reason", old: "Switching Protocols", new: "Fine"},
	{name: "spaces around the accept", old: "{accept}", new: " \t{accept} "},
	{name: "no accept", old: "Sec-WebSocket-Accept: {accept}\r\n"},
	{name: "an empty accept", old: "{accept}"},
	{name: "the accept of another key", old: "{accept}", new: "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="},
	{name: "an accept and more", old: "{accept}", new: "{accept}x"},
	{name: "status 200", old: "101 Switching Protocols", new: "200 OK"},
	{name: "status 301", old: "101 Switching Protocols", new: "301 Moved Permanently"},
	{name: "status 401", old: "101 Switching Protocols", new: "401 Unauthorized"},
	{name: "status 503", old: "101 Switching Protocols", new: "503 Service Unavailable"},
	{name: "no HTTP", old: "HTTP/1.1", new: "SMTP/1.1"},
	{name: "HTTP/1.0", old: "HTTP/1.1", new: "HTTP/1.0",
		ours: yes, why: "RFC 6455, 4.1 asks for the status code"},
	{name: "no Upgrade", old: "Upgrade: websocket\r\n"},
	{name: "another Upgrade", old: "Upgrade: websocket", new: "Upgrade: h2c"},
	{name: "no Connection", old: "Connection: Upgrade\r\n"},
	{name: "another Connection", old: "Connection: Upgrade", new: "Connection: close"},
	{name: "a list in Connection", old: "Connection: Upgrade", new: "Connection: keep-alive, Upgrade"},
	{name: "a subprotocol that nobody offered", old: "Connection", new: "Sec-WebSocket-Protocol: chat\r\nConnection"},
	{name: "an extension that nobody offered", old: "Connection", new: "Sec-WebSocket-Extensions: permessage-deflate\r\nConnection"},
	{name: "an extension that nobody knows", old: "Connection", new: "Sec-WebSocket-Extensions: x-unknown\r\nConnection"},
	{name: "two accepts", old: "{accept}", new: "{accept}\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
		ours: no, why: "RFC 6455, 11.3.3: MUST NOT be there more than once"},
	{name: "lines that end in LF", old: "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n", new: "\nUpgrade: websocket\nConnection: Upgrade\n",
		ours: yes, why: "RFC 9112, 2.2: MAY"},
	{name: "a space before a colon", old: "Upgrade: websocket", new: "Upgrade : websocket",
		ours: no, why: "RFC 9112, 5.1: no space is allowed"},
	{name: "a line without a colon", old: "Connection", new: "nonsense\r\nConnection",
		ours: no, why: "RFC 9112, 5"},
	{name: "a NUL", old: "Connection", new: "X: a\x00b\r\nConnection",
		ours: no, why: "RFC 9110, 5.5"},
	{name: "an empty body", old: "Connection", new: "Content-Length: 0\r\nConnection"},
}

// TestVerdictsOnAnswers: the same answers, right and wrong, to the handshakes of
// clients that know nothing of each other, and of a gateway.
func TestVerdictsOnAnswers(t *testing.T) {
	stands := standsFor(t)
	said := make([]map[string]string, len(odd))
	for i := range said {
		said[i] = map[string]string{}
	}
	var mu sync.Mutex
	var answering sync.WaitGroup
	for name, stand := range stands {
		for i, a := range odd { // at once: no visitor is to wait long
			answering.Go(func() {
				heard := stand.answer(a)
				mu.Lock()
				defer mu.Unlock()
				said[i][name] = heard
			})
		}
	}
	answering.Wait()
	for i, a := range odd {
		a.compare(t, said[i])
	}
}

// compare looks at what all clients make of an answer.
func (a answer) compare(t *testing.T, of map[string]string) {
	said := map[string]bool{}
	for name := range of {
		if name != gateway {
			said[of[name]] = true
		}
	}
	ours := of[gateway]
	switch {
	case a.ours == "" && (len(said) > 1 || !said[ours]):
		t.Errorf("%s: others differ: %v", a.name, of)
	case a.ours != "" && len(said) == 1:
		t.Errorf("%s: others do not differ", a.name)
	case a.ours != "" && a.ours != ours:
		t.Errorf("%s: %s, want %s (%s)", a.name, ours, a.ours, a.why)
	}
}

// answer is whether the next visitor talks to who answers so.
func (l *stand) answer(a answer) string {
	conn, in, key, err := l.receive()
	if err != nil {
		return err.Error()
	}
	defer conn.Close()
	said := strings.Replace(strings.Replace(rightAnswer, a.old, a.new, 1), "{accept}", acceptOf(key), 1)
	io.WriteString(conn, said+string(speech{}.bytes(false)))
	h := hearing{in: in, masked: true}
	switch err := h.listen(h.heardLast); {
	case err == nil:
		return yes
	case failing(err) == "gone", failing(err) == "reset":
		return no
	default:
		return err.Error()
	}
}
