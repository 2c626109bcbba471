package gateway_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"go.uber.org/goleak"

	"github.com/wsbridge/wsbridge/content"
	"github.com/wsbridge/wsbridge/gateway"
	"github.com/wsbridge/wsbridge/message"
	"github.com/wsbridge/wsbridge/target"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 25 * time.Second

// rig is a gateway route behind a door that plays the bridge, and a target the
// test plays.
type rig struct {
	t     *testing.T
	route *gateway.Route
	door  *httptest.Server
	up    *httptest.Server
	ended chan gateway.Ending
	log   *logBuffer

	mu      sync.Mutex
	seen    []*http.Request // what the target was asked
	choose  string          // subprotocol of the target
	serving sync.WaitGroup
	serve   func(c *message.Conn) // the target
	handler http.HandlerFunc      // the target's, in front of serve
	greeted func(*http.Request)   // between the 101 and Serve; nil: nothing
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

// echo is a target that says everything again, and answers a Close with its own.
func echo(c *message.Conn) {
	for {
		m, err := c.Read()
		if err != nil {
			code, _ := message.CloseCode(err)
			c.Close(code, "")
			return
		}
		c.Write(m)
	}
}

func newRig(t *testing.T, serve func(c *message.Conn), set func(*gateway.Route)) *rig {
	t.Helper()
	r := &rig{t: t, serve: serve, ended: make(chan gateway.Ending, 100), log: &logBuffer{}}
	r.up = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) { r.handler(w, q) }))
	to, err := target.ParseWebSocket("ws"+strings.TrimPrefix(r.up.URL, "http")+"/up?secret=1", target.Options{Timeout: patience})
	if err != nil {
		t.Fatal(err)
	}
	r.route = &gateway.Route{Name: "chat", Target: to, Log: slog.New(slog.NewTextHandler(r.log, nil)), EndTimeout: time.Second}
	if set != nil {
		set(r.route)
	}
	r.handler = r.target
	r.door = httptest.NewServer(http.HandlerFunc(r.bridge))
	t.Cleanup(func() {
		r.door.Close()
		r.up.Close()
		r.serving.Wait()
		if t.Failed() {
			t.Logf("log:\n%s", r.log)
		}
	})
	return r
}

// bridge does what the room of that name does with a service.
func (r *rig) bridge(w http.ResponseWriter, q *http.Request) {
	r.serving.Add(1)
	defer r.serving.Done()
	visit, err := r.route.Admit(q)
	if err != nil {
		refusal := err.(*gateway.Refusal)
		http.Error(w, refusal.Reason, refusal.Status)
		return
	}
	conn, early := upgraded(r.t, w, q, visit.Subprotocol())
	o := visit.Options()
	o.Early = early
	c := message.New(conn, o)
	r.serving.Go(func() {
		if r.greeted != nil {
			r.greeted(q)
		}
		end := visit.Serve(c)
		said := message.CloseError{Code: ws.StatusCode(end.Code), Reason: end.Reason}
		if end.Answer != nil {
			said = *end.Answer
		}
		if said.Code != 1006 {
			c.Close(said.Code, said.Reason)
		}
		c.Finish(time.Now().Add(time.Second))
		r.ended <- end
	})
}

func (r *rig) target(w http.ResponseWriter, q *http.Request) {
	r.serving.Add(1)
	defer r.serving.Done()
	r.mu.Lock()
	r.seen = append(r.seen, q)
	choose := r.choose
	r.mu.Unlock()
	conn, early := upgraded(r.t, w, q, choose)
	c := message.New(conn, message.Options{Early: early})
	r.serving.Go(func() {
		r.serve(c)
		c.Finish(time.Now().Add(time.Second))
	})
}

func upgraded(t *testing.T, w http.ResponseWriter, q *http.Request, subprotocol string) (net.Conn, []byte) {
	h := http.Header{}
	if subprotocol != "" {
		h["Sec-WebSocket-Protocol"] = []string{subprotocol}
	}
	q.Header.Del("Sec-WebSocket-Protocol")
	conn, rw, _, err := ws.HTTPUpgrader{Header: h}.Upgrade(q, w)
	if err != nil {
		t.Error(err)
		return conn, nil
	}
	early := make([]byte, rw.Reader.Buffered())
	io.ReadFull(rw, early)
	return conn, early
}

// asked is the nth request that the target got.
func (r *rig) asked(n int) *http.Request {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.seen[n]
}

// client is a client of the gateway.
type client struct {
	*message.Conn
	t  *testing.T
	up *target.Upgraded
}

func (r *rig) dial(path string, set func(*target.WebSocket)) (*client, error) {
	r.t.Helper()
	to, err := target.ParseWebSocket("ws"+strings.TrimPrefix(r.door.URL, "http")+path, target.Options{Timeout: patience})
	if err != nil {
		r.t.Fatal(err)
	}
	if set != nil {
		set(&to)
	}
	up, err := to.Dial(context.Background())
	if err != nil {
		return nil, err
	}
	up.Conn.SetReadDeadline(time.Now().Add(patience))
	c := &client{message.New(up.Conn, message.Options{FromServer: true, Early: up.Early}), r.t, up}
	r.t.Cleanup(c.Cut)
	return c, nil
}

func (r *rig) connect(path string, subprotocols ...string) *client {
	r.t.Helper()
	c, err := r.dial(path, func(to *target.WebSocket) { to.Subprotocols = subprotocols })
	if err != nil {
		r.t.Fatal(err)
	}
	return c
}

func (c *client) say(text string) {
	c.t.Helper()
	if err := c.Write(message.Message{Text: true, Data: []byte(text)}); err != nil {
		c.t.Fatal(err)
	}
}

// hear reads the next message, which is to be this text.
func (c *client) hear(want string) {
	c.t.Helper()
	m, err := c.Read()
	if err != nil || !m.Text || string(m.Data) != want {
		c.t.Fatalf("heard %q (text %v), %v; want %q", m.Data, m.Text, err, want)
	}
}

func (c *client) wantClose(code int, reason string) {
	c.t.Helper()
	m, err := c.Read()
	closed, ok := err.(*message.CloseError)
	if !ok || int(closed.Code) != code || !strings.Contains(closed.Reason, reason) {
		c.t.Errorf("%q, %v; want a Close with %d %q", m.Data, err, code, reason)
	}
	c.Close(ws.StatusCode(code), "")
}

func (r *rig) wantEnding(want gateway.Ending) {
	r.t.Helper()
	select {
	case got := <-r.ended:
		got.Dial, got.Answer = 0, nil
		if got != want {
			r.t.Errorf("ended %+v, want %+v", got, want)
		}
	case <-time.After(patience):
		r.t.Error("the session did not end")
	}
}

func pipeline(t *testing.T, stage string, steps ...string) *content.Pipeline {
	t.Helper()
	p, err := content.Compile(steps, content.Options{Stage: stage, StepTimeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return p
}
