package pages

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// watch opens an event stream.
func watch(t *testing.T, url string) (*http.Response, *bufio.Scanner) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", url+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { answer.Body.Close() })
	return answer, bufio.NewScanner(answer.Body)
}

// next is the next event as it is; nil at the stream's end.
func next(t *testing.T, events *bufio.Scanner) map[string]any {
	t.Helper()
	for events.Scan() {
		data, ok := strings.CutPrefix(events.Text(), "data: ")
		if !ok {
			continue
		}
		var event map[string]any
		if err := json.Unmarshal([]byte(data), &event); err != nil {
			t.Fatal(err)
		}
		return event
	}
	return nil
}

func TestEvents(t *testing.T) {
	done := make(chan struct{})
	s := httptest.NewServer(New(Options{Feed: newSample(), Every: time.Millisecond, Done: done}))
	t.Cleanup(s.Close)
	answer, events := watch(t, s.URL)
	if kind := answer.Header.Get("Content-Type"); kind != "text/event-stream" {
		t.Errorf("Content-Type %q", kind)
	}
	got := next(t, events)
	delete(got, "table")
	want := map[string]any{
		"time": "2026-01-02T03:04:06Z", "version": "1.2.3", "uptime": 3601.0, "sessions": 3.0, "connects": 3.0,
		"to_target": 2048.0, "to_client": float64(1 << 20), "rtt_ms": 12.5, "memory": float64(24 << 20),
		"refused": map[string]any{"token is unknown": 41.0, "too many sessions": 7.0, "origin is not allowed": 0.0},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("event (-want +got):\n%s", diff)
	}
	row := next(t, events)["table"].([]any)[0]
	wantRow := map[string]any{
		"id": "a1", "client": "192.0.2.7:50112", "user": "ada", "target": "127.0.0.1:5900", "path": "/vnc",
		"since": "2026-01-02T03:04:05Z", "to_target": 4096.0, "to_client": float64(7 << 20),
	}
	if diff := cmp.Diff(wantRow, row); diff != "" {
		t.Errorf("row (-want +got):\n%s", diff)
	}
	close(done)
	for next(t, events) != nil { // until the stream ends
	}
	if err := events.Err(); err != nil {
		t.Errorf("the stream ends with %v", err)
	}
}

// Viewers are counted, and who leaves makes room.
func TestTooManyViewers(t *testing.T) {
	s := httptest.NewServer(New(Options{Feed: newSample(), Every: time.Hour}))
	t.Cleanup(s.Close)
	var all []*http.Response
	for range maxViewers {
		answer, events := watch(t, s.URL)
		if next(t, events) == nil {
			t.Fatal("no event")
		}
		all = append(all, answer)
	}
	answer, _ := watch(t, s.URL)
	if answer.StatusCode != 503 {
		t.Errorf("one too many: %d", answer.StatusCode)
	}
	all[0].Body.Close()
	for end := time.Now().Add(time.Minute); answer.StatusCode != 200; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("nobody takes the place of who has left")
		}
		answer.Body.Close()
		answer, _ = watch(t, s.URL)
	}
}

// A viewer who leaves leaves nothing behind.
func TestViewerLeaves(t *testing.T) {
	ctx, leave := context.WithCancel(t.Context())
	s := newStatus(Options{Feed: newSample(), Every: time.Hour})
	ended := make(chan struct{})
	w := httptest.NewRecorder()
	go func() {
		defer close(ended)
		s.events(w, httptest.NewRequestWithContext(ctx, "GET", "/events", nil))
	}()
	leave()
	<-ended
	if len(s.viewers) != 0 {
		t.Errorf("%d viewers are left", len(s.viewers))
	}
}
