package admin

import (
	"cmp"
	"encoding/json"
	"net/http"
	"runtime/metrics"
	"slices"
	"sync"
	"time"

	"github.com/wsbridge/wsbridge/web/pages"
)

const (
	statusFresh = 500 * time.Millisecond // one look serves all who watch
	maxRows     = 500                    // of the status page's table: the newest
)

// latest is the last look at the bridge.
type latest struct {
	mu     sync.Mutex
	at     time.Time
	status pages.Status
}

// feed is what the status page reads: a stream of /events, and DELETE of
// /sessions/ID.
type feed struct{ *Admin }

// Status is shared by its callers, who only read it.
func (f feed) Status() pages.Status {
	l := &f.latest
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.at.IsZero() || time.Since(l.at) >= statusFresh {
		l.at = time.Now()
		l.status = f.look(l.at)
	}
	return l.status
}

// Kill ends a session, and logs it.
func (f feed) Kill(id string) bool {
	killed := f.Bridge.Kill(id)
	if killed {
		f.log().Info("session ended by the administrator", "id", id)
	}
	return killed
}

// look asks the bridge.
func (f feed) look(now time.Time) pages.Status {
	live, totals := f.sorted(), f.Bridge.Totals()
	s := pages.Status{
		Time: now, Version: f.Version, Uptime: now.Sub(f.started).Seconds(),
		Sessions: len(live), Connects: totals.Sessions, ToTarget: totals.ToTarget, ToClient: totals.ToClient,
		Refused: map[string]int{}, RTT: milliseconds(median(live)), Memory: memory(), Table: []pages.Session{},
	}
	for reason, n := range f.reasons.bound(totals.Refused) {
		s.Refused[reason] = int(n)
	}
	for _, session := range live[max(0, len(live)-maxRows):] {
		s.Table = append(s.Table, row(session))
	}
	return s
}

// sorted are the live sessions, the oldest first.
func (a *Admin) sorted() []Session {
	return slices.SortedFunc(slices.Values(a.Bridge.Sessions()), func(x, y Session) int {
		return cmp.Or(x.Start.Compare(y.Start), cmp.Compare(x.ID, y.ID))
	})
}

func row(s Session) pages.Session {
	return pages.Session{
		ID: s.ID, Client: s.Client, User: s.User, Target: s.Target, Path: s.Path,
		Since: s.Start, ToTarget: s.ToTarget, ToClient: s.ToClient,
	}
}

// median is that of the round trips that are known; 0: none is.
func median(sessions []Session) time.Duration {
	var known []time.Duration
	for _, s := range sessions {
		if s.RTT > 0 {
			known = append(known, s.RTT)
		}
	}
	if len(known) == 0 {
		return 0
	}
	slices.Sort(known)
	return known[len(known)/2]
}

func milliseconds(d time.Duration) float64 { return d.Seconds() * 1000 }

// memory is what the process holds of the system's, in bytes.
func memory() int64 {
	s := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(s)
	return int64(s[0].Value.Uint64() - s[1].Value.Uint64())
}

// session is one of /sessions: a row of the status page, and what has no room
// there.
type session struct {
	pages.Session
	Subprotocol string  `json:"subprotocol,omitempty"`
	HTTP        int     `json:"http,omitempty"`
	RTT         float64 `json:"rtt_ms,omitempty"`
}

// sessions lists all that live.
func (a *Admin) sessions(w http.ResponseWriter, _ *http.Request) {
	all := []session{}
	for _, s := range a.sorted() {
		all = append(all, session{row(s), s.Subprotocol, s.HTTP, milliseconds(s.RTT)})
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]any{"sessions": all})
}
