//lint:file-ignore SA1019 net/http offers a client no extended CONNECT

package bridge

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"go.uber.org/goleak"
	"golang.org/x/net/http2"

	"github.com/wsbridge/wsbridge/frame"
	"github.com/wsbridge/wsbridge/internal/freeport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(overPumps{m}) }

// overPumps runs every test once for each way of carrying sessions.
type overPumps struct{ m *testing.M }

// pumps are those ways; pump is the one that startRig's servers have now.
var (
	pumps = map[Pump]string{PumpAuto: "a loop", PumpGoroutines: "goroutines"}
	pump  Pump
)

func (o overPumps) Run() int {
	flag.Parse()
	for _, pump = range []Pump{PumpAuto, PumpGoroutines} {
		if code := o.m.Run(); code != 0 {
			fmt.Fprintf(os.Stderr, "that was with sessions carried by %s\n", pumps[pump])
			return code
		}
		if flag.Lookup("test.fuzz").Value.String() != "" {
			break // fuzz targets start no server
		}
	}
	return 0
}

// patience is how long a test waits for what must happen; less than the 30 s after
// which the bridge ends by itself what hangs.
const patience = 25 * time.Second

// rig is a running bridge, its log, and a target the test plays.
type rig struct {
	t      *testing.T
	server *Server
	addr   string
	target net.Listener
	log    *logBuffer
	secure bool // clients of dial speak TLS
	http2  bool // and HTTP/2 in it: all on one connection
	shared *http2.ClientConn
}

type logBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func startRig(t *testing.T, set func(*Server)) *rig {
	t.Helper()
	return startRigTo(t, listenTCP(t), set)
}

// targetAt is the target that listens on a; over TCP a loop can dial it.
func targetAt(a net.Addr) Target {
	if a.Network() == "tcp" {
		return named(a.String())
	}
	return dialTo{a}
}

// dialTo is a target of any network that only Dial can reach.
type dialTo struct{ net.Addr }

func (d dialTo) Dial(ctx context.Context) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, d.Network(), d.Addr.String())
}

// nobody is an address where nobody listens.
func nobody(t *testing.T) net.Addr {
	t.Helper()
	address, err := net.ResolveTCPAddr("tcp", freeport.Address(t))
	if err != nil {
		t.Fatal(err)
	}
	return address
}

func startRigTo(t *testing.T, targets net.Listener, set func(*Server)) *rig {
	t.Helper()
	listener := listenTCP(t)
	t.Cleanup(func() { targets.Close() })
	r := &rig{t: t, addr: listener.Addr().String(), target: targets, log: &logBuffer{}}
	r.server = &Server{
		// With QuickRoute a loop receives connections too.
		Rules: Rules{Route: to(targetAt(targets.Addr())), QuickRoute: pump == PumpAuto},
		Pump:  pump,
		Log:   slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if set != nil {
		set(r.server)
	}
	r.server.Stats() // starts what tests look at
	served := make(chan error, 1)
	go func() { served <- r.server.Serve(listener) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		r.server.Shutdown(ctx)
		if err := <-served; err != ErrServerClosed {
			t.Errorf("Serve: %v, want ErrServerClosed", err)
		}
		if t.Failed() {
			t.Logf("the bridge's log:\n%s", r.log)
		}
	})
	return r
}

func listenTCP(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// dialRaw connects to the bridge without a word.
func (r *rig) dialRaw() net.Conn {
	r.t.Helper()
	c, err := net.Dial("tcp", r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(patience))
	r.t.Cleanup(func() { c.Close() })
	return c
}

// request is a good opening handshake with the key of the vector.
func request(header ...string) string {
	return "GET /websockify HTTP/1.1\r\nHost: bridge\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: h3aOngl22xTlrMuoCGC4+w==\r\n" +
		strings.Join(append(header, ""), "\r\n") + "\r\n"
}

// peer is a WebSocket client as the tests need it: it can misbehave.
type peer struct {
	t       *testing.T
	conn    net.Conn
	in      *bufio.Reader
	decoder frame.Decoder
	unread  []byte
	answer  *http.Response
}

// dial opens a session; header are extra request lines.
func (r *rig) dial(header ...string) *peer {
	r.t.Helper()
	if r.http2 {
		return r.dialHTTP2(header...)
	}
	c := r.dialRaw()
	if r.secure {
		c = tls.Client(c, &tls.Config{InsecureSkipVerify: true})
	}
	return openPeer(r.t, c, request(header...))
}

func openPeer(t *testing.T, c net.Conn, request string) *peer {
	t.Helper()
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	p := &peer{t: t, conn: c, in: bufio.NewReader(c), decoder: frame.Decoder{FromServer: true}}
	answer, err := http.ReadResponse(p.in, nil)
	if err != nil {
		t.Fatalf("no answer to the handshake: %v", err)
	}
	if answer.StatusCode != http.StatusSwitchingProtocols {
		body, _ := io.ReadAll(answer.Body)
		t.Fatalf("handshake: %s: %s", answer.Status, body)
	}
	p.answer = answer
	return p
}

// masked is a client's frame.
func masked(op ws.OpCode, fin bool, payload string) string {
	mask := [4]byte{0x37, 0xfa, 0x21, 0x3d}
	first := byte(op)
	if fin {
		first |= 0x80
	}
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	body := []byte(payload)
	ws.Cipher(body, mask, 0)
	return string(append(append(b, mask[:]...), body...))
}

func closeBody(code ws.StatusCode, reason string) string {
	return string(ws.NewCloseFrameBody(code, reason))
}

func (p *peer) raw(b string) {
	p.t.Helper()
	if _, err := io.WriteString(p.conn, b); err != nil {
		p.t.Fatalf("client write: %v", err)
	}
}

func (p *peer) send(payload string) { p.t.Helper(); p.raw(masked(ws.OpBinary, true, payload)) }
func (p *peer) close(code ws.StatusCode, reason string) {
	p.t.Helper()
	p.raw(masked(ws.OpClose, true, closeBody(code, reason)))
}

// event returns the next event; io.EOF and other errors as they come.
func (p *peer) event() (frame.Event, error) {
	for {
		ev, n, err := p.decoder.Next(p.unread)
		p.unread = p.unread[n:]
		if err != nil || ev.Kind != frame.None {
			return ev, err
		}
		b := make([]byte, 64<<10)
		n, err = p.in.Read(b)
		if err != nil {
			return frame.Event{}, err
		}
		p.unread = b[:n]
	}
}

// read returns the next n payload bytes.
func (p *peer) read(n int) string {
	p.t.Helper()
	var got []byte
	for len(got) < n {
		ev, err := p.event()
		if err != nil || ev.Kind == frame.Close {
			p.t.Fatalf("after %d of %d bytes: %+v %v", len(got), n, ev, err)
		}
		if ev.Kind == frame.Data {
			got = append(got, ev.Payload...)
		}
	}
	return string(got)
}

// end reads to the Close frame and past it, and returns it with the payload
// that came before.
func (p *peer) end() (payload string, close frame.Event) {
	p.t.Helper()
	var got []byte
	for {
		ev, err := p.event()
		if err != nil {
			p.t.Fatalf("client read, before any Close: %v", err)
		}
		got = append(got, ev.Payload...)
		if ev.Kind == frame.Close {
			return string(got), ev
		}
	}
}

func (p *peer) wantClose(code ws.StatusCode, reason string) (payload string) {
	p.t.Helper()
	payload, close := p.end()
	if close.Code != code || close.Reason != reason {
		p.t.Errorf("close %d %q, want %d %q", close.Code, close.Reason, code, reason)
	}
	return payload
}

// accept is the target's end of the next session.
func (r *rig) accept() halfConn {
	r.t.Helper()
	r.target.(interface{ SetDeadline(time.Time) error }).SetDeadline(time.Now().Add(patience))
	c, err := r.target.Accept()
	if err != nil {
		r.t.Fatalf("target: %v", err)
	}
	c.SetDeadline(time.Now().Add(patience))
	r.t.Cleanup(func() { c.Close() })
	return c.(halfConn)
}

// halfConn is a TCP or unix connection.
type halfConn interface {
	net.Conn
	CloseWrite() error
	CloseRead() error
}

// wantLog waits for a line with all of the parts.
func (r *rig) wantLog(parts ...string) {
	r.t.Helper()
	r.eventually(fmt.Sprintf("a log line with %q", parts), func() bool {
		for line := range strings.SplitSeq(r.log.String(), "\n") {
			missing := false
			for _, part := range parts {
				missing = missing || !strings.Contains(line, part)
			}
			if !missing {
				return true
			}
		}
		return false
	})
}

func (r *rig) eventually(what string, ok func() bool) {
	r.t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			r.t.Fatalf("never came: %s", what)
		}
	}
}

func readAll(t *testing.T, c net.Conn) string {
	t.Helper()
	b, err := io.ReadAll(c)
	if err != nil {
		t.Errorf("after %d bytes: %v", len(b), err)
	}
	return string(b)
}

func readN(t *testing.T, c net.Conn, n int) string {
	t.Helper()
	b := make([]byte, n)
	if m, err := io.ReadFull(c, b); err != nil {
		t.Fatalf("target read: %d of %d bytes: %v", m, n, err)
	}
	return string(b)
}
