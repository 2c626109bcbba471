package admin

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testToken = "0123456789abcdef0123"

// patience is how long a test waits for what must happen.
const patience = 30 * time.Second

var testStart = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// fake is a bridge whose sessions are what a test says.
type fake struct {
	mu       sync.Mutex
	live     map[string]*Session
	totals   Totals
	draining bool
	shedding int
}

func newFake() *fake {
	return &fake{live: map[string]*Session{}, totals: Totals{Refused: map[string]int64{}, Closed: map[CloseKey]int64{}}}
}

func (f *fake) begin(s Session) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.live[s.ID] = &s
	f.totals.Sessions++
}

func (f *fake) carry(id string, toTarget, toClient int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.live[id].ToTarget += toTarget
	f.live[id].ToClient += toClient
	f.totals.ToTarget += toTarget
	f.totals.ToClient += toClient
}

func (f *fake) end(id string, code int, by string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.live[id] == nil {
		return false
	}
	delete(f.live, id)
	f.totals.Closed[CloseKey{code, by}]++
	return true
}

func (f *fake) refuse(reason string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.totals.Refused[reason]++
}

func (f *fake) drain() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.draining = true
}

func (f *fake) Sessions() (all []Session) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.live {
		all = append(all, *s)
	}
	return all
}

func (f *fake) Kill(id string) bool { return f.end(id, 1001, "bridge") }

func (f *fake) Totals() Totals {
	f.mu.Lock()
	defer f.mu.Unlock()
	t := f.totals
	t.Refused, t.Closed = maps.Clone(t.Refused), maps.Clone(t.Closed)
	return t
}

func (f *fake) Draining() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.draining
}

func (f *fake) Shedding() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.shedding
}

func (f *fake) shed(what int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.shedding = what
}

// busy is a bridge after some traffic: two sessions live, two have ended.
func busy() *fake {
	f := newFake()
	f.begin(Session{ID: "b2", Client: "192.0.2.8:2", Target: "127.0.0.1:23", Path: "/b", Start: testStart.Add(time.Minute), HTTP: 2, RTT: 8 * time.Millisecond})
	f.begin(Session{ID: "a1", Client: "192.0.2.7:1", User: "ada", Target: "127.0.0.1:5900", Path: "/a", Subprotocol: "binary", Start: testStart})
	f.begin(Session{ID: "c3"})
	f.begin(Session{ID: "d4"})
	f.carry("a1", 100, 2000)
	f.carry("c3", 11, 300)
	f.end("c3", 1000, "target")
	f.end("d4", 4711, "client")
	f.refuse("unknown token")
	f.refuse("unknown token")
	f.refuse("too many sessions")
	return f
}

// log is a log that may be read while it is written.
type log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *log) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// start serves a on loopback and returns its URL. That it stops well is part of
// every test.
func start(t *testing.T, a *Admin) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serve(t, a, l)
	return "http://" + l.Addr().String()
}

// serve serves a until the test ends; stop does it earlier.
func serve(t *testing.T, a *Admin, l net.Listener) (stop func()) {
	t.Helper()
	if a.Log == nil {
		a.Log = slog.New(slog.DiscardHandler)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Serve(ctx, l) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		stop()
	})
	return stop
}

// answer is what a test looks at.
type answer struct {
	status int
	header http.Header
	body   string
}

// ask sends a request with header lines "Name: value"; Host is one of them.
// It follows no redirect.
func ask(t *testing.T, method, url string, header ...string) answer {
	t.Helper()
	return send(t, http.DefaultClient, method, url, "", header...)
}

func send(t *testing.T, client *http.Client, method, url, body string, header ...string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		if r.Header.Add(name, value); name == "Host" {
			r.Host = value
		}
	}
	resp, err := (&http.Client{Transport: client.Transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	said, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(said)}
}

// bearer is a header line.
func bearer(token string) string { return "Authorization: Bearer " + token }

// with is lines and one more.
func with(lines []string, line string) []string { return append(slices.Clone(lines), line) }
