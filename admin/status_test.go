package admin

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/wsbridge/wsbridge/web/pages"
)

// watch opens the event stream, which the test ends.
func watch(t *testing.T, url string) (*http.Response, *bufio.Scanner) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, "GET", url+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	if kind := resp.Header.Get("Content-Type"); kind != "text/event-stream" {
		t.Fatalf("%s, Content-Type %q", resp.Status, kind)
	}
	return resp, bufio.NewScanner(resp.Body)
}

// next reads one event, strictly. False: the stream has ended.
func next(t *testing.T, events *bufio.Scanner) (s pages.Status, ok bool) {
	t.Helper()
	for events.Scan() {
		data, ok := strings.CutPrefix(events.Text(), "data: ")
		if !ok {
			continue
		}
		d := json.NewDecoder(strings.NewReader(data))
		d.DisallowUnknownFields()
		if err := d.Decode(&s); err != nil {
			t.Fatal(err)
		}
		return s, true
	}
	return s, false
}

// A person watches the bridge while sessions come and go, and is told when the
// bridge goes.
func TestEvents(t *testing.T) {
	bridge := busy()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	stop := serve(t, &Admin{Bridge: bridge, Version: "1.2.3"}, l)
	_, events := watch(t, "http://"+l.Addr().String())
	got, _ := next(t, events)
	want := pages.Status{
		Version: "1.2.3", Sessions: 2, Connects: 4, ToTarget: 111, ToClient: 2300, RTT: 8,
		Refused: map[string]int{"unknown token": 2, "too many sessions": 1},
		Table: []pages.Session{
			{ID: "a1", Client: "192.0.2.7:1", User: "ada", Target: "127.0.0.1:5900", Path: "/a", Since: testStart, ToTarget: 100, ToClient: 2000},
			{ID: "b2", Client: "192.0.2.8:2", Target: "127.0.0.1:23", Path: "/b", Since: testStart.Add(time.Minute)},
		},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(pages.Status{}, "Time", "Uptime", "Memory")); diff != "" {
		t.Errorf("event (-want +got):\n%s", diff)
	}
	if got.Time.IsZero() || got.Memory < 1<<20 {
		t.Errorf("time %v, memory %d", got.Time, got.Memory)
	}
	bridge.carry("b2", 5, 6)
	bridge.end("a1", 1000, "target")
	for got.Sessions != 1 || got.ToTarget != 116 || got.ToClient != 2306 || len(got.Table) != 1 || got.Table[0].ToClient != 6 {
		var ok bool
		if got, ok = next(t, events); !ok {
			t.Fatalf("the stream has ended: %v", events.Err())
		}
	}
	stop()
	for ok := true; ok; {
		_, ok = next(t, events)
	}
	if err := events.Err(); err != nil {
		t.Errorf("the stream ends with %v", err)
	}
}

// Who comes and goes leaves nothing: room stays for others, and TestMain finds
// no goroutine.
func TestViewersLeave(t *testing.T) {
	url := start(t, &Admin{Bridge: busy()})
	for range 100 {
		for deadline := time.Now().Add(patience); ; { // the last one's place may take a moment to be free
			resp, err := http.Get(url + "/events")
			if err != nil {
				t.Fatal(err)
			}
			status := resp.StatusCode
			if status == 200 {
				if _, ok := next(t, bufio.NewScanner(resp.Body)); !ok {
					t.Fatal("no event")
				}
			}
			resp.Body.Close()
			if status == 200 {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%d, although the others have left", status)
			}
		}
	}
}

// With more sessions than a page can show, it shows the newest and counts all;
// the list has all.
func TestManySessions(t *testing.T) {
	bridge := newFake()
	for i := range 2*maxRows + 1 {
		bridge.begin(Session{ID: fmt.Sprint(i), Start: testStart.Add(time.Duration(i) * time.Second)})
	}
	url := start(t, &Admin{Bridge: bridge})
	_, events := watch(t, url)
	got, _ := next2(t, events)
	if got.Sessions != 2*maxRows+1 || len(got.Table) != maxRows || got.Table[maxRows-1].ID != fmt.Sprint(2*maxRows) {
		t.Errorf("%d sessions, %d rows", got.Sessions, len(got.Table))
	}
	if all := list(t, url); len(all) != 2*maxRows+1 || all[0].ID != "0" {
		t.Errorf("%d in the list", len(all))
	}
}

// next2 is next for events of any size.
func next2(t *testing.T, events *bufio.Scanner) (pages.Status, bool) {
	events.Buffer(nil, 1<<20)
	return next(t, events)
}

func list(t *testing.T, url string) []session {
	t.Helper()
	said := ask(t, "GET", url+"/sessions")
	if kind := said.header.Get("Content-Type"); said.status != 200 || kind != "application/json" {
		t.Fatalf("%d, Content-Type %q", said.status, kind)
	}
	var all struct{ Sessions []session }
	if err := json.Unmarshal([]byte(said.body), &all); err != nil {
		t.Fatal(err)
	}
	return all.Sessions
}

// An administrator looks for a session, ends it, and ends it again.
func TestKill(t *testing.T) {
	bridge, log := busy(), &log{}
	url := start(t, &Admin{Bridge: bridge, Log: log.logger()})
	want := []session{
		{pages.Session{ID: "a1", Client: "192.0.2.7:1", User: "ada", Target: "127.0.0.1:5900", Path: "/a", Since: testStart, ToTarget: 100, ToClient: 2000}, "binary", 0, 0},
		{pages.Session{ID: "b2", Client: "192.0.2.8:2", Target: "127.0.0.1:23", Path: "/b", Since: testStart.Add(time.Minute)}, "", 2, 8},
	}
	if diff := cmp.Diff(want, list(t, url)); diff != "" {
		t.Errorf("sessions (-want +got):\n%s", diff)
	}
	if got := ask(t, "DELETE", url+"/sessions/a1"); got.status != 204 {
		t.Errorf("%d %s", got.status, got.body)
	}
	if diff := cmp.Diff(want[1:], list(t, url)); diff != "" {
		t.Errorf("sessions after it (-want +got):\n%s", diff)
	}
	if got := ask(t, "DELETE", url+"/sessions/a1"); got.status != 404 || !strings.Contains(got.body, "it has ended") {
		t.Errorf("again: %d %s", got.status, got.body)
	}
	if n := strings.Count(log.String(), `msg="session ended by the administrator" id=a1`); n != 1 {
		t.Errorf("log has it %d times: %s", n, log)
	}
	if closed := bridge.Totals().Closed[CloseKey{1001, "bridge"}]; closed != 1 {
		t.Errorf("%d sessions were ended", closed)
	}
}

// No session is an empty list, not null.
func TestNoSessions(t *testing.T) {
	url := start(t, &Admin{Bridge: newFake()})
	if got := ask(t, "GET", url+"/sessions").body; got != "{\"sessions\":[]}\n" {
		t.Errorf("%q", got)
	}
}

func TestStatusPageIsThere(t *testing.T) {
	url := start(t, &Admin{Bridge: newFake()})
	if got := ask(t, "GET", url+"/offers.json"); !strings.Contains(got.body, `"status.html"`) {
		t.Errorf("the start page does not lead to it: %s", got.body)
	}
}

func TestProfiles(t *testing.T) {
	url := start(t, &Admin{Bridge: newFake()})
	for _, c := range []struct {
		path   string
		status int
		has    string
	}{
		{"/debug/pprof/", 200, "goroutine"},
		{"/debug/pprof/goroutine?debug=1", 200, "goroutine profile: total"},
		{"/debug/pprof/heap", 200, "\x1f\x8b"},
		{"/debug/pprof/none", 404, "Unknown profile"},
		{"/debug/pprof/cmdline", 403, "secrets"},
		{"/debug/pprof/profile?seconds=61", 400, "from 1 to 60"},
		{"/debug/pprof/profile?seconds=NaN", 400, "from 1 to 60"},
		{"/debug/pprof/trace?seconds=0", 400, "from 1 to 60"},
		{"/debug/pprof/heap?seconds=-1", 400, "from 1 to 60"},
		{"/debug/pprof/heap?seconds=x", 400, "from 1 to 60"},
		{"/debug/pprof/trace?seconds=0.01", 200, "go 1."},
	} {
		if got := ask(t, "GET", url+c.path); got.status != c.status || !strings.Contains(got.body, c.has) {
			t.Errorf("%s: %d %.200q", c.path, got.status, got.body)
		}
	}
}
