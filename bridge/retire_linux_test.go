package bridge

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// sameSocket is another listener of l's socket, as an heir of the process has it.
func sameSocket(t *testing.T, l net.Listener) net.Listener {
	t.Helper()
	fd, ok := duplicateOf(l.(*net.TCPListener))
	if !ok {
		t.Fatal("no descriptor")
	}
	f := os.NewFile(uintptr(fd), "")
	defer f.Close()
	heir, err := net.FileListener(f)
	if err != nil {
		t.Fatal(err)
	}
	return heir
}

// generation serves l's socket; retire retires it, and fails unless everybody has
// gone by themselves.
func generation(t *testing.T, l net.Listener, to Target) (retire func()) {
	s := &Server{
		Rules: Rules{Route: func(*http.Request) (Route, error) { return Route{Target: to}, nil }, QuickRoute: pump == PumpAuto},
		Pump:  pump, Log: slog.New(slog.DiscardHandler),
	}
	served := make(chan error, 1)
	own := sameSocket(t, l)
	go func() { served <- s.Serve(own) }()
	return func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := s.Retire(ctx); err != nil {
			t.Errorf("Retire: %v", err)
		}
		if err := <-served; err != ErrServerClosed {
			t.Errorf("Serve: %v", err)
		}
		if n := s.places.count(); n != 0 {
			t.Errorf("%d connections counted after all have gone", n)
		}
		s.Shutdown(ctx)
	}
}

// Generations of bridges follow each other on one socket while clients come
// without a pause: each finds one, and loses nothing.
func TestRetireInAStorm(t *testing.T) {
	echo, front := listenTCP(t), listenTCP(t)
	r := &rig{t: t, addr: front.Addr().String()}
	var targets, clients, retiring sync.WaitGroup
	targets.Go(func() { serveEcho(echo, &targets) })
	var over atomic.Bool
	retire := generation(t, front, named(echo.Addr().String()))
	visits := make(chan struct{})
	for i := range 8 {
		clients.Go(func() {
			for n := uint64(i); !over.Load(); n += 8 {
				if err := r.visit(4 * n); err != nil {
					t.Errorf("session %d: %v", n, err)
				}
				select {
				case visits <- struct{}{}:
				default:
				}
			}
		})
	}
	for range 10 {
		for range 20 {
			<-visits
		}
		next := generation(t, front, named(echo.Addr().String()))
		retiring.Go(retire)
		retire = next
	}
	over.Store(true)
	clients.Wait()
	retire()
	retiring.Wait()
	front.Close()
	echo.Close()
	targets.Wait()
}

// Who has been accepted and has not said all yet is served to the end, however
// they speak; who knocks later is not.
func TestRetireWaitsForThoseWhoAreIn(t *testing.T) {
	secure := func(s *Server) { s.TLS = &tls.Config{Certificates: []tls.Certificate{selfSigned(t)}} }
	for _, tc := range []struct {
		name          string
		secure        bool
		before, after string
	}{
		{"silent so far", false, "", request()},
		{"in the middle of the head", false, request()[:40], request()[40:]},
		{"silent so far, then TLS", true, "", request()},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := startRig(t, secure)
			c := r.dialRaw()
			io.WriteString(c, tc.before)
			r.eventually("being in", func() bool { return r.server.places.count() == 1 })
			retired := make(chan error, 1)
			go func() { retired <- r.server.Retire(t.Context()) }()
			r.eventually("a closed door", func() bool { return !r.knock() })
			if tc.secure {
				c = tls.Client(c, &tls.Config{InsecureSkipVerify: true})
			}
			client := openPeer(t, c, tc.after)
			target := r.accept()
			client.send("x")
			readN(t, target, 1)
			select {
			case err := <-retired:
				t.Fatalf("Retire has returned %v before the session's end", err)
			default:
			}
			client.close(1000, "")
			readAll(t, target)
			target.Close()
			client.wantClose(1000, "")
			if err := <-retired; err != nil {
				t.Error(err)
			}
		})
	}
}

// knock tells whether anybody opens.
func (r *rig) knock() bool {
	c, err := net.Dial("tcp", r.addr)
	if err == nil {
		c.Close()
	}
	return err == nil
}

// A guest who stays silent is closed when his time is over, as ever.
func TestRetireWithASilentGuest(t *testing.T) {
	r := startRig(t, func(s *Server) { s.Limits.SniffTimeout = 50 * time.Millisecond })
	c := r.dialRaw()
	r.eventually("being in", func() bool { return r.server.places.count() == 1 })
	if err := r.server.Retire(t.Context()); err != nil {
		t.Error(err)
	}
	readAll(t, c)
}

// An HTTP connection that waits for its next request is answered once more, and
// told that this was the last time.
func TestRetireAnswersIdleConnections(t *testing.T) {
	r := startRig(t, nil)
	c := r.dialRaw()
	in := bufio.NewReader(c)
	get := func() *http.Response {
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		answer, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, answer.Body)
		return answer
	}
	if get().Close {
		t.Error("closed after the first request")
	}
	retired := make(chan error, 1)
	go func() { retired <- r.server.Retire(t.Context()) }()
	r.eventually("a closed door", func() bool { return !r.knock() })
	if !get().Close {
		t.Error("not told that this was the last answer")
	}
	if err := <-retired; err != nil {
		t.Error(err)
	}
}

// When its time is over, Retire says so, and Shutdown ends what is left.
func TestRetireInTime(t *testing.T) {
	r := startRig(t, nil)
	client, target := r.pair()
	ctx, cancel := context.WithCancel(t.Context())
	retired := make(chan error, 1)
	go func() { retired <- r.server.Retire(ctx) }()
	r.eventually("a closed door", func() bool { return !r.knock() })
	client.send("x") // lives on
	readN(t, target, 1)
	cancel()
	if err := <-retired; !errors.Is(err, context.Canceled) {
		t.Errorf("Retire: %v", err)
	}
	down := make(chan error, 1)
	go func() { down <- r.server.Shutdown(t.Context()) }()
	client.wantClose(1001, "bridge shutting down")
	client.close(1001, "")
	readAll(t, target)
	target.Close()
	if err := <-down; err != nil {
		t.Error(err)
	}
}

// Serve after Retire is over at once.
func TestServeAfterRetire(t *testing.T) {
	r := startRig(t, nil)
	if err := r.server.Retire(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := r.server.Serve(listenTCP(t)); err != ErrServerClosed {
		t.Error(err)
	}
}

// A loop that hangs has no pulse; the bridge lives again when it goes on.
func TestPulse(t *testing.T) {
	r := startRig(t, nil)
	if err := r.server.Pulse(t.Context()); err != nil {
		t.Errorf("a healthy bridge: %v", err)
	}
	stuck := make(chan struct{})
	r.server.loops.pick().Do(func() { <-stuck })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := r.server.Pulse(ctx); err == nil || !strings.Contains(fmt.Sprint(err), "hangs") {
		t.Errorf("a loop hangs: %v", err)
	}
	close(stuck)
	if err := r.server.Pulse(t.Context()); err != nil {
		t.Errorf("after that: %v", err)
	}
}
