package bridge

import (
	"sync"
	"time"
)

// watch looks after a session's silence: it pings the client, and it ends a
// session whose client answers no ping or that carries nothing at all.
type watch struct {
	s            *session
	by           watched
	every, limit time.Duration // Heartbeat, SessionIdle

	mu        sync.Mutex // guards all below
	over      bool
	taken     int64 // bytes that the client's system took, at the last ping
	heartbeat alarm
	heard     int64 // at the last ping
	unheard   int   // pings in a row without a byte from the client
	idle      alarm
	carried   int64 // at the last look
	looks     int   // looks in a row that found nothing carried
}

// idleLooks is how many times SessionIdle is looked at: an idle session ends
// at most one part in idleLooks late.
const idleLooks = 8

// alarm is a time.Timer, or one of a loop's.
type alarm interface {
	Reset(time.Duration) bool
	Stop() bool
}

// watched is a session to its watch, by whom it is carried.
type watched interface {
	ping() bool   // false: the ping before it still waits
	acked() int64 // bytes that the client's system took; 0: not known
	afterFunc(time.Duration, func()) alarm
}

// pumped is a session that goroutines carry.
type pumped struct{ s *session }

func (p pumped) ping() bool                              { return p.s.out.SendPing() }
func (p pumped) acked() int64                            { return ackedBy(p.s.client) }
func (pumped) afterFunc(d time.Duration, f func()) alarm { return time.AfterFunc(d, f) }

// startWatch is nil, which can be stopped too, when there is nothing to watch.
func startWatch(s *session, by watched) *watch {
	rules := s.server.now()
	every := rules.Heartbeat
	if s.mode.hixie() {
		every = 0 // there are no pings
	}
	if every == 0 && rules.SessionIdle == 0 {
		return nil
	}
	w := &watch{s: s, by: by, every: every, limit: rules.SessionIdle}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.every > 0 {
		w.heartbeat = by.afterFunc(w.every, w.beat)
	}
	if w.limit > 0 {
		w.idle = by.afterFunc(w.limit/idleLooks, w.look)
	}
	return w
}

// pingsTake is more than what pings alone make a client's system acknowledge
// from one to the next, whatever they are wrapped in, those of HTTP/2 included.
const pingsTake = 256

// beat counts only pings the client could have answered: one that waits behind
// megabytes that the client is taking, here or in the system, or whose answer
// waits behind a slow target, does not count. One that cannot be sent because the
// client's system has taken no more than that since the last does: a client that
// is gone may never let it through.
func (w *watch) beat() {
	w.mu.Lock()
	defer w.mu.Unlock()
	heard, taken := w.s.heard.Load(), w.by.acked()
	takes, held := taken-w.taken > pingsTake, w.s.writing.Load()
	if heard != w.heard || takes || held {
		w.heard, w.unheard = heard, 0
	}
	stuck := taken > 0 && !takes && !held
	w.taken = taken
	if w.unheard == 2 {
		w.s.stop(endHeartbeat)
		return
	}
	if w.by.ping() || stuck {
		w.unheard++
	}
	w.again(w.heartbeat, w.every)
}

func (w *watch) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	carried := w.s.toTarget.Load() + w.s.toClient.Load()
	if carried != w.carried {
		w.carried, w.looks = carried, 0
	}
	if w.looks == idleLooks {
		w.s.stop(endIdle)
		return
	}
	w.looks++
	w.again(w.idle, w.limit/idleLooks)
}

func (w *watch) again(t alarm, after time.Duration) {
	if !w.over {
		t.Reset(after)
	}
}

func (w *watch) stop() {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
	for _, t := range []alarm{w.heartbeat, w.idle} {
		if t != nil {
			t.Stop()
		}
	}
}
