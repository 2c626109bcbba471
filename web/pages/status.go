package pages

import (
	"encoding/json"
	"net/http"
	"time"
)

const (
	maxViewers   = 32               // event streams at a time
	eventTimeout = 10 * time.Second // for a viewer to take one event
)

// Feed has the numbers that the status page draws, and ends sessions. It is
// asked from several goroutines at a time.
type Feed interface {
	// Status is the bridge as it is now.
	Status() Status
	// Kill ends the session that Status calls id; false if there is none.
	Kill(id string) bool
}

// Status is a bridge at one moment. What counts, counts from its start.
type Status struct {
	Time     time.Time      `json:"time"`
	Version  string         `json:"version"`
	Uptime   float64        `json:"uptime"`    // seconds
	Sessions int            `json:"sessions"`  // live
	Connects int64          `json:"connects"`  // sessions there have been
	ToTarget int64          `json:"to_target"` // bytes
	ToClient int64          `json:"to_client"` // bytes
	Refused  map[string]int `json:"refused"`   // by reason
	RTT      float64        `json:"rtt_ms"`    // of pings to clients; 0: not known
	Memory   int64          `json:"memory"`    // bytes
	Table    []Session      `json:"table"`
}

// Session is one row of the status page.
type Session struct {
	ID       string    `json:"id"` // for Kill; no slash
	Client   string    `json:"client"`
	User     string    `json:"user,omitempty"`
	Target   string    `json:"target"`
	Path     string    `json:"path"`
	Since    time.Time `json:"since"`
	ToTarget int64     `json:"to_target"` // bytes
	ToClient int64     `json:"to_client"` // bytes
}

// status serves a Feed: as server-sent events, and sessions to be deleted.
type status struct {
	feed    Feed
	every   time.Duration
	done    <-chan struct{}
	viewers chan struct{} // one in it for each stream
}

func newStatus(o Options) *status {
	s := &status{o.Feed, o.Every, o.Done, make(chan struct{}, maxViewers)}
	if s.every <= 0 {
		s.every = time.Second
	}
	return s
}

func (s *status) handle(mux *http.ServeMux) {
	events, kill := s.events, s.kill
	if s.feed == nil {
		events = absent("the bridge's numbers are not shown here")
		kill = events
	}
	mux.HandleFunc("GET /events", events)
	mux.HandleFunc("DELETE /sessions/{id}", kill)
}

func (s *status) kill(w http.ResponseWriter, r *http.Request) {
	if !s.feed.Kill(r.PathValue("id")) {
		http.Error(w, "no such session: it has ended", http.StatusNotFound)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// events streams the feed until the viewer leaves or the pages are done.
func (s *status) events(w http.ResponseWriter, r *http.Request) {
	select {
	case s.viewers <- struct{}{}:
		defer func() { <-s.viewers }()
	default:
		http.Error(w, "too many people look at this: close another page of it", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no") // nginx would gather events
	tick := time.NewTicker(s.every)
	defer tick.Stop()
	for s.event(w) == nil {
		select {
		case <-tick.C:
		case <-s.done:
			return
		case <-r.Context().Done():
			return
		}
	}
}

// event sends one event.
func (s *status) event(w http.ResponseWriter) error {
	body, err := json.Marshal(s.feed.Status())
	if err != nil {
		return err
	}
	control := http.NewResponseController(w)
	control.SetWriteDeadline(time.Now().Add(eventTimeout)) // best effort: not all writers have one
	message := append([]byte("data: "), body...)
	if _, err := w.Write(append(message, "\n\n"...)); err != nil {
		return err
	}
	return control.Flush()
}
