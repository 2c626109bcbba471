package bridge

import (
	"context"
	"maps"
	"net"
	"net/http"
	"slices"
	"sync"
)

// sessions are the live ones: how many there may be, and who must be told when
// the bridge goes down.
type sessions struct {
	ended func() // called after every one; may be nil

	mu            sync.Mutex
	max, maxPerIP int // 0: no limit
	live          map[live]*standing
	last          uint64         // number given
	taken         int            // slots: live sessions and handshakes being answered
	perIP         map[string]int // slots by client address
	closed        bool           // no more are admitted
	short         bool           // of memory: no more for now
	looks         int64          // how often was counted what they carry
	late          func(live)     // what the live were told last, for those that start later
	idle          chan struct{}  // closed when, after close, the last slot is given back
}

// live is a session of any kind. stop ends it well, cut at once; both return
// soon.
type live interface {
	stop(why ending)
	cut()
	payload() int64 // payload bytes so far, both ways; -1: not known
	who() clientID
	info() SessionInfo // without its ID
}

// standing is what is known of a live session besides.
type standing struct {
	live    live
	number  uint64
	carried int64 // when it was counted last
	since   int64 // the count from which on it has been that
	told    bool  // to go, for want of memory
}

func newSessions() *sessions {
	return &sessions{live: map[live]*standing{}, perIP: map[string]int{}, idle: make(chan struct{})}
}

// limit is for who comes from now on.
func (ss *sessions) limit(max, maxPerIP int) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	ss.max, ss.maxPerIP = max, maxPerIP
}

// admit takes a slot for a client; release gives it back. Clients of a unix
// socket have no address and no limit by it.
func (ss *sessions) admit(remote string) (release func(), refusal *Refusal) {
	ip, _, _ := net.SplitHostPort(remote)
	ss.mu.Lock()
	defer ss.mu.Unlock()
	busy := func(reason string) (func(), *Refusal) {
		return nil, &Refusal{Status: http.StatusServiceUnavailable, Reason: reason}
	}
	switch {
	case ss.closed:
		return busy(endShutdown.reason)
	case ss.short:
		return busy(shortOfMemory)
	case ss.max > 0 && ss.taken >= ss.max:
		return busy("too many sessions")
	case ss.maxPerIP > 0 && ip != "" && ss.perIP[ip] >= ss.maxPerIP:
		return busy("too many sessions from your address")
	}
	ss.taken++
	ss.perIP[ip]++
	return func() { ss.release(ip) }, nil
}

func (ss *sessions) release(ip string) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	ss.taken--
	if ss.perIP[ip]--; ss.perIP[ip] == 0 {
		delete(ss.perIP, ip)
	}
	if ss.closed && ss.taken == 0 {
		close(ss.idle)
	}
}

// enter counts l, whose slot was taken, among the live, until leave.
func (ss *sessions) enter(l live) {
	ss.mu.Lock()
	ss.last++
	ss.live[l] = &standing{live: l, number: ss.last, since: ss.looks}
	late := ss.late
	ss.mu.Unlock()
	if late != nil {
		late(l)
	}
}

// leave gives l's slot back by release.
func (ss *sessions) leave(l live, release func()) {
	ss.mu.Lock()
	delete(ss.live, l)
	ss.mu.Unlock()
	release()
	if ss.ended != nil {
		ss.ended()
	}
}

// tell calls f for every live session, and later for those still to start.
func (ss *sessions) tell(f func(live)) {
	ss.mu.Lock()
	ss.late = f
	ss.mu.Unlock()
	ss.each(f)
}

// numbered is the live sessions and their numbers.
func (ss *sessions) numbered() map[live]uint64 {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	all := make(map[live]uint64, len(ss.live))
	for l, at := range ss.live {
		all[l] = at.number
	}
	return all
}

// each calls f for every live session.
func (ss *sessions) each(f func(live)) {
	ss.mu.Lock()
	all := slices.Collect(maps.Keys(ss.live))
	ss.mu.Unlock()
	for _, l := range all {
		f(l)
	}
}

// close admits no more.
func (ss *sessions) close() {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if !ss.closed && ss.taken == 0 {
		close(ss.idle)
	}
	ss.closed = true
}

// wait waits, after close, for the last session to end; when ctx ends first it
// returns ctx's error.
func (ss *sessions) wait(ctx context.Context) error {
	select {
	case <-ss.idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// stop admits no more, tells every session why, and waits for the last to end;
// when ctx ends first it cuts them, waits for that, and returns ctx's error.
func (ss *sessions) stop(ctx context.Context) error {
	ss.close()
	ss.tell(func(l live) { l.stop(endShutdown) })
	err := ss.wait(ctx)
	if err != nil {
		ss.tell(live.cut)
		<-ss.idle
	}
	return err
}

func (ss *sessions) count() int {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	return ss.taken
}
