package admin

import (
	"context"
	"net/http"
	"sync"
	"time"
)

const (
	livePath     = "/livez"
	readyPath    = "/readyz"
	readyTimeout = 3 * time.Second
	readyFresh   = time.Second
)

// live says that the process answers.
func (a *Admin) live(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "live") }

// ready says whether new sessions are welcome. Why not may tell of targets: not
// to strangers.
func (a *Admin) ready(w http.ResponseWriter, r *http.Request) {
	if a.Bridge.Draining() {
		say(w, http.StatusServiceUnavailable, "not ready: draining")
		return
	}
	if a.Bridge.Shedding() > 0 {
		say(w, http.StatusServiceUnavailable, "not ready: short of memory")
		return
	}
	if err := a.health.ask(a.Ready); err != nil {
		line := "not ready"
		if a.visitor(r) != stranger {
			line += ": " + err.Error()
		}
		say(w, http.StatusServiceUnavailable, line)
		return
	}
	say(w, http.StatusOK, "ready")
}

// health keeps an answer for a second: who asks often shall not make the bridge
// dial often.
type health struct {
	mu    sync.Mutex
	asked time.Time
	err   error
}

// ask has no context of its own, since others get the answer too.
func (h *health) ask(ready func(context.Context) error) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if ready == nil || time.Since(h.asked) < readyFresh {
		return h.err
	}
	ctx, cancel := context.WithTimeout(context.Background(), readyTimeout)
	defer cancel()
	h.err = ready(ctx)
	h.asked = time.Now()
	return h.err
}
