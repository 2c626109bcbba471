package passthrough

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/wsbridge/wsbridge/sniff"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// patience bounds every wait of a test; it is no measure of anything.
const patience = time.Minute

// front plays the bridge: it sniffs, speaks TLS if it is to, and hands every
// request to the target.
type front struct {
	t        *testing.T
	target   *Target
	address  string
	tls      *tls.Config // of its clients; nil: plain
	outcomes chan Outcome
	shutdown context.CancelCauseFunc
	log      *logbook
}

type frontListener struct {
	net.Listener
	tls *tls.Config
}

func (l frontListener) Accept() (net.Conn, error) {
	for {
		raw, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		conn := sniff.New(raw)
		switch _, err := conn.Sniff(patience); {
		case err != nil:
			raw.Close()
		case l.tls != nil:
			return tls.Server(conn, l.tls), nil
		default:
			return conn, nil
		}
	}
}

func startFront(t *testing.T, target *Target) *front { return startTLSFront(t, target, nil) }

// startTLSFront serves with ours as certificate; nil: without TLS.
func startTLSFront(t *testing.T, target *Target, ours *issued) *front {
	f := &front{t: t, target: target, outcomes: make(chan Outcome, 8), log: new(logbook)}
	target.Log = slog.New(slog.NewTextHandler(f.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	l := frontListener{Listener: listen(t, "tcp", "127.0.0.1:0")}
	if ours != nil {
		l.tls = &tls.Config{Certificates: []tls.Certificate{ours.pair()}}
		f.tls = &tls.Config{RootCAs: ours.pool(), ServerName: "127.0.0.1"}
	}
	f.address = l.Addr().String()
	ctx, shutdown := context.WithCancelCause(context.Background())
	f.shutdown = shutdown
	var handlers sync.WaitGroup
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			handlers.Add(1)
			defer handlers.Done()
			f.outcomes <- f.target.Relay(w, r)
		}),
		BaseContext: func(net.Listener) context.Context { return ctx },
		ErrorLog:    slog.NewLogLogger(target.Log.Handler(), slog.LevelWarn),
	}
	handlers.Go(func() { server.Serve(l) })
	t.Cleanup(func() {
		shutdown(errors.New("the test is over"))
		server.Close()
		handlers.Wait()
	})
	return f
}

// outcome waits for that of the next upgrade to end.
func (f *front) outcome() Outcome {
	f.t.Helper()
	select {
	case o := <-f.outcomes:
		return o
	case <-time.After(patience):
		f.t.Fatal("the upgrade does not end")
		return Outcome{}
	}
}

// wantOutcome waits for one and looks at all of it but the times.
func (f *front) wantOutcome(want Outcome) {
	f.t.Helper()
	got := f.outcome()
	got.Dial = 0
	if got != want {
		f.t.Errorf("outcome %+v, want %+v", got, want)
	}
}

// wantLog looks for a line with all of these.
func (f *front) wantLog(parts ...string) {
	f.t.Helper()
lines:
	for line := range strings.Lines(f.log.String()) {
		for _, part := range parts {
			if !strings.Contains(line, part) {
				continue lines
			}
		}
		return
	}
	f.t.Errorf("no line of the log has all of %q:\n%s", parts, f.log)
}

// upgradeHead is a browser's, with what the caller adds.
func upgradeHead(uri string, lines ...string) string {
	head := []string{"GET " + uri + " HTTP/1.1", "Host: bridge.example:80", "Connection: keep-alive, Upgrade", "Upgrade: websocket",
		"Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="}
	return strings.Join(append(head, lines...), "\r\n") + "\r\n\r\n"
}

// client is one of the front's.
type client struct {
	net.Conn
	t  *testing.T
	in *bufio.Reader
}

// send connects and sends raw bytes.
func (f *front) send(raw string) *client {
	f.t.Helper()
	conn, err := net.Dial("tcp", f.address)
	check(f.t, err)
	if f.tls != nil {
		conn = tls.Client(conn, f.tls)
	}
	f.t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	_, err = io.WriteString(conn, raw)
	check(f.t, err)
	return &client{conn, f.t, bufio.NewReader(conn)}
}

// head reads the head of an answer, as it came.
func (c *client) head() string {
	c.t.Helper()
	var head strings.Builder
	for !strings.HasSuffix(head.String(), "\r\n\r\n") {
		b, err := c.in.ReadByte()
		if err != nil {
			c.t.Fatalf("answer ends with %v after %q", err, head.String())
		}
		head.WriteByte(b)
	}
	return head.String()
}

// join wants the raw target's 101.
func (c *client) join() {
	c.t.Helper()
	if got := c.head(); got != switching {
		c.t.Fatalf("answer %q, want %q", got, switching)
	}
}

// answer reads a whole answer and the end behind it.
func (c *client) answer() (status int, header http.Header, body string) {
	c.t.Helper()
	res, err := http.ReadResponse(c.in, nil)
	check(c.t, err)
	defer res.Body.Close()
	all, err := io.ReadAll(res.Body)
	check(c.t, err)
	if _, err := c.in.ReadByte(); err != io.EOF {
		c.t.Errorf("%v follows the answer, want the end", err)
	}
	return res.StatusCode, res.Header, string(all)
}

// closeWrite ends what the client says.
func (c *client) closeWrite() {
	c.t.Helper()
	check(c.t, c.Conn.(interface{ CloseWrite() error }).CloseWrite())
}

// reset ends the connection the rude way.
func (c *client) reset() {
	raw := c.Conn
	if secure, ok := raw.(*tls.Conn); ok {
		raw = secure.NetConn()
	}
	raw.(*net.TCPConn).SetLinger(0)
	raw.Close()
}

// wantRest reads up to the end.
func (c *client) wantRest(want string) {
	c.t.Helper()
	if got, err := io.ReadAll(c.in); string(got) != want || err != nil {
		c.t.Errorf("client got %.200q, %v, want %.200q", got, err, want)
	}
}

func listen(t *testing.T, network, address string) net.Listener {
	t.Helper()
	l, err := net.Listen(network, address)
	check(t, err)
	t.Cleanup(func() { l.Close() })
	return l
}

// logbook is a log that can be read while it is written.
type logbook struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
