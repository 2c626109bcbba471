//go:build unix

package bridge

import (
	"bufio"
	"bytes"
	"compress/flate"
	"crypto/tls"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/wsbridge/wsbridge/deflate"
	"github.com/wsbridge/wsbridge/frame"
	"github.com/wsbridge/wsbridge/message"
)

const offer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"

// startCompressing is a bridge to a target the test plays.
func startCompressing(t *testing.T, which Compress, set func(*Server)) *rig {
	return startRig(t, compressing(which, set))
}

func compressing(which Compress, set func(*Server)) func(*Server) {
	return func(s *Server) {
		plain := s.Route
		s.Route = func(r *http.Request) (Route, error) {
			route, err := plain(r)
			route.Compress = which
			return route, err
		}
		if set != nil {
			set(s)
		}
	}
}

func TestWhatIsCompressed(t *testing.T) {
	text := func(s *Server) { s.Text = true }
	messages := func(s *Server) {
		route := s.Route
		s.Route = func(r *http.Request) (Route, error) {
			got, err := route(r)
			got.Target, got.Service = nil, parrot{}
			return got, err
		}
	}
	const none = ""
	for _, tc := range []struct {
		name        string
		which       Compress
		set         func(*Server)
		subprotocol string
		offer       string
		answer      string
	}{
		{"off", CompressOff, nil, "base64", "permessage-deflate", none},
		{"off, messages", CompressOff, messages, "parrot", "permessage-deflate", none},
		{"off, and what is no header is not looked at", CompressOff, nil, "binary", "permessage-deflate;;", none},
		{"auto, VNC", CompressAuto, nil, "binary", "permessage-deflate", none},
		{"auto, base64", CompressAuto, nil, "base64", "permessage-deflate", "permessage-deflate"},
		{"auto, text", CompressAuto, text, "chat", "permessage-deflate", "permessage-deflate"},
		{"auto, messages", CompressAuto, messages, "parrot", "permessage-deflate; server_max_window_bits=10", "permessage-deflate; server_max_window_bits=10"},
		{"on", CompressOn, nil, "binary", "permessage-deflate; server_no_context_takeover", "permessage-deflate; server_no_context_takeover"},
		{"on, nothing offered", CompressOn, nil, "binary", "", none},
		{"on, something else offered", CompressOn, nil, "binary", "permessage-bzip2", none},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := startCompressing(t, tc.which, tc.set)
			header := []string{"Sec-WebSocket-Protocol: " + tc.subprotocol}
			if tc.offer != "" {
				header = append(header, "Sec-WebSocket-Extensions: "+tc.offer)
			}
			c := r.dial(header...)
			if got := c.answer.Header.Get("Sec-WebSocket-Extensions"); got != tc.answer {
				t.Errorf("answered %q, want %q", got, tc.answer)
			}
			if got := c.answer.Header.Get("Sec-WebSocket-Protocol"); got != tc.subprotocol {
				t.Errorf("subprotocol %q", got)
			}
		})
	}
}

func TestMalformedOfferIsRefused(t *testing.T) {
	r := startCompressing(t, CompressOn, nil)
	c := r.dialRaw()
	io.WriteString(c, request("Sec-WebSocket-Extensions: permessage-deflate;;"))
	answer, _ := io.ReadAll(c)
	if !strings.HasPrefix(string(answer), "HTTP/1.1 400 ") || !strings.Contains(string(answer), "Sec-WebSocket-Extensions") {
		t.Errorf("answered %q", answer)
	}
}

// squeezer is a client that compresses, by the standard library.
type squeezer struct {
	takeover bool
	w        *flate.Writer
	out      bytes.Buffer
}

func newSqueezer(takeover bool) *squeezer {
	s := &squeezer{takeover: takeover}
	s.w, _ = flate.NewWriter(&s.out, flate.DefaultCompression)
	return s
}

func (s *squeezer) squeeze(data string) string {
	s.out.Reset()
	if !s.takeover {
		s.w.Reset(&s.out)
	}
	io.WriteString(s.w, data)
	s.w.Flush()
	return strings.TrimSuffix(s.out.String(), "\x00\x00\xff\xff")
}

// marked is a client's frame that begins a compressed message.
func marked(op ws.OpCode, fin bool, payload string) string { return masked(op|0x40, fin, payload) }

// inflating reads what a server sends that may compress.
type inflating struct {
	*peer
	in         *deflate.Codec
	compressed int // messages
}

func inflatingPeer(p *peer) *inflating {
	p.decoder.Deflate = true
	params, _, _ := deflate.Accept(p.answer.Header.Values("Sec-WebSocket-Extensions"))
	// The other way round it is the client's end.
	params.ClientNoTakeover, params.ClientBits = params.ServerNoTakeover, params.ServerBits
	return &inflating{peer: p, in: new(deflate.Pool).Codec(params)}
}

// message is the next one, or the Close; pings and pongs are left out.
func (p *inflating) message() (string, *frame.Event) {
	p.t.Helper()
	for {
		ev, err := p.event()
		switch {
		case err != nil:
			p.t.Fatal(err)
		case ev.Kind == frame.Close:
			return "", &ev
		case ev.Kind == frame.Data && ev.Compressed:
			p.compressed++
			return p.inflate(ev), nil
		case ev.Kind == frame.Data:
			out := string(ev.Payload)
			for !ev.Last {
				ev, _ = p.event()
				out += string(ev.Payload)
			}
			return out, nil
		}
	}
}

func (p *inflating) inflate(first frame.Event) string {
	p.in.Begin(&rest{p.peer, &first})
	defer p.in.End()
	var out []byte
	for b := make([]byte, 4096); ; {
		n, last, err := p.in.Read(b)
		if err != nil {
			p.t.Fatal(err)
		}
		if out = append(out, b[:n]...); last {
			return string(out)
		}
	}
}

// rest is a message from its first piece on.
type rest struct {
	p     *peer
	first *frame.Event
}

func (r *rest) Piece() ([]byte, bool, error) {
	if ev := r.first; ev != nil {
		r.first = nil
		return ev.Payload, ev.Last, nil
	}
	ev, err := r.p.event()
	return ev.Payload, ev.Last, err
}

func (p *inflating) readAll(n int) string {
	p.t.Helper()
	var b strings.Builder
	for b.Len() < n {
		m, end := p.message()
		if end != nil {
			p.t.Fatalf("after %d of %d bytes: %+v", b.Len(), n, end)
		}
		b.WriteString(m)
	}
	return b.String()
}

// payloads are text and noise of all sizes, in turns.
func payloads() (all []string) {
	r := rand.New(rand.NewPCG(5, 6))
	noise := make([]byte, 1<<20)
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	text := strings.Repeat("the quick brown fox jumps over the lazy dog; ", 1<<15)
	for _, n := range []int{0, 1, 126, 127, 128, 4096, 32767, 65519, 65520, 65521, 65536, 200_000, 1 << 20} {
		all = append(all, text[:n], string(noise[:n]))
	}
	return all
}

// A client's bytes reach the target and come back, compressed as was agreed on.
func TestCompressedEcho(t *testing.T) {
	for n, offer := range []string{
		"permessage-deflate",
		"permessage-deflate; server_no_context_takeover; client_no_context_takeover",
		"permessage-deflate; server_max_window_bits=8",
		"permessage-deflate; server_max_window_bits=12; client_no_context_takeover",
	} {
		for way, start := range map[string]func(*testing.T) *rig{
			"plain":  func(t *testing.T) *rig { return startCompressing(t, CompressOn, nil) },
			"tls":    startCompressingTLS,
			"http/2": func(t *testing.T) *rig { return startRig2(t, compressing(CompressOn, nil)) },
		} {
			t.Run(offer+", "+way, func(t *testing.T) {
				r := start(t)
				c := inflatingPeer(r.dial("Sec-WebSocket-Extensions: " + offer))
				target := r.accept()
				much := time.Now().Add(6 * patience) // it is, and more so with -race
				target.SetDeadline(much)
				if !r.http2 {
					c.conn.SetDeadline(much)
				}
				go func() {
					io.Copy(target, target)
					target.Close()
				}()
				squeezer := newSqueezer(!strings.Contains(offer, "client_no"))
				for i, m := range payloads() {
					if n > 0 && len(m) > 1<<16 {
						break // a megabyte takes its time, and one offer's will do
					}
					var sending sync.WaitGroup
					sending.Go(func() {
						if i%3 == 2 {
							io.WriteString(c.conn, masked(ws.OpBinary, true, m))
							return
						}
						packed := squeezer.squeeze(m)
						half := len(packed) / 2
						io.WriteString(c.conn, marked(ws.OpBinary, false, packed[:half])+masked(ws.OpPing, true, "?")+masked(ws.OpContinuation, true, packed[half:]))
					})
					if got := c.readAll(len(m)); got != m {
						t.Fatalf("message %d of %d bytes: %d others came back", i, len(m), len(got))
					}
					sending.Wait()
				}
				if c.compressed == 0 { // how many depends on how the target's bytes come
					t.Error("no message was compressed")
				}
				c.close(4321, "enough")
				if _, end := c.message(); end.Code != 4321 {
					t.Errorf("%+v", end)
				}
			})
		}
	}
}

func startCompressingTLS(t *testing.T) *rig {
	r := startCompressing(t, CompressOn, func(s *Server) {
		s.TLS = &tls.Config{Certificates: []tls.Certificate{selfSigned(t)}}
	})
	r.secure = true
	return r
}

// In base64 it is the base64 that is compressed, and text stays text.
func TestCompressedText(t *testing.T) {
	r := startCompressing(t, CompressAuto, nil)
	c := inflatingPeer(r.dial(offer, "Sec-WebSocket-Protocol: base64"))
	target := r.accept()
	c.raw(marked(ws.OpText, true, newSqueezer(true).squeeze("aGVsbG8g")) + masked(ws.OpText, true, "d29ybGQ=") + masked(ws.OpClose, true, closeBody(1000, "")))
	if got := readAll(t, target); got != "hello world" {
		t.Errorf("the target got %q", got)
	}
	io.WriteString(target, strings.Repeat("x", 3000))
	if got, _ := c.message(); got != strings.Repeat("eHh4", 1000) || c.compressed != 1 {
		t.Errorf("%d compressed: %.20q", c.compressed, got)
	}
	target.Close()
	if _, end := c.message(); end.Code != 1000 {
		t.Errorf("%+v", end)
	}
}

// A full read behind a rune that was held back is a message longer than any read,
// and than the room for what it is compressed to.
func TestCompressedTextLongerThanARead(t *testing.T) {
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	params := deflate.Params{}
	s := &session{server: new(Server), mode: textMode, out: message.NewWriter(near), deflate: new(deflate.Pool).Codec(params)}
	p := inflatingPeer(&peer{t: t, conn: far, in: bufio.NewReader(far), decoder: frame.Decoder{FromServer: true},
		answer: &http.Response{Header: http.Header{"Sec-Websocket-Extensions": {params.String()}}}})
	text := "x" + strings.Repeat("€", 30_000) + "xx" + strings.Repeat("€", 30_000) // the first read ends in a rune, the second behind one
	limit := textMode.limit()
	sent := make(chan error, 1)
	go func() {
		to := &sender{s: s}
		for at := range 2 {
			b := new(buffer)
			if err := to.send(b, copy(b.room(), text[at*limit:])); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	first, _ := p.message()
	second, _ := p.message()
	if got := first + second; len(second) <= limit || p.compressed != 2 || got != text[:len(got)] {
		t.Errorf("%d and %d bytes, %d compressed, or not those sent", len(first), len(second), p.compressed)
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
}

func TestCompressedEndings(t *testing.T) {
	text := strings.Repeat("so long and thanks for all the fish ", 100)
	packed := newSqueezer(true).squeeze(text)
	for _, tc := range []struct {
		name   string
		sent   string
		target string // what it gets
		code   ws.StatusCode
		reason string
	}{
		{"Close behind a message", marked(2, true, packed) + masked(ws.OpClose, true, closeBody(4000, "bye")), text, 4000, ""},
		{"Close between fragments", marked(2, false, "\x00\x05\x00\xfa\xffHello\x00\x00\x00\xff\xff") + masked(ws.OpClose, true, closeBody(1000, "")), "Hello", 1000, ""},
		{"corrupt", marked(2, true, packed) + marked(2, true, "\x06"), text, 1007, "compressed message is corrupt"},
		{"incomplete", marked(2, true, "\x00\x05\x00"), "", 1007, "compressed message is corrupt"},
		{"text that is none", marked(1, true, newSqueezer(true).squeeze("\xff")), "", 1007, "text is not valid UTF-8"},
		{"marked continuation", marked(2, false, "\x00\x05\x00\xfa\xffHello\x00\x00\x00\xff\xff") + marked(0, true, "\x00"), "Hello", 1002, ""},
		{"marked ping", marked(9, true, ""), "", 1002, ""},
		{"empty messages", marked(2, true, "\x00") + marked(1, true, "") + masked(2, true, "") + masked(ws.OpClose, true, ""), "", 1005, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := startCompressing(t, CompressOn, nil)
			c := r.dial(offer)
			target := r.accept()
			c.raw(tc.sent)
			if got := readAll(t, target); got != tc.target {
				t.Errorf("the target got %d bytes %.40q, want %.40q", len(got), got, tc.target)
			}
			target.Close()
			_, end := c.end()
			if end.Code != tc.code || tc.reason != "" && end.Reason != tc.reason {
				t.Errorf("%d %q, want %d %q", end.Code, end.Reason, tc.code, tc.reason)
			}
		})
	}
}

// Who did not negotiate may not compress.
func TestMarkedWithoutNegotiation(t *testing.T) {
	for _, header := range [][]string{nil, {offer}} {
		r := startCompressing(t, CompressAuto, nil)
		c := r.dial(header...)
		c.raw(marked(ws.OpBinary, true, "\x00"))
		r.accept()
		if _, end := c.end(); end.Code != 1002 {
			t.Errorf("%+v", end)
		}
	}
}

func TestCompressedOtherEndings(t *testing.T) {
	t.Run("the client vanishes inside a message", func(t *testing.T) {
		r := startCompressing(t, CompressOn, nil)
		c := r.dial(offer)
		target := r.accept()
		c.raw(marked(2, false, "\x00\x05\x00\xfa\xffHello\x00\x00\x00\xff\xff"))
		c.conn.Close()
		if got := readAll(t, target); got != "Hello" {
			t.Errorf("the target got %q", got)
		}
		target.Close()
		r.wantLog("by=client", "code=1006", "client vanished")
	})
	t.Run("no target", func(t *testing.T) {
		r := startCompressing(t, CompressOn, nil)
		r.target.Close()
		c := r.dial(offer)
		c.raw(marked(2, true, newSqueezer(true).squeeze("hello")))
		c.wantClose(1011, "target refused the connection")
		c.close(1011, "")
	})
	t.Run("bytes with the handshake", func(t *testing.T) {
		r := startCompressing(t, CompressOn, nil)
		c := openPeer(t, r.dialRaw(), request(offer)+marked(2, true, newSqueezer(true).squeeze("early")))
		target := r.accept()
		if got := readN(t, target, 5); got != "early" {
			t.Errorf("%q", got)
		}
		io.WriteString(target, "late")
		target.CloseWrite()
		if got := c.wantClose(1000, "target closed"); got != "late" {
			t.Errorf("%q", got)
		}
		c.close(1000, "")
	})
	t.Run("ended by the administrator", func(t *testing.T) {
		r := startCompressing(t, CompressOn, nil)
		c := r.dial(offer)
		target := r.accept()
		go func() { io.Copy(io.Discard, target); target.Close() }()
		r.server.Kill(r.server.Sessions()[0].ID)
		c.wantClose(1001, "ended by the administrator")
		c.close(1001, "")
	})
}
