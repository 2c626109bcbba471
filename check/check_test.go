package check

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsflate"
	"github.com/google/go-cmp/cmp"

	"github.com/wsbridge/wsbridge/internal/freeport"
	"github.com/wsbridge/wsbridge/target"
)

// A server without TLS that does all as it should.
func TestPlainServer(t *testing.T) {
	r, steps := run(t, Check{
		Server: at(start(t, manners{}.serve), "ws://127.0.0.1:PORT/x?token=secret", nil),
		Send:   "hello", Expect: regexp.MustCompile("^hel+o"),
	})
	if r.Exit != 0 || r.Result != OK || r.Secure {
		t.Errorf("%+v", r)
	}
	if strings.Contains(fmt.Sprint(r), "secret") {
		t.Errorf("a secret is in the report: %v", r)
	}
	got := map[Status][]string{}
	for _, s := range r.Steps {
		got[s.Status] = append(got[s.Status], s.Name)
	}
	want := map[Status][]string{
		OK:   {"url", "connect", "probe", "upgrade", "lf", "ping", "deflate", "app", "close"},
		Skip: {"resolve", "tls", "trust", "sni", "tls-range"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff, steps)
	}
}

// A server with TLS, its authority, an intermediate one, and every step.
func TestSecureServer(t *testing.T) {
	root := issue(t, "Root", nil, authority)
	between := issue(t, "Between", root, authority)
	leaf := issue(t, "mill.example", between, names("localhost"))
	address := startTLS(t, leaf.serving(between), manners{headers: "Sec-WebSocket-Protocol: binary\r\n"}.serve)
	r, steps := run(t, Check{TLSRange: true, AllAddrs: true, Server: func() (target.WebSocket, error) {
		w, err := at(address, "wss://localhost:PORT/websocket", &tls.Config{RootCAs: root.pool()})()
		w.Subprotocols = []string{"binary"}
		return resolvedBy(w, nameServer(t, "127.0.0.1")), err
	}})
	if r.Exit != 0 || r.Result != OK || !r.Secure {
		t.Errorf("%+v", r)
	}
	for name, want := range map[string]string{
		"resolve":   "localhost is 127.0.0.1",
		"tls":       `certificate of "CN=mill.example", ECDSA P-256, ECDSA-SHA256, `,
		"trust":     "localhost: chain, name and dates are good",
		"sni":       "the same certificate",
		"tls-range": "TLS 1.0 no, TLS 1.1 no, TLS 1.2 yes, TLS 1.3 yes",
		"upgrade":   "subprotocol binary",
	} {
		if s := steps[name]; s.Status != OK || !strings.Contains(s.Detail, want) {
			t.Errorf("%s: %s %q, want %q in it", name, s.Status, s.Detail, want)
		}
	}
	if data, ok := steps["tls"].Data.(tlsData); !ok || !data.Resumption || len(data.Chain) != 2 || data.Chain[1].SelfSigned {
		t.Errorf("%+v", steps["tls"].Data)
	}
}

// resolvedBy is w with its name looked up elsewhere.
func resolvedBy(w target.WebSocket, resolver *net.Resolver) target.WebSocket {
	switch over := w.Over.(type) {
	case target.TCP:
		over.Resolver = resolver
		w.Over = over
	case target.TLS:
		tcp := over.Over.(target.TCP)
		tcp.Resolver = resolver
		over.Over = tcp
		w.Over = over
	}
	return w
}

// A server for each exit status: what is wrong with it decides, in words.
func TestFailures(t *testing.T) {
	const ws = "ws://127.0.0.1:PORT/"
	silent := func(c net.Conn) { io.Copy(io.Discard, c) }
	tests := []struct {
		name, address, url string
		check              Check
		step               string
		exit               int
		detail             string
	}{
		{"http", "x:1", "http://127.0.0.1/", Check{}, "url", 2, "http is for pages: write ws://"},
		{"no name", "x:1", "ws://no-such-host.invalid/", Check{}, "resolve", 3, "there is no host no-such-host.invalid"},
		{"closed port", freeport.Address(t), ws, Check{}, "connect", 4, "refused: nothing listens on this port"},
		{"plain on wss", start(t, func(c net.Conn) { c.Read(make([]byte, 1)); io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n") }), "wss://127.0.0.1:PORT/", Check{}, "probe", 5, "the server speaks plain ws on this port: try ws://"},
		{"plain on wss, patient", start(t, manners{}.serve), "wss://127.0.0.1:PORT/", Check{Timeout: time.Second}, "probe", 5, "the server speaks plain ws on this port: try ws://"},
		{"ssh on wss", start(t, func(c net.Conn) { io.WriteString(c, "SSH-2.0-x\r\n"); io.Copy(io.Discard, c) }), "wss://127.0.0.1:PORT/", Check{}, "probe", 5, `neither TLS nor HTTP: it says "SSH-2"`},
		{"silent on wss", start(t, silent), "wss://127.0.0.1:PORT/", Check{Timeout: 3 * time.Second}, "tls", 5, "does not answer the TLS handshake"},
		{"TLS on ws", startTLS(t, issue(t, "x", nil, nil).serving(), manners{}.serve), ws, Check{}, "probe", 5, "the server speaks TLS on this port: try wss://"},
		{"403", start(t, manners{answer: "HTTP/1.1 403 Forbidden\r\nContent-Length: 10\r\n\r\nno\x1b[2J\nyou"}.serve), ws, Check{}, "upgrade", 7, "403 Forbidden: it may want an Origin (-o), a token (-H, or in the URL), or another address; it says: no.[2J you"},
		{"moved", start(t, manners{answer: "HTTP/1.1 301 Moved\r\nLocation: wss://new.example/\r\n\r\n"}.serve), ws, Check{}, "upgrade", 7, "ask for wss://new.example/"},
		{"a page", start(t, manners{answer: "HTTP/1.1 200 OK\r\n\r\n<html>"}.serve), ws, Check{}, "upgrade", 7, "a page lives here"},
		{"400", start(t, manners{answer: "HTTP/1.1 400 Bad Request\r\n\r\n"}.serve), ws, Check{Timeout: time.Second}, "upgrade", 7, "may not pass on the Upgrade"},
		{"wrong Accept", start(t, manners{accept: "AAAA"}.serve), ws, Check{}, "upgrade", 7, `its Sec-WebSocket-Accept is "AAAA"`},
		{"unasked extension", start(t, manners{headers: "Sec-WebSocket-Extensions: x-mux\r\n"}.serve), ws, Check{}, "upgrade", 7, `it chose extension "x-mux", which was not offered`},
		{"unasked subprotocol", start(t, manners{headers: "Sec-WebSocket-Protocol: chat\r\n"}.serve), ws, Check{}, "upgrade", 7, `it chose subprotocol "chat"`},
		{"ssh", start(t, func(c net.Conn) { io.WriteString(c, "SSH-2.0-x\r\n"); io.Copy(io.Discard, c) }), ws, Check{}, "upgrade", 7, `it answers "SSH-2.0-x`},
		{"silent", start(t, silent), ws, Check{Timeout: 3 * time.Second}, "upgrade", 7, "does not answer"},
		{"no pong", start(t, manners{pong: nothing}.serve), ws, Check{Timeout: time.Second}, "ping", 8, "no answer to a ping"},
		{"masked frames", start(t, manners{greeting: []byte("\x81\x81\x00\x00\x00\x00x")}.serve), ws, Check{}, "ping", 8, "breaks the protocol"},
		{"leaves", start(t, manners{pong: func(c net.Conn, _ Frame) { c.Close() }}.serve), ws, Check{}, "ping", 8, "left without a Close frame"},
		{"closes", start(t, manners{greeting: []byte("\x88\x06\x03\xf3busy")}.serve), ws, Check{}, "ping", 8, "the server closed with 1011: busy"},
		{"no Close", start(t, manners{closing: func(c net.Conn, _ Frame) { c.Close() }}.serve), ws, Check{}, "close", 8, "without a Close frame"},
		{"never closes", start(t, manners{closing: func(c net.Conn, _ Frame) { io.Copy(io.Discard, c) }}.serve), ws, Check{Timeout: 5 * time.Second}, "close", 8, "no answer to a Close frame"},
		{"no deflate", start(t, manners{data: func(c net.Conn, _ Frame) { c.Close() }}.serve), ws, Check{Send: "x"}, "deflate", 8, "with compression offered, as browsers do: the "},
		{"wants binary", start(t, manners{data: onlyBinary}.serve), ws, Check{Send: "x", Expect: regexp.MustCompile("x")}, "deflate", 8, "the server closed with 1003: binary, please"},
		{"says nothing", start(t, manners{data: nothing}.serve), ws, Check{Timeout: time.Second, Expect: regexp.MustCompile("hello")}, "app", 9, "nothing the server said matches hello"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.check.Server = at(tt.address, tt.url, nil)
			r, steps := run(t, tt.check)
			if s := steps[tt.step]; s.Status != Fail || !strings.Contains(s.Detail, tt.detail) {
				t.Errorf("%s: %s, %q; want %q in it", tt.step, s.Status, s.Detail, tt.detail)
			}
			if r.Exit != tt.exit || r.Result != Fail {
				t.Errorf("%s with exit status %d, want %d: %v", r.Result, r.Exit, tt.exit, r.Steps)
			}
		})
	}
}

func onlyBinary(c net.Conn, f Frame) {
	if f.Header.OpCode == ws.OpText {
		ws.WriteFrame(c, ws.NewCloseFrame(ws.NewCloseFrameBody(ws.StatusUnsupportedData, "binary, please")))
		return
	}
	ws.WriteFrame(c, ws.NewBinaryFrame(f.Payload))
}

// To a bridge a message is bytes.
func TestSendBinary(t *testing.T) {
	address := start(t, manners{data: onlyBinary, headers: "Sec-WebSocket-Protocol: binary\r\n"}.serve)
	r, _ := run(t, Check{Send: "x", Expect: regexp.MustCompile("^x$"), Server: func() (target.WebSocket, error) {
		w, err := at(address, "ws://127.0.0.1:PORT/", nil)()
		w.Subprotocols = []string{"binary"}
		return w, err
	}})
	if r.Exit != 0 {
		t.Errorf("%+v", r)
	}
}

// Frame keeps the tables short.
type Frame = ws.Frame

// What works, and is worth a warning: exactly this one.
func TestWarnings(t *testing.T) {
	root := issue(t, "Root", nil, authority)
	between := issue(t, "Between", root, authority)
	leaf := issue(t, "x", between, names("localhost"))
	good := issue(t, "good", root, names("localhost"))
	soon := issue(t, "soon", root, func(c *x509.Certificate) {
		c.DNSNames = []string{"localhost"}
		c.NotAfter = time.Now().Add(48 * time.Hour)
	})
	stranger := issue(t, "stranger", nil, names("other.example"))
	old := good.serving()
	old.MinVersion = tls.VersionTLS10
	const plain, secure = "ws://127.0.0.1:PORT/", "wss://localhost:PORT/"
	tests := []struct {
		name, address, url string
		check              Check
		step, detail       string
	}{
		{"refuses LF", start(t, manners{noLF: true}.serve), plain, Check{}, "lf", "fails unless it has -crlf"},
		{"closes with another code", start(t, manners{closing: func(c net.Conn, _ Frame) { ws.WriteFrame(c, ws.NewCloseFrame(nil)) }}.serve), plain, Check{}, "close", "answered with 1005; 1000 was expected"},
		{"has said all", start(t, manners{greeting: []byte("\x82\x02hi\x88\x02\x03\xe8")}.serve), plain, Check{Expect: regexp.MustCompile("hi")}, "ping", "no answer to a ping: the server closed with 1000 before it"},
		{"does not hang up", start(t, manners{closing: func(c net.Conn, f Frame) {
			ws.WriteFrame(c, ws.NewCloseFrame(f.Payload))
			io.Copy(io.Discard, c)
		}}.serve), plain, Check{Timeout: 5 * time.Second}, "close", "does not close the connection"},
		{"one name only", startTLS(t, &tls.Config{GetCertificate: byName(good, stranger)}, manners{}.serve), secure, Check{}, "sni", `the certificate is that of "CN=stranger"`},
		{"needs a name", startTLS(t, &tls.Config{GetCertificate: byName(good, nil)}, manners{}.serve), secure, Check{}, "sni", "without a server name (SNI), the handshake fails"},
		{"old TLS", startTLS(t, old, manners{}.serve), secure, Check{TLSRange: true}, "tls-range", "TLS 1.0 is out of use since RFC 8996: turn it off; TLS 1.1 is"},
		{"wrong order", startTLS(t, leaf.serving(root, between), manners{}.serve), secure, Check{}, "tls", `the chain is in the wrong order: "CN=Between" belongs right behind "CN=x"`},
		{"ends soon", startTLS(t, soon.serving(), manners{}.serve), secure, Check{}, "tls", `the certificate of "CN=soon" ends on `},
		{"CN allowed", startTLS(t, issue(t, "localhost", root, nil).serving(), manners{}.serve), secure, Check{AllowCN: true}, "trust", "the certificate has no SAN, only CN=localhost"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.check.Server = at(tt.address, tt.url, &tls.Config{RootCAs: root.pool()})
			r, _ := run(t, tt.check)
			for _, s := range r.Steps {
				if s.Name == tt.step && (s.Status != Warn || !strings.Contains(s.Detail, tt.detail)) {
					t.Errorf("%s: %s %q, want %q in it", s.Name, s.Status, s.Detail, tt.detail)
				}
				if s.Name != tt.step && s.Status != OK && s.Status != Skip {
					t.Errorf("%s: %s %q", s.Name, s.Status, s.Detail)
				}
			}
			if r.Exit != 0 || r.Result != Warn {
				t.Errorf("%s, exit status %d", r.Result, r.Exit)
			}
			tt.check.Strict = true
			if r, _ := run(t, tt.check); r.Exit != ExitStrict {
				t.Errorf("strict: exit status %d", r.Exit)
			}
		})
	}
}

// byName has a certificate for who says a name, and one, or none, for others.
func byName(named, others *issued) func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		one := named
		if hello.ServerName == "" {
			one = others
		}
		if one == nil {
			return nil, errors.New("which name?")
		}
		return &one.serving().Certificates[0], nil
	}
}

func TestSubprotocolNotChosen(t *testing.T) {
	address := start(t, manners{}.serve)
	_, steps := run(t, Check{Server: func() (target.WebSocket, error) {
		w, err := at(address, "ws://127.0.0.1:PORT/", nil)()
		w.Subprotocols = []string{"synapse(contentType='application/json')"}
		return w, err
	}})
	if s := steps["upgrade"]; s.Status != Warn || !strings.Contains(s.Detail, "none of the subprotocols was chosen") {
		t.Errorf("%+v", s)
	}
}

// Two steps that use up their time use up the whole.
func TestOutOfTime(t *testing.T) {
	address := start(t, manners{silentLF: true, pong: nothing}.serve)
	r, steps := run(t, Check{Timeout: 400 * time.Millisecond, Server: at(address, "ws://127.0.0.1:PORT/", nil)})
	if r.Exit != ExitTimeout || steps["lf"].Status != Warn || !strings.Contains(steps["ping"].Detail, "out of time: --timeout is for the whole check") {
		t.Errorf("exit status %d: %+v", r.Exit, r.Steps)
	}
}

// Of two addresses one works: enough for a client, and worth a warning.
func TestAllAddresses(t *testing.T) {
	address := start(t, manners{}.serve)
	resolver := nameServer(t, "127.0.0.1", "127.0.0.99")
	_, steps := run(t, Check{AllAddrs: true, Server: func() (target.WebSocket, error) {
		w, err := at(address, "ws://two.example:PORT/", nil)()
		return resolvedBy(w, resolver), err
	}})
	if s := steps["connect"]; s.Status != Warn || !strings.Contains(s.Detail, "127.0.0.99:") || !strings.Contains(s.Detail, " refused: ") || !strings.Contains(s.Detail, "connected to "+address) {
		t.Errorf("%+v", s)
	}
	if s := steps["resolve"]; s.Detail != "two.example is 127.0.0.1, 127.0.0.99" && s.Detail != "two.example is 127.0.0.99, 127.0.0.1" {
		t.Errorf("%+v", s)
	}
}

func TestUnixSocket(t *testing.T) {
	r, steps := run(t, Check{Server: func() (target.WebSocket, error) {
		return target.ParseWebSocket("ws+unix:"+t.TempDir()+"/none:/", target.Options{})
	}})
	if s := steps["connect"]; r.Exit != ExitTCP || !strings.HasPrefix(s.Detail, "target socket not found") {
		t.Errorf("exit status %d: %+v", r.Exit, s)
	}
}

// The server takes compression, and uses it.
func TestDeflateTaken(t *testing.T) {
	squeeze := func(c net.Conn, f Frame) {
		back, err := wsflate.CompressFrame(ws.NewTextFrame(f.Payload))
		if err != nil {
			t.Error(err)
		}
		ws.WriteFrame(c, back)
	}
	plain := manners{}
	deflating := manners{headers: "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n", data: squeeze}
	address := start(t, func(c net.Conn) {
		head, in := readHead(c)
		m := plain
		if strings.Contains(string(head), "permessage-deflate; client_max_window_bits") {
			m = deflating
		}
		m.serve(&rereadConn{c, io.MultiReader(strings.NewReader(string(head)), in)})
	})
	r, steps := run(t, Check{Server: at(address, "ws://127.0.0.1:PORT/", nil), Send: "aaaaaaaaaaaaaaaaaaaa", Expect: regexp.MustCompile("a{20}")})
	if s := steps["deflate"]; r.Exit != 0 || s.Status != OK || !strings.Contains(s.Detail, "taken: permessage-deflate; server_no_context_takeover") {
		t.Errorf("exit status %d: %+v", r.Exit, s)
	}
}

// rereadConn was read already.
type rereadConn struct {
	net.Conn
	in io.Reader
}

func (c *rereadConn) Read(p []byte) (int, error) { return c.in.Read(p) }

func TestExitOf(t *testing.T) {
	for name, want := range map[string]int{"resolve": 3, "connect": 4, "tls": 5, "trust": 6, "upgrade": 7, "close": 8, "output": 1} {
		if got := ExitOf(name); got != want {
			t.Errorf("ExitOf(%q) = %d, want %d", name, got, want)
		}
	}
}
