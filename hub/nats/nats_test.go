package nats

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patienceOfTests = 20 * time.Second

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patienceOfTests); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v for %s", patienceOfTests, what)
		}
	}
}

// serve runs a NATS server; port 0: any.
func serve(t *testing.T, o server.Options) *server.Server {
	t.Helper()
	o.Host, o.NoSigs, o.NoLog = "127.0.0.1", true, true
	if o.Port == 0 {
		o.Port = server.RANDOM_PORT
	}
	s, err := server.NewServer(&o)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(patienceOfTests) {
		t.Fatal("the NATS server is not ready")
	}
	return s
}

func address(s *server.Server) string { return "nats://" + s.Addr().String() }

// logBuffer is a log that tests read.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
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

// node is an engine and what it received.
type node struct {
	*Engine
	log *logBuffer
	mu  sync.Mutex
	got []string
}

func start(t *testing.T, e *Engine) *node {
	t.Helper()
	n := &node{Engine: e, log: &logBuffer{}}
	e.Log = slog.New(slog.NewTextHandler(n.log, nil))
	if err := e.Start(n.receive); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return n
}

func (n *node) receive(subject string, data []byte, answer func([]byte) error) {
	if answer != nil {
		answer([]byte("answer to " + string(data)))
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.got = append(n.got, subject+" "+string(data))
}

func (n *node) all() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]string{}, n.got...)
}

// subscribe waits until the server knows.
func (n *node) subscribe(t *testing.T, subjects ...string) {
	t.Helper()
	for _, subject := range subjects {
		if err := n.Subscribe(subject); err != nil {
			t.Fatal(err)
		}
	}
	if err := n.conn.Flush(); err != nil {
		t.Fatal(err)
	}
}

// TestOrderOverSubjects: what one engine publishes on many subjects arrives at
// another as one sequence, and not at itself, nor at other hubs.
func TestOrderOverSubjects(t *testing.T) {
	s := serve(t, server.Options{})
	from, to, other := start(t, &Engine{URL: address(s)}), start(t, &Engine{URL: address(s)}), start(t, &Engine{URL: address(s), Hub: "other"})
	var subjects, want []string
	for i := range 20 {
		subjects = append(subjects, fmt.Sprintf("s.%d", i))
	}
	for _, n := range []*node{from, to, other} {
		n.subscribe(t, subjects...)
	}
	for i := range 2000 {
		subject := subjects[i*7%20]
		want = append(want, fmt.Sprintf("%s %d", subject, i))
		if err := from.Publish(subject, []byte(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "all to arrive", func() bool { return len(to.all()) == len(want) })
	if diff := cmp.Diff(want, to.all()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if len(from.all())+len(other.all()) > 0 {
		t.Errorf("the sender heard %v, another hub %v", from.all(), other.all())
	}
	if err := to.Unsubscribe(subjects[0]); err != nil {
		t.Fatal(err)
	}
	to.conn.Flush()
	from.Publish(subjects[0], []byte("nobody"))
	from.Publish(subjects[1], []byte("somebody"))
	eventually(t, "the last", func() bool { return len(to.all()) > len(want) })
	if got := to.all(); got[len(got)-1] != "s.1 somebody" {
		t.Errorf("heard %s", got[len(got)-1])
	}
}

func TestAsk(t *testing.T) {
	s := serve(t, server.Options{})
	asker, a, b := start(t, &Engine{URL: address(s)}), start(t, &Engine{URL: address(s)}), start(t, &Engine{URL: address(s)})
	for _, n := range []*node{asker, a, b} {
		n.subscribe(t, "ask")
	}
	answers := 0
	err := asker.Ask(t.Context(), "ask", []byte("q"), func(answer []byte) bool {
		if string(answer) != "answer to q" {
			t.Errorf("answer %q", answer)
		}
		answers++
		return answers == 2
	})
	if err != nil || answers != 2 {
		t.Errorf("%d answers, %v", answers, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if err := asker.Ask(ctx, "ask", []byte("q"), func([]byte) bool { cancel(); return false }); err != nil {
		t.Errorf("asking until the end: %v", err)
	}
}

// TestLossAndReturn of the server: nothing is replayed, subscriptions hold.
func TestLossAndReturn(t *testing.T) {
	s := serve(t, server.Options{})
	from, to := start(t, &Engine{URL: address(s)}), start(t, &Engine{URL: address(s)})
	to.subscribe(t, "s.a")
	from.Publish("s.a", []byte("1"))
	eventually(t, "the first", func() bool { return len(to.all()) == 1 })

	port := s.Addr().(*net.TCPAddr).Port
	s.Shutdown()
	s.WaitForShutdown()
	eventually(t, "the loss to be seen", func() bool { return !from.Up() && !to.Up() })
	if err := from.Publish("s.a", []byte("lost")); err == nil {
		t.Error("a message is kept")
	}
	serve(t, server.Options{Port: port})
	eventually(t, "both to be back", func() bool { return from.Up() && to.Up() })
	to.conn.Flush()
	from.Publish("s.a", []byte("2"))
	eventually(t, "the second", func() bool { return len(to.all()) == 2 })
	if diff := cmp.Diff([]string{"s.a 1", "s.a 2"}, to.all()); diff != "" {
		t.Error(diff)
	}
	for _, words := range []string{"hub engine connected", "hub engine lost"} {
		if !strings.Contains(from.log.String(), words) {
			t.Errorf("the log has no %q:\n%s", words, from.log)
		}
	}
}

// TestAServerThatComesLater is waited for.
func TestAServerThatComesLater(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	early := start(t, &Engine{URL: fmt.Sprintf("nats://user:secret@127.0.0.1:%d", port)})
	if err := early.Subscribe("s.a"); err != nil || early.Up() {
		t.Fatalf("up %v, %v", early.Up(), err)
	}
	s := serve(t, server.Options{Port: port})
	eventually(t, "the connection", early.Up)
	early.conn.Flush()
	late := start(t, &Engine{URL: address(s)})
	late.Publish("s.a", []byte("hello"))
	eventually(t, "the message", func() bool { return len(early.all()) == 1 })
	if strings.Contains(early.log.String(), "secret") {
		t.Errorf("the password is in the log:\n%s", early.log)
	}
}

func TestWhatCannotStart(t *testing.T) {
	s := serve(t, server.Options{MaxPayload: 1000})
	for _, c := range []struct {
		engine *Engine
		want   string
	}{
		{&Engine{URL: address(s), Hub: "a", Message: 1001}, "takes 1000 bytes in a message and the hub needs 1001: raise max_payload"},
		{&Engine{URL: address(s), Hub: "a.b"}, "no dot"},
		{&Engine{URL: "nats://127.0.0.1:port", Hub: "a"}, "hub engine"},
	} {
		err := c.engine.Start(nil)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q in it", err, c.want)
		}
	}
	if n := start(t, &Engine{URL: address(s), Message: 1000}); n.MaxBytes() != 1000 {
		t.Errorf("MaxBytes %d", n.MaxBytes())
	}
}

// TestAFullInboxMissesTheNewest and says so, once in a while.
func TestAFullInboxMissesTheNewest(t *testing.T) {
	log := &logBuffer{}
	i := &inbox{log: slog.New(slog.NewTextHandler(log, nil))}
	i.more = sync.NewCond(&i.mu)
	for range 80 {
		i.add(&nats.Msg{Data: make([]byte, 1<<20)})
	}
	if i.missed != 16 || len(i.waiting) != 64 || strings.Count(log.String(), "messages are missed") != 1 {
		t.Errorf("%d missed, %d wait, log:\n%s", i.missed, len(i.waiting), log)
	}
}
