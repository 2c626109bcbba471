package target

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// answer is a server that reads the head of a request and says this, in one
// write; ACCEPT in it becomes the right answer to the request's key.
func answer(text string) func(net.Conn) {
	return func(c net.Conn) {
		request, err := http.ReadRequest(bufio.NewReader(c))
		if err != nil {
			return
		}
		io.WriteString(c, strings.ReplaceAll(text, "ACCEPT", Accept(request.Header.Get("Sec-WebSocket-Key"))))
	}
}

const switching = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ACCEPT\r\n"

// asked is what a WebSocket server was asked, which it agrees to.
func asked(t *testing.T, dial func(address string) WebSocket, more string) (*http.Request, *Upgraded) {
	t.Helper()
	requests := make(chan *http.Request, 1)
	address := start(t, func(c net.Conn) {
		request, err := http.ReadRequest(bufio.NewReader(c))
		if err != nil {
			t.Error(err)
			return
		}
		io.WriteString(c, strings.Replace(switching, "ACCEPT", Accept(request.Header.Get("Sec-WebSocket-Key")), 1)+more+"\r\n")
		requests <- request
	})
	up, err := dial(address).Dial(t.Context())
	check(t, err)
	t.Cleanup(func() { up.Conn.Close() })
	return <-requests, up
}

// The vector of RFC 6455, 1.3, and another.
func TestAccept(t *testing.T) {
	for key, want := range map[string]string{
		"dGhlIHNhbXBsZSBub25jZQ==": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
		"h3aOngl22xTlrMuoCGC4+w==": "AEwKHncza7ZXcfBb5yM/aluzmpE=",
	} {
		if got := Accept(key); got != want {
			t.Errorf("Accept(%q) = %q, want %q", key, got, want)
		}
	}
}

func TestWebSocketAsks(t *testing.T) {
	const synapse = "synapse(contentType='application/json')"
	request, up := asked(t, func(address string) WebSocket {
		return WebSocket{
			Over:         TCP{Address: address},
			Host:         "mill.example:8082",
			Path:         "//a%2Fb?token=x%20y",
			Header:       http.Header{"Origin": {"http://page.example"}, "Connection": {"close"}, "Sec-Websocket-Key": {"mine"}},
			Subprotocols: []string{synapse, "binary"},
		}
	}, "Sec-WebSocket-Protocol: "+synapse+"\r\n")
	for name, want := range map[string]string{
		"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
		"Origin": "http://page.example", "User-Agent": "wsbridge",
		"Sec-WebSocket-Protocol": synapse + ", binary",
	} {
		if got := request.Header.Values(name); !slices.Equal(got, []string{want}) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if request.Host != "mill.example:8082" || request.RequestURI != "//a%2Fb?token=x%20y" {
		t.Errorf("asked %s for %s", request.Host, request.RequestURI)
	}
	if up.Subprotocol != synapse {
		t.Errorf("the subprotocol is %q", up.Subprotocol)
	}
}

func TestWebSocketKeysDiffer(t *testing.T) {
	dial := func(address string) WebSocket { return WebSocket{Over: TCP{Address: address}, Host: "x"} }
	one, _ := asked(t, dial, "")
	two, _ := asked(t, dial, "")
	if a, b := one.Header.Get("Sec-WebSocket-Key"), two.Header.Get("Sec-WebSocket-Key"); a == b || len(a) != 24 {
		t.Errorf("keys %q and %q", a, b)
	}
}

// A server may speak first, right behind its answer; none of it is lost.
func TestWebSocketEarly(t *testing.T) {
	for _, n := range []int{0, 1, 3000, 4095, 4096, 4097, 100_000} {
		early := bytes.Repeat([]byte("0123456789abcdef"), n/16+1)[:n]
		address := start(t, answer("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"+switching+"\r\n"+string(early)))
		up, err := WebSocket{Over: TCP{Address: address}, Host: "x"}.Dial(t.Context())
		check(t, err)
		rest, err := io.ReadAll(up.Conn)
		check(t, err)
		if got := append(up.Early, rest...); !bytes.Equal(got, early) {
			t.Errorf("%d bytes came of %d", len(got), n)
		}
		up.Conn.Close()
	}
}

// Servers that refuse, and what is told of it.
func TestWebSocketRefused(t *testing.T) {
	body := strings.Repeat("<p>no</p>", 100)
	address := start(t, answer("HTTP/1.1 403 Go Away\r\nX-Why: origin\r\n\r\n"+body))
	_, err := WebSocket{Over: TCP{Address: address}, Host: "x"}.Dial(t.Context())
	hasReason(t, err, "target answered 403 Forbidden")
	var refused *HandshakeError
	if !errors.As(err, &refused) {
		t.Fatal(err)
	}
	if refused.Status != 403 || refused.Header.Get("X-Why") != "origin" || string(refused.Body) != body[:512] {
		t.Errorf("%+v", refused)
	}
	if want := "refused the upgrade: 403 Forbidden"; err.Error() != want {
		t.Errorf("%q, want %q", err, want)
	}
}

func TestWebSocketWrongAnswers(t *testing.T) {
	const wrong = "target does not answer as WebSocket"
	tests := []struct{ answer, reason, text string }{
		{strings.Replace(switching, "ACCEPT", "AAAA", 1) + "\r\n", wrong, `its Sec-WebSocket-Accept is "AAAA", and`},
		{strings.Replace(switching, "Sec-WebSocket-Accept", "X", 1) + "\r\n", wrong, `its Sec-WebSocket-Accept is ""`},
		{switching + "Sec-WebSocket-Accept: ACCEPT\r\n\r\n", wrong, "its Sec-WebSocket-Accept is"},
		{strings.Replace(switching, "Upgrade: websocket", "Upgrade: h2c", 1) + "\r\n", wrong, `its Upgrade header is "h2c", not websocket`},
		{strings.Replace(switching, "Connection: Upgrade", "Connection: keep-alive", 1) + "\r\n", wrong, `its Connection header is "keep-alive", not Upgrade`},
		{switching + "Sec-WebSocket-Protocol: chat\r\n\r\n", wrong, `it chose subprotocol "chat", which was not offered`},
		{switching + "Sec-WebSocket-Protocol: binary\r\nSec-WebSocket-Protocol: base64\r\n\r\n", wrong, "it chose 2 subprotocols, and there is only one"},
		{switching + "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=15\r\n\r\n", wrong, `it chose extension "permessage-deflate", which was not offered`},
		{"HTTP/1.1 200 OK\r\n\r\nhello", "target answered 200 OK", ""},
		{"HTTP/1.1 599 X\r\n\r\n", "target answered 599", ""},
		{"HTTP/1.1 511 X\r\n\r\n", "target answered 511 Network Authentication Required", ""},
		{"HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 9\r\n\r\n", "target answered 302 Found", ""},
		{"SSH-2.0-OpenSSH_9.6\r\n", "target does not speak HTTP", `it answers "SSH-2.0-OpenSSH_"`},
		{"Hello world", "target does not speak HTTP", `it answers "Hello world"`},
		{"\x15\x03\x01\x00\x02\x02\x46", "target speaks TLS", "it answers plain HTTP with a TLS record: write wss://"},
		{"", "target broke off the upgrade", ""},
		{"HTTP/1.1 101 Sw", "target broke off the upgrade", ""},
		{"HTTP/1.1 101 x\r\nX: " + strings.Repeat("x", maxHead), "target answers without end", "has more than 32768 bytes"},
		{strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", maxHead/20), "target answers without end", ""},
	}
	for _, tt := range tests {
		w := WebSocket{Over: TCP{Address: start(t, answer(tt.answer))}, Host: "x", Subprotocols: []string{"binary", "base64"}}
		_, err := w.Dial(t.Context())
		if hasReason(t, err, tt.reason); err == nil || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("answered %.60q: %v, want %q in it", tt.answer, err, tt.text)
		}
		if !errors.Is(err, ErrUpgrade) {
			t.Errorf("answered %.60q: %v is no ErrUpgrade", tt.answer, err)
		}
	}
}

func TestWebSocketExtensionOffered(t *testing.T) {
	request, up := asked(t, func(address string) WebSocket {
		return WebSocket{Over: TCP{Address: address}, Host: "x", Extensions: []string{"permessage-deflate; client_max_window_bits"}}
	}, "Sec-WebSocket-Extensions: permessage-deflate ; server_no_context_takeover\r\n")
	if got := request.Header.Get("Sec-WebSocket-Extensions"); got != "permessage-deflate; client_max_window_bits" {
		t.Errorf("offered %q", got)
	}
	if got := up.Header.Get("Sec-WebSocket-Extensions"); got != "permessage-deflate ; server_no_context_takeover" {
		t.Errorf("chosen %q", got)
	}
}

func TestWebSocketOverTLS(t *testing.T) {
	ours := issue(t, "localhost", nil, nextYear())
	address := startTLS(t, &tls.Config{Certificates: []tls.Certificate{ours.pair()}}, answer(switching+"\r\nhi"))
	_, port, _ := net.SplitHostPort(address)
	w, err := ParseWebSocket("wss://localhost:"+port, Options{TLS: &tls.Config{RootCAs: ours.pool()}})
	check(t, err)
	up, err := w.Dial(t.Context())
	check(t, err)
	defer up.Conn.Close()
	if rest, err := io.ReadAll(up.Conn); string(up.Early)+string(rest) != "hi" || err != nil {
		t.Errorf("got %q and %q, %v", up.Early, rest, err)
	}

	w, err = ParseWebSocket("wss://localhost:"+port, Options{})
	check(t, err)
	_, err = w.Dial(t.Context())
	hasReason(t, err, "target certificate is not trusted")
}

// The scheme and the server do not belong together.
func TestWebSocketWrongScheme(t *testing.T) {
	pages := start(t, func(c net.Conn) { c.Read(make([]byte, 1)); io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n") })
	w, err := ParseWebSocket("wss://"+pages, Options{})
	check(t, err)
	_, err = w.Dial(t.Context())
	if hasReason(t, err, "target does not speak TLS"); !strings.Contains(err.Error(), `it answers "HTTP/": write ws://`) {
		t.Error(err)
	}

	secure := start(t, func(c net.Conn) { c.Read(make([]byte, 1)); io.WriteString(c, "\x15\x03\x01\x00\x02\x02\x46") })
	_, err = WebSocket{Over: TCP{Address: secure}, Host: "x"}.Dial(t.Context())
	if hasReason(t, err, "target speaks TLS"); !strings.Contains(err.Error(), "write wss://") {
		t.Error(err)
	}
}

func TestWebSocketSilent(t *testing.T) {
	address := start(t, func(c net.Conn) { io.Copy(io.Discard, c) })
	_, err := WebSocket{Over: TCP{Address: address}, Host: "x", Timeout: time.Millisecond}.Dial(t.Context())
	var timeout net.Error
	if !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("%v", err)
	}
}

// A refusal is told although its body never ends.
func TestWebSocketRefusedWithoutEnd(t *testing.T) {
	address := start(t, func(c net.Conn) {
		answer("HTTP/1.1 503 Busy\r\n\r\nwait")(c)
		io.Copy(io.Discard, c)
	})
	_, err := WebSocket{Over: TCP{Address: address}, Host: "x"}.Dial(t.Context())
	var refused *HandshakeError
	if !errors.As(err, &refused) || string(refused.Body) != "wait" {
		t.Errorf("%v", err)
	}
}

func TestWebSocketCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	closed := make(chan struct{})
	address := start(t, func(c net.Conn) {
		c.Read(make([]byte, 1))
		cancel()
		io.Copy(io.Discard, c)
		close(closed)
	})
	if _, err := (WebSocket{Over: TCP{Address: address}, Host: "x"}).Dial(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	<-closed
}

// The deadline of the handshake is not left on the connection.
func TestWebSocketWithoutDeadline(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	talk := make(chan struct{})
	address := start(t, func(c net.Conn) {
		answer(switching + "\r\n")(c)
		<-talk
		io.WriteString(c, "later")
	})
	up, err := WebSocket{Over: TCP{Address: address}, Host: "x"}.Dial(ctx)
	check(t, err)
	defer up.Conn.Close()
	cancel()
	close(talk)
	if got, err := io.ReadAll(up.Conn); string(got) != "later" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

func TestWebSocketOverUnix(t *testing.T) {
	l, path := listenUnix(t)
	go serve(l, answer(switching+"\r\nhi"))
	w, err := ParseWebSocket("ws+unix:"+path+":/chat?x", Options{})
	check(t, err)
	if w.Path != "/chat?x" || w.String() != "ws+unix:"+path+":/chat" {
		t.Errorf("%+v is %s", w, w)
	}
	up, err := w.Dial(t.Context())
	check(t, err)
	up.Conn.Close()
}

// scripted is a connection whose peer says in, whatever it is told.
type scripted struct {
	net.Conn
	in   *bytes.Reader
	head []byte
}

func (c *scripted) Read(p []byte) (int, error)       { return c.in.Read(p) }
func (c *scripted) Write(p []byte) (int, error)      { c.head = append(c.head, p...); return len(p), nil }
func (c *scripted) SetDeadline(time.Time) error      { return nil }
func (c *scripted) SetReadDeadline(time.Time) error  { return nil }
func (c *scripted) SetWriteDeadline(time.Time) error { return nil }

// Whatever a server says: a connection without a byte lost, or an error with
// words for a person.
func FuzzUpgrade(f *testing.F) {
	for _, s := range []string{switching + "\r\nearly", "HTTP/1.1 403 No\r\n\r\nbody", "\x15\x03\x01", "HTTP/1.1 100 C\r\n\r\n" + switching, "", "HTTP/1.1 101 x\nUpgrade:websocket\n\n"} {
		f.Add([]byte(s), "binary")
	}
	f.Fuzz(func(t *testing.T, said []byte, subprotocol string) {
		c := &scripted{in: bytes.NewReader(said)}
		up, err := WebSocket{Over: TCP{}, Host: "x", Subprotocols: []string{subprotocol}}.Upgrade(context.Background(), c)
		var told interface{ CloseReason() string }
		switch {
		case err == nil:
			rest, _ := io.ReadAll(c)
			if got := append(up.Early, rest...); !bytes.HasSuffix(said, got) {
				t.Fatalf("%q is not the end of %q", got, said)
			}
		case !errors.As(err, &told):
			t.Fatalf("%q: no words for %v", said, err)
		case len(told.CloseReason()) > 60:
			t.Fatalf("%q: %q is too long", said, told.CloseReason())
		}
		if n := bytes.Count(c.head, []byte("\r\n\r\n")); n > 1 {
			t.Fatalf("subprotocol %q made %d requests: %q", subprotocol, cmp.Or(n, 0), c.head)
		}
	})
}
