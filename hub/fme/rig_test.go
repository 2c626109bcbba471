package fme

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"go.uber.org/goleak"

	"github.com/wsbridge/wsbridge/hub"
	"github.com/wsbridge/wsbridge/message"
)

// TestMain is a node of a hub, or a crowd of clients, when a test says so.
func TestMain(m *testing.M) {
	if crowd := os.Getenv(crowdOfTests); crowd != "" {
		runCrowd(crowd)
		return
	}
	if engine := os.Getenv(nodeOfTests); engine != "" {
		runNode(engine)
		return
	}
	goleak.VerifyTestMain(m)
}

// patienceOfTests is how long a test waits for what must happen.
const patienceOfTests = 20 * time.Second

// rig is a hub behind a listener, which does for it what the bridge does.
type rig struct {
	t       *testing.T
	service *Service
	server  *httptest.Server
	visits  sync.WaitGroup
}

// startRig serves a hub; nil: with the default options.
func startRig(t *testing.T, s *Service) *rig {
	t.Helper()
	if s == nil {
		s = &Service{}
	}
	return startRigWith(t, s, func(w http.ResponseWriter, req *http.Request) { serve(s, w, req) })
}

func startRigWith(t *testing.T, s *Service, handler http.HandlerFunc) *rig {
	t.Helper()
	if s.Hub == nil {
		s.Hub = &hub.Hub{}
	}
	if err := s.Hub.Start(); err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, service: s}
	r.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.visits.Add(1)
		defer r.visits.Done()
		handler(w, req)
	}))
	t.Cleanup(r.stop)
	return r
}

func (r *rig) stop() {
	r.server.Close()
	r.visits.Wait()
	r.service.Hub.Close()
}

// serve answers a request as the bridge does.
func serve(s *Service, w http.ResponseWriter, req *http.Request) {
	if req.Header.Get("Upgrade") == "" {
		s.ServeHTTP(w, req)
		return
	}
	if from := req.Header.Get("X-Test-From"); from != "" {
		req.RemoteAddr = from
	}
	visit, err := s.Admit(req)
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	conn, rw, _, err := ws.HTTPUpgrader{}.Upgrade(req, w)
	if err != nil {
		visit.Leave()
		return
	}
	o := visit.Options()
	o.Early = make([]byte, rw.Reader.Buffered())
	rw.Reader.Read(o.Early)
	carry(visit, message.New(conn, o))
}

// carry is what the bridge does after the handshake.
func carry(visit *Visit, c *message.Conn) Ending {
	end := visit.Serve(c)
	if end.Code != int(ws.StatusAbnormalClosure) {
		c.Close(ws.StatusCode(end.Code), end.Reason)
	}
	c.Finish(time.Now().Add(patienceOfTests))
	return end
}

// client is one WebSocket at the hub.
type client struct {
	*message.Conn
	t   *testing.T
	raw net.Conn
}

// dial connects; headers are "Name: value".
func (r *rig) dial(headers ...string) *client {
	r.t.Helper()
	return r.dialPath("/websocket", headers...)
}

func (r *rig) dialPath(path string, headers ...string) *client {
	r.t.Helper()
	return r.dialWith(path, message.Options{FromServer: true}, headers...)
}

func (r *rig) dialWith(path string, o message.Options, headers ...string) *client {
	r.t.Helper()
	return dial(r.t, r.server.Listener.Addr().String()+path, o, headers...)
}

// dial connects to a hub at host:port/path.
func dial(t *testing.T, address string, o message.Options, headers ...string) *client {
	t.Helper()
	h := http.Header{}
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		h.Set(name, value)
	}
	raw, br, _, err := ws.Dialer{Header: ws.HandshakeHeaderHTTP(h)}.Dial(context.Background(), "ws://"+address)
	if err != nil {
		t.Fatal(err)
	}
	if br != nil {
		o.Early = make([]byte, br.Buffered())
		br.Read(o.Early)
	}
	c := &client{message.New(raw, o), t, raw}
	t.Cleanup(c.Cut)
	c.Expect(time.Now().Add(patienceOfTests))
	return c
}

func (c *client) say(text string) {
	c.t.Helper()
	if err := c.Write(message.Message{Text: true, Data: []byte(text)}); err != nil {
		c.t.Fatalf("say %.80s: %v", text, err)
	}
}

// hear returns the next message, which must be text.
func (c *client) hear() string {
	c.t.Helper()
	m, err := c.Read()
	if err != nil {
		c.t.Fatal(err)
	}
	if !m.Text {
		c.t.Fatalf("heard a binary message: %q", m.Data)
	}
	return string(m.Data)
}

func (c *client) wantHear(want string) {
	c.t.Helper()
	if got := c.hear(); got != want {
		c.t.Fatalf("heard %.200q, want %.200q", got, want)
	}
}

// nothing fences: all that was said before was done, and nothing was heard.
func (c *client) nothing() {
	c.t.Helper()
	c.say(`{"ws_op":"admin","ws_msg":"getnumchannels()"}`)
	if got := c.hear(); !strings.HasPrefix(got, `{"numchannels":`) {
		c.t.Fatalf("heard %.200q where nothing was to be heard", got)
	}
}

// wantFault wants an error frame with the code, and returns its text.
func (c *client) wantFault(code string) string {
	c.t.Helper()
	got := c.hear()
	text, ok := strings.CutPrefix(got, `{"ws_op":"error","ws_code":"`+code+`","ws_msg":"`)
	if !ok {
		c.t.Fatalf("heard %.200q, want an error frame with code %s", got, code)
	}
	return strings.TrimSuffix(text, `"}`)
}

// wantClose wants the hub to end the connection, and reads what comes before.
func (c *client) wantClose(code ws.StatusCode, reason string) {
	c.t.Helper()
	for {
		_, err := c.Read()
		if err == nil {
			continue
		}
		closed, ok := err.(*message.CloseError)
		if !ok || closed.Code != code || !strings.Contains(closed.Reason, reason) {
			c.t.Fatalf("ended with %v, want %d %s", err, code, reason)
		}
		return
	}
}

// opened is a client with streams open; its fence was answered.
func (r *rig) opened(ids ...string) *client {
	r.t.Helper()
	return r.dial().open(ids...)
}

func (c *client) open(ids ...string) *client {
	c.t.Helper()
	c.say(`{"ws_op":"open","ws_stream_ids":["` + strings.Join(ids, `","`) + `"]}`)
	c.nothing()
	return c
}

// send sends a text that needs no escapes.
func (c *client) send(text string) {
	c.t.Helper()
	c.say(`{"ws_op":"send","ws_msg":"` + text + `"}`)
}

// eventually waits until ok.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patienceOfTests); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v for %s", patienceOfTests, what)
		}
	}
}
