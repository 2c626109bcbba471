//go:build unix

package bridge

import (
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/wsbridge/wsbridge/frame"
)

// eras is every version of the protocol that there is a row of tests for.
var eras = []era{rfc6455, hybi8, hybi7, hixie76, hixie75}

// The request of draft 76, 1.2, and its answer's end.
const (
	hixieRequest   = "GET /websockify?a=b%20c HTTP/1.1\r\nHost: bridge:81\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\nOrigin: http://page.example\r\n"
	hixieKeyLines  = "Sec-WebSocket-Key2: 12998 5 Y3 1  .P00\r\nSec-WebSocket-Key1: 4 @1  46546xW%0l 1 5\r\n"
	hixieBody      = "^n:ds[4U"
	hixieChallenge = "8jKS'y:G*Co,Wxa-"
)

func legacy(s *Server) { s.Legacy = true }

// requestOf is a client's opening handshake, and all that it sends for it.
func requestOf(e era, header ...string) string {
	lines := strings.Join(append(header, ""), "\r\n")
	switch e {
	case hixie75:
		return hixieRequest + lines + "\r\n"
	case hixie76:
		return hixieRequest + hixieKeyLines + lines + "\r\n" + hixieBody
	}
	return strings.Replace(request(header...), "Version: 13", "Version: "+e.String(), 1)
}

// elder is a client of any version.
type elder struct {
	*peer
	era  era
	text frame.HixieDecoder
}

func (r *rig) dialEra(e era, header ...string) *elder {
	r.t.Helper()
	c := r.dialRaw()
	if r.secure {
		c = tls.Client(c, &tls.Config{InsecureSkipVerify: true})
	}
	p := &elder{peer: openPeer(r.t, c, requestOf(e, header...)), era: e, text: frame.HixieDecoder{Closing: e == hixie76}}
	if e == hixie76 {
		answer := make([]byte, len(hixieChallenge))
		if _, err := io.ReadFull(p.in, answer); err != nil || string(answer) != hixieChallenge {
			r.t.Fatalf("answer to the keys: %q %v", answer, err)
		}
	}
	return p
}

// wire is payload as this client sends it: in one frame, or in Hixie's in
// several that are cut without a thought of base64's quanta.
func (p *elder) wire(payload string) string {
	if !p.era.hixie() {
		return masked(ws.OpBinary, true, payload)
	}
	var b strings.Builder
	b.WriteString("\x80\x03\x00\xff\x00") // to be skipped
	for text := base64.StdEncoding.EncodeToString([]byte(payload)); text != ""; {
		n := min(len(text), 10_007)
		b.WriteString("\x00" + text[:n] + "\xff")
		text = text[n:]
	}
	return b.String()
}

// leave is how this client says that it will send no more.
func (p *elder) leave() {
	p.t.Helper()
	switch p.era {
	case hixie75:
		p.conn.(interface{ CloseWrite() error }).CloseWrite()
	case hixie76:
		p.raw("\xff\x00")
	default:
		p.close(1000, "")
	}
}

// message is the next payload; closed: the server's last word came.
func (p *elder) message() (payload []byte, closed bool) {
	p.t.Helper()
	if !p.era.hixie() {
		ev, err := p.event()
		if err != nil {
			p.t.Fatalf("client read: %v", err)
		}
		return bytes.Clone(ev.Payload), ev.Kind == frame.Close
	}
	for {
		if len(p.unread) == 0 {
			b := make([]byte, 64<<10)
			n, err := p.in.Read(b)
			if err == io.EOF && p.era == hixie75 && p.text.Whole() {
				return nil, true
			} else if err != nil {
				p.t.Fatalf("client read: %v", err)
			}
			p.unread = b[:n]
		}
		ev, n, err := p.text.Next(p.unread)
		p.unread = p.unread[n:]
		if err != nil {
			p.t.Fatalf("the server's frames: %v", err)
		}
		if ev.Kind == frame.Close {
			return nil, true
		}
		payload = append(payload, ev.Payload...)
		if ev.Last {
			decoded, err := base64.StdEncoding.DecodeString(string(payload))
			if err != nil {
				p.t.Fatalf("a frame that does not stand by itself: %v", err)
			}
			return decoded, false
		}
	}
}

func (p *elder) receive(n int) string {
	p.t.Helper()
	var got []byte
	for len(got) < n {
		payload, closed := p.message()
		if got = append(got, payload...); closed {
			p.t.Fatalf("closed after %d of %d bytes", len(got), n)
		}
	}
	return string(got)
}

// wantLast reads to the server's last word.
func (p *elder) wantLast() (payload string) {
	p.t.Helper()
	var got []byte
	for {
		payload, closed := p.message()
		if closed {
			return string(got)
		}
		got = append(got, payload...)
	}
}

// code is how the log gives the end of a session that the client closed: the
// Hixie drafts have no codes.
func (p *elder) code() string {
	if p.era.hixie() {
		return "code=1005"
	}
	return "code=1000"
}

// everyEra tells story once for each version, over each kind of connection.
func everyEra(t *testing.T, set func(*Server), story func(t *testing.T, r *rig, e era)) {
	for _, e := range eras {
		t.Run(e.String(), func(t *testing.T) {
			everyWay(t, func(s *Server) {
				s.Legacy = true
				if set != nil {
					set(s)
				}
			}, func(t *testing.T, r *rig) { story(t, r, e) })
		})
	}
}

func TestEveryEraEchoes(t *testing.T) {
	everyEra(t, nil, func(t *testing.T, r *rig, e era) {
		client, target := r.dialEra(e), r.accept()
		go func() {
			io.Copy(target, target)
			target.Close()
		}()
		for i, size := range []int{0, 1, 2, 3, 125, 126, 127, 65535, 65536, 1 << 20} {
			data := string(stream(uint64(i), size))
			go io.WriteString(client.conn, client.wire(data)) // what is not written is not heard
			if got := client.receive(size); got != data {
				t.Errorf("size %d: bytes differ", size)
			}
		}
		client.leave()
		client.wantLast()
		r.wantLog("session ended", "by=client", `reason="client closed"`, client.code(), "to_target=1180031", "to_client=1180031")
		if e != rfc6455 {
			r.wantLog("legacy protocol", "version="+e.String())
		}
		if n := strings.Count(r.log.String(), "legacy protocol"); n > 1 || e == rfc6455 && n > 0 {
			t.Errorf("told %d times", n)
		}
	})
}

// Frames that came with the handshake are the session's first, its end too.
func TestEveryEraSaysAllAtOnce(t *testing.T) {
	everyEra(t, nil, func(t *testing.T, r *rig, e era) {
		c := r.dialRaw()
		if r.secure {
			c = tls.Client(c, &tls.Config{InsecureSkipVerify: true})
		}
		client := &elder{era: e}
		up := string(stream(9, 5000))
		openPeer(t, c, requestOf(e)+client.wire(up))
		if got := readN(t, r.accept(), len(up)); got != up {
			t.Error("bytes differ")
		}
	})
}

func TestEveryEraClientCloses(t *testing.T) {
	everyEra(t, nil, func(t *testing.T, r *rig, e era) {
		client, target := r.dialEra(e), r.accept()
		client.raw(client.wire("parting"))
		client.leave()
		if got := readAll(t, target); got != "parting" {
			t.Errorf("target got %q", got)
		}
		io.WriteString(target, "farewell")
		target.Close()
		if got := client.wantLast(); got != "farewell" {
			t.Errorf("client got %q", got)
		}
		r.wantLog("session ended", "by=client", `reason="client closed"`, client.code(), "to_client=8")
	})
}

func TestEveryEraTargetCloses(t *testing.T) {
	everyEra(t, nil, func(t *testing.T, r *rig, e era) {
		client, target := r.dialEra(e), r.accept()
		io.WriteString(target, "last words")
		target.CloseWrite()
		if got := client.wantLast(); got != "last words" {
			t.Errorf("client got %q", got)
		}
		client.raw(client.wire("said before that was read"))
		client.leave()
		if got := readAll(t, target); got != "said before that was read" {
			t.Errorf("target got %q", got)
		}
		r.wantLog("session ended", "by=target", "code=1000", `reason="target closed"`)
	})
}

func TestEveryEraTargetRefuses(t *testing.T) {
	closed := nobody(t)
	everyEra(t, func(s *Server) { s.Route = to(targetAt(closed)) }, func(t *testing.T, r *rig, e era) {
		client := r.dialEra(e)
		client.raw(client.wire("for nobody"))
		if got := client.wantLast(); got != "" {
			t.Errorf("client got %q", got)
		}
		client.leave()
		r.wantLog("session ended", "by=target", "code=1011", `reason="target refused the connection"`)
	})
}

func TestEveryEraClientVanishes(t *testing.T) {
	everyEra(t, nil, func(t *testing.T, r *rig, e era) {
		client, target := r.dialEra(e), r.accept()
		client.raw(client.wire("kept"))
		client.raw("\x00") // inside of a frame, for the oldest too
		client.conn.(interface{ CloseWrite() error }).CloseWrite()
		if got := readAll(t, target); got != "kept" {
			t.Errorf("target got %q", got)
		}
		target.Close()
		r.wantLog("session ended", "by=client", "code=1006", `reason="client vanished"`)
	})
}

func TestEveryEraShutdown(t *testing.T) {
	everyEra(t, nil, func(t *testing.T, r *rig, e era) {
		client, target := r.dialEra(e), r.accept()
		done := make(chan error, 1)
		go func() { done <- r.server.Shutdown(t.Context()) }()
		client.wantLast()
		client.leave()
		readAll(t, target)
		if err := <-done; err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		r.wantLog("session ended", "by=bridge", "code=1001", `reason="bridge shutting down"`)
	})
}

// A client that does not read stops the target, and gets all of it later.
func TestEveryEraSlowReader(t *testing.T) {
	for _, e := range eras {
		t.Run(e.String(), func(t *testing.T) {
			r := startRig(t, legacy)
			client, target := r.dialEra(e), r.accept()
			before := heap()
			data := stream(8, 64<<20)
			target.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
			offered, err := target.Write(data)
			if err == nil {
				t.Fatal("a client that reads nothing was sent 64 MB")
			}
			if grown := heap() - before; grown > 64<<20+512<<10 { // data is the test's
				t.Errorf("a stalled session costs %d KB", (grown-64<<20)>>10)
			}
			target.CloseWrite()
			if got := client.wantLast(); got != string(data[:offered]) {
				t.Errorf("%d bytes came of %d, or others", len(got), offered)
			}
		})
	}
}

// Versions with pings are answered; without, nothing is sent that a client did
// not ask for, and silence is bounded all the same.
func TestEveryEraPings(t *testing.T) {
	for _, e := range eras {
		t.Run(e.String(), func(t *testing.T) {
			r := startRig(t, func(s *Server) {
				s.Legacy = true
				if e.hixie() {
					s.Heartbeat, s.SessionIdle = 10*time.Millisecond, 300*time.Millisecond
				}
			})
			client, target := r.dialEra(e), r.accept()
			if e.hixie() {
				if got := client.wantLast(); got != "" {
					t.Errorf("client got %q", got)
				}
				client.leave()
				readAll(t, target)
				r.wantLog("session ended", "code=1001", "by=bridge", `reason="session idle"`)
				return
			}
			client.raw(masked(ws.OpPing, true, "are you there"))
			if ev, err := client.event(); err != nil || ev.Kind != frame.Pong || string(ev.Payload) != "are you there" {
				t.Errorf("%+v %v", ev, err)
			}
		})
	}
}

func TestEveryEraBreaches(t *testing.T) {
	for _, e := range []era{hixie76, hixie75} {
		for bad, reason := range map[string]string{
			"\x00!!!!\xff":                      "payload is not valid base64",
			"\x80" + strings.Repeat("\xff", 20): "frame length has more than 63 bits",
		} {
			t.Run(e.String()+" "+reason, func(t *testing.T) {
				r := startRig(t, legacy)
				client, target := r.dialEra(e), r.accept()
				client.raw(client.wire("good") + bad + client.wire("never forwarded"))
				if got := readAll(t, target); got != "good" {
					t.Errorf("target got %q", got)
				}
				client.wantLast()
				target.Close()
				client.conn.Close()
				r.wantLog("session ended", "by=client", reason)
			})
		}
	}
}
