package message

import (
	"sync"
	"time"
)

// idleLooks is how many times Idle is looked at: an idle connection is given
// up at most one part in idleLooks late.
const idleLooks = 8

// lastWords is how long a write may take to a peer that was given up.
const lastWords = 2 * time.Second

// watch looks after a connection's silence.
type watch struct {
	c *Conn

	mu        sync.Mutex // guards all below
	over      bool
	heartbeat *time.Timer
	heard     int64 // bytes, at the last ping
	taken     int64 // bytes that the peer's system took, at the last ping
	unheard   int   // pings in a row without a byte from the peer
	idle      *time.Timer
	carried   int64 // messages, at the last look
	looks     int   // looks in a row that found nothing carried
}

// startWatch is nil, which can be stopped too, when there is nothing to watch.
func startWatch(c *Conn) *watch {
	if c.o.Heartbeat == 0 && c.o.Idle == 0 {
		return nil
	}
	w := &watch{c: c}
	w.mu.Lock()
	defer w.mu.Unlock()
	if c.o.Heartbeat > 0 {
		w.heartbeat = time.AfterFunc(c.o.Heartbeat, w.beat)
	}
	if c.o.Idle > 0 {
		w.idle = time.AfterFunc(c.o.Idle/idleLooks, w.look)
	}
	return w
}

// pingsTake is more than what pings alone make a peer's system acknowledge from
// one to the next, whatever they are wrapped in, those of HTTP/2 included.
const pingsTake = 256

// beat counts only pings that the peer could have answered: one that waits behind
// megabytes that the peer is taking, here or in the system, or whose answer nobody
// reads yet, does not count. One that cannot be sent because the peer's system has
// taken no more than that since the last does: a peer that is gone may never let
// it through.
func (w *watch) beat() {
	w.mu.Lock()
	defer w.mu.Unlock()
	heard, taken := w.c.heard.Load(), w.taken
	if w.c.o.Acked != nil {
		taken = w.c.o.Acked()
	}
	takes, held := taken-w.taken > pingsTake, !w.c.reading.Load()
	if heard != w.heard || takes || held {
		w.heard, w.unheard = heard, 0
	}
	stuck := taken > 0 && !takes && !held
	w.taken = taken
	if w.unheard == 2 {
		w.c.GiveUp(ErrUnanswered, time.Now().Add(lastWords))
		return
	}
	if w.c.out.SendPing() || stuck {
		w.unheard++
	}
	w.again(w.heartbeat, w.c.o.Heartbeat)
}

func (w *watch) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if carried := w.c.messages.Load(); carried != w.carried {
		w.carried, w.looks = carried, 0
	}
	if w.looks == idleLooks {
		w.c.GiveUp(ErrIdle, time.Now().Add(lastWords))
		return
	}
	w.looks++
	w.again(w.idle, w.c.o.Idle/idleLooks)
}

func (w *watch) again(t *time.Timer, after time.Duration) {
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
	for _, t := range []*time.Timer{w.heartbeat, w.idle} {
		if t != nil {
			t.Stop()
		}
	}
}
