package bridge

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/gobwas/ws"
	"golang.org/x/sys/unix"

	"github.com/wsbridge/wsbridge/frame"
	"github.com/wsbridge/wsbridge/target"
)

// Sessions of sockets, TLS above the client's or not, are carried by a loop unless
// the server says otherwise, and those that cannot be are not.
func TestWhoCarries(t *testing.T) {
	for _, tc := range []struct {
		name   string
		client string
		set    func(*Server)
		byLoop bool
	}{
		{"plain", "plain", nil, pump == PumpAuto},
		{"TLS", "tls", nil, pump == PumpAuto},
		{"HTTP/2", "h2", nil, false},
		{"goroutines asked for", "plain", func(s *Server) { s.Pump = PumpGoroutines }, false},
		{"goroutines asked for, TLS", "tls", func(s *Server) { s.Pump = PumpGoroutines }, false},
		{"text", "tls", func(s *Server) { s.Text = true }, false},
		{"traffic shown", "tls", func(s *Server) { s.Traffic = io.Discard }, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := startRigFor(t, tc.client, tc.set)
			r.pair()
			count := 0
			r.server.sessions.each(func(l live) {
				s := l.(*session)
				if count++; (s.carried() != nil) != tc.byLoop {
					t.Errorf("carried by %T", s.carried())
				}
			})
			if count != 1 {
				t.Errorf("%d sessions", count)
			}
		})
	}
}

// A thousand sessions carry seeded bytes to an echo and back, a hundred at a
// time, while some are reset by their client and some by their target: the
// others lose nothing, and none is left at the end.
func TestCrowd(t *testing.T) { crowd(t, "plain", 1000, 100) }

// The same over TLS, with fewer, and time for all: every handshake computes.
func TestSecureCrowd(t *testing.T) { crowd(t, "tls", 100, 20) }

func crowd(t *testing.T, kind string, sessions, atOnce int) {
	r := startRigFor(t, kind, func(s *Server) { s.Limits.HeaderTimeout, s.Limits.SniffTimeout = time.Minute, time.Minute })
	echo := r.target
	var targets, clients sync.WaitGroup
	targets.Go(func() { serveEcho(echo, &targets) })
	room := make(chan struct{}, atOnce)
	for i := range sessions {
		room <- struct{}{}
		clients.Go(func() {
			defer func() { <-room }()
			if err := r.visit(uint64(i)); err != nil {
				t.Errorf("session %d: %v", i, err)
			}
		})
	}
	clients.Wait()
	r.eventually("the end of all sessions", func() bool { return r.server.Stats().Sessions == 0 })
	echo.Close()
	targets.Wait()
}

// What a session's first byte asks of the echo.
const (
	staysUp  = 'E'
	resetsIt = 'R' // somewhere in the middle
)

// serveEcho serves until l closes.
func serveEcho(l net.Listener, wg *sync.WaitGroup) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		wg.Go(func() {
			defer c.Close()
			c.SetDeadline(time.Now().Add(time.Minute))
			first := make([]byte, 1)
			io.ReadFull(c, first)
			c.Write(first)
			if first[0] == resetsIt {
				io.CopyN(c, c, 10_000)
				c.(*net.TCPConn).SetLinger(0)
				return
			}
			io.Copy(c, c)
		})
	}
}

// visit is one session: of four, two go to their end, one is reset by the
// target and one by the client.
func (r *rig) visit(seed uint64) error {
	raw, err := net.Dial("tcp", r.addr)
	if err != nil {
		return err
	}
	defer raw.Close()
	c := raw
	if r.secure {
		c = tls.Client(raw, &tls.Config{InsecureSkipVerify: true})
	}
	c.SetDeadline(time.Now().Add(time.Minute))
	data := stream(seed, 50_000)
	data[0] = staysUp
	want, code := len(data), ws.StatusCode(1000)
	switch seed % 4 {
	case 2:
		data[0], code = resetsIt, 1011
	case 3:
		want = 20_000
	}
	var sending sync.WaitGroup
	defer sending.Wait()
	sending.Go(func() { sendInPieces(c, data, seed) })
	client := &peer{t: r.t, conn: c, in: bufio.NewReader(c), decoder: frame.Decoder{FromServer: true}}
	if _, err := http.ReadResponse(client.in, nil); err != nil {
		return err
	}
	got, end, err := client.collect(want)
	switch {
	case !strings.HasPrefix(string(data), string(got)):
		return errors.New("bytes differ")
	case seed%4 == 3:
		raw.(*net.TCPConn).SetLinger(0)
		return err
	case seed%4 != 2 && len(got) < want:
		return fmt.Errorf("%d of %d bytes: %w", len(got), want, err)
	case seed%4 != 2:
		io.WriteString(c, masked(ws.OpClose, true, closeBody(1000, "")))
		_, end, err = client.collect(1)
	}
	if err == nil && end.Code != code {
		err = fmt.Errorf("close %d, want %d", end.Code, code)
	}
	return err
}

// collect reads n payload bytes, or as many as come before the Close frame.
func (p *peer) collect(n int) (got []byte, end frame.Event, err error) {
	for len(got) < n {
		ev, err := p.event()
		if err != nil || ev.Kind == frame.Close {
			return got, ev, err
		}
		got = append(got, ev.Payload...)
	}
	return got, frame.Event{}, nil
}

// sendInPieces says hello and sends frames of any size; it stops, without a
// word, when the connection is gone.
func sendInPieces(c net.Conn, data []byte, seed uint64) {
	io.WriteString(c, request())
	sizes := rand.New(rand.NewPCG(seed, 1))
	for len(data) > 0 {
		n := min(len(data), 1+sizes.IntN(9_000))
		if _, err := io.WriteString(c, masked(ws.OpBinary, true, string(data[:n]))); err != nil {
			return
		}
		data = data[n:]
	}
}

// A session that carries bulk, either way, leaves the others of its loop their
// turns.
func TestBulkStarvesNobody(t *testing.T) {
	for _, kind := range []string{"plain", "tls"} {
		t.Run(kind, func(t *testing.T) {
			r := startRigFor(t, kind, nil)
			var stop sync.WaitGroup
			defer stop.Wait()
			for range 4 {
				client, target := r.pair()
				defer target.Close()
				defer client.socket().Close()
				stop.Go(func() { io.Copy(target, endless{}) })
				stop.Go(func() { io.Copy(io.Discard, client.conn) })
				stop.Go(func() { sendEndlessly(client.conn) })
				stop.Go(func() { io.Copy(io.Discard, target) })
			}
			client, target := r.pair()
			unhurried(client.conn, target)
			for range 100 {
				client.send("x")
				readN(t, target, 1)
			}
		})
	}
}

func sendEndlessly(c net.Conn) {
	for message := masked(ws.OpBinary, true, strings.Repeat("x", 100_000)); ; {
		if _, err := io.WriteString(c, message); err != nil {
			return
		}
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// busyTarget is a listener that leaves every further connection waiting.
func busyTarget(t *testing.T) string {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), unix.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	address := fmt.Sprintf("127.0.0.1:%d", name.(*unix.SockaddrInet4).Port)
	for {
		c, err := net.DialTimeout("tcp", address, 200*time.Millisecond)
		if err != nil {
			return address
		}
		t.Cleanup(func() { c.Close() })
	}
}

// A target that does not answer is waited for as long as it says, and what the
// client says meanwhile is read after all.
func TestTargetDoesNotAnswer(t *testing.T) {
	busy := target.TCP{Address: busyTarget(t), Timeout: 50 * time.Millisecond}
	r := startRig(t, func(s *Server) { s.Route = to(busy) })
	client := r.dial()
	client.raw(masked(ws.OpPing, true, "hello?"))
	client.wantClose(1011, "target did not answer in time")
	client.close(1011, "")
	r.wantLog("session ended", "code=1011", "by=target", "did not answer")
}

func TestShutdownWhileDialling(t *testing.T) {
	busy := target.TCP{Address: busyTarget(t)}
	r := startRig(t, func(s *Server) { s.Route = to(busy) })
	client := r.dial()
	ended := make(chan error, 1)
	go func() { ended <- r.server.Shutdown(t.Context()) }()
	client.wantClose(1001, "bridge shutting down")
	client.close(1001, "")
	if err := <-ended; err != nil {
		t.Error(err)
	}
	r.wantLog("session ended", "code=1001", "by=bridge")
}

// What cannot wait any longer is cut, a session that is dialling too.
func TestCutWhileDialling(t *testing.T) {
	busy := target.TCP{Address: busyTarget(t)}
	r := startRig(t, func(s *Server) { s.Route = to(busy) })
	client := r.dial()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.server.Shutdown(ctx); err != context.Canceled {
		t.Error(err)
	}
	io.Copy(io.Discard, client.conn)
	r.wantLog("session ended", "by=bridge", "shutting down")
}

// A loop that cannot accept (no descriptor is left, say) waits, and goes on.
func TestPorchAfterAFailure(t *testing.T) {
	l := listenTCP(t)
	s := &Server{Rules: Rules{Route: to(failing{timeoutError{}}), QuickRoute: true}, Log: slog.New(slog.DiscardHandler)}
	s.Stats()
	p := s.newPorch(l)
	if p == nil {
		t.Fatal("no porch")
	}
	p.loop.Do(func() { p.failed(unix.EMFILE) })
	served := make(chan error, 1)
	go func() { served <- s.serveOn(p) }()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	io.WriteString(c, request())
	if answer, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || answer.StatusCode != 101 {
		t.Errorf("%+v %v", answer, err)
	}
	c.Close()
	l.Close()
	s.Shutdown(t.Context())
	if err := <-served; err != ErrServerClosed {
		t.Error(err)
	}
	if n := s.Stats().Refused["accept failed"]; n != 1 {
		t.Errorf("%d failures counted", n)
	}
}

// stuck is a log that writes nothing until it is freed.
type stuck struct{ freed chan struct{} }

func (s stuck) Write(p []byte) (int, error) { <-s.freed; return len(p), nil }

// A log that takes no more holds up who has ended, and nobody else.
func TestStuckLog(t *testing.T) {
	log := stuck{make(chan struct{})}
	r := startRig(t, func(s *Server) { s.Log = slog.New(slog.NewTextHandler(log, nil)) })
	defer close(log.freed)
	client, target := r.pair()
	for range 4 {
		gone, left := r.pair()
		left.Close()
		gone.wantClose(1000, "target closed")
		gone.close(1000, "")
		readAll(t, gone.conn)
	}
	client.send("still carried")
	if got := readN(t, target, 13); got != "still carried" {
		t.Errorf("target got %q", got)
	}
}

// Serve after Shutdown, or at the same time, is over at once, whoever accepts.
func TestServeAfterShutdown(t *testing.T) {
	for range 20 {
		s := &Server{Rules: Rules{Route: to(failing{timeoutError{}}), QuickRoute: true}, Pump: pump}
		s.Stats()
		served := make(chan error, 2)
		for range 2 {
			l := listenTCP(t)
			go func() { served <- s.Serve(l) }()
		}
		s.Shutdown(t.Context())
		for range 2 {
			if err := <-served; err != ErrServerClosed {
				t.Error(err)
			}
		}
		if err := s.Serve(listenTCP(t)); err != ErrServerClosed {
			t.Error(err)
		}
	}
}

// An idle session in a loop is its two structs, and little besides: no buffer,
// no goroutine, no timer.
func TestIdleSessionIsSmall(t *testing.T) {
	const most = 800
	if size := unsafe.Sizeof(session{}) + unsafe.Sizeof(flow{}); size > most {
		t.Errorf("a session is %d bytes and more, should be at most %d", size, most)
	}
}
