package demo

import (
	"bufio"
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// pipes is a listener in memory, so that a test can own the clock.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func newPipes() *pipes { return &pipes{make(chan net.Conn), make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	select {
	case <-p.closed:
	default:
		close(p.closed)
	}
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes", Net: "pipe"} }

func (p *pipes) dial() net.Conn {
	near, far := net.Pipe()
	p.conns <- far
	return near
}

// serve runs h on l until the function it returns is called.
func serve(t *testing.T, h *Hall, l net.Listener) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.Serve(ctx, l) }()
	return func() {
		t.Helper()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve after its context ended: %v, want nil", err)
		}
	}
}

// listenTCP starts h on a loopback port and ends it with the test.
func listenTCP(t *testing.T, h *Hall) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(serve(t, h, l))
	return l.Addr().String()
}

// guest is a visitor seen from outside.
type guest struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

func newGuest(t *testing.T, conn net.Conn) *guest {
	conn.SetDeadline(time.Now().Add(time.Hour))
	return &guest{t, conn, bufio.NewReader(conn)}
}

// enter connects and reads the three lines of welcome.
func enter(t *testing.T, address string) *guest {
	t.Helper()
	conn, err := net.DialTimeout("tcp", address, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	g := newGuest(t, conn)
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	g.skip(3)
	return g
}

func (g *guest) says(line string) {
	g.t.Helper()
	if _, err := io.WriteString(g.conn, line+"\n"); err != nil {
		g.t.Fatalf("saying %.40q: %v", line, err)
	}
}

func (g *guest) line() string {
	g.t.Helper()
	line, err := g.in.ReadString('\n')
	if err != nil {
		g.t.Fatalf("waiting for a line: %v (had %q)", err, line)
	}
	return strings.TrimSuffix(line, "\n")
}

func (g *guest) skip(lines int) {
	g.t.Helper()
	for range lines {
		g.line()
	}
}

func (g *guest) hears(want ...string) {
	g.t.Helper()
	for _, w := range want {
		if diff := cmp.Diff(w, g.line()); diff != "" {
			g.t.Fatalf("heard another line (-want +got):\n%s", diff)
		}
	}
}

// rest reads to the end, which must be a clean one.
func (g *guest) rest() string {
	g.t.Helper()
	text, err := io.ReadAll(g.in)
	if err != nil {
		g.t.Fatalf("reading to the end: %v (had %q)", err, text)
	}
	return string(text)
}
