package bridge

import (
	"context"
	"net"
	"net/http"
	"sync"
)

// sessions are the live ones: how many there may be, and who must be told when
// the bridge goes down.
type sessions struct {
	max, maxPerIP int

	mu     sync.Mutex
	live   map[*session]struct{}
	taken  int            // slots: live sessions and handshakes being answered
	perIP  map[string]int // slots by client address; only counted when limited
	closed bool           // no more are admitted
	late   func(*session) // what the live were told last, for those that start later
	idle   chan struct{}  // closed when, after close, the last slot is given back
}

func newSessions(max, maxPerIP int) *sessions {
	return &sessions{max: max, maxPerIP: maxPerIP, live: map[*session]struct{}{}, perIP: map[string]int{}, idle: make(chan struct{})}
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
	case ss.taken >= ss.max:
		return busy("too many sessions")
	case ss.maxPerIP > 0 && ip != "" && ss.perIP[ip] >= ss.maxPerIP:
		return busy("too many sessions from your address")
	}
	ss.taken++
	if ss.maxPerIP > 0 {
		ss.perIP[ip]++
	}
	return func() { ss.release(ip) }, nil
}

func (ss *sessions) release(ip string) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	ss.taken--
	if ss.maxPerIP > 0 {
		if ss.perIP[ip]--; ss.perIP[ip] == 0 {
			delete(ss.perIP, ip)
		}
	}
	if ss.closed && ss.taken == 0 {
		close(ss.idle)
	}
}

// start opens, by open, a session whose slot was taken.
func (ss *sessions) start(s *session, open func()) {
	ss.mu.Lock()
	ss.live[s] = struct{}{}
	late := ss.late
	ss.mu.Unlock()
	if late != nil {
		late(s)
	}
	release := s.release
	s.release = func() {
		ss.mu.Lock()
		delete(ss.live, s)
		ss.mu.Unlock()
		release()
		if ended := s.server.SessionEnded; ended != nil {
			ended()
		}
	}
	open()
}

// tell calls f for every live session, and later for those still to start.
func (ss *sessions) tell(f func(*session)) {
	ss.mu.Lock()
	ss.late = f
	ss.mu.Unlock()
	ss.each(f)
}

// each calls f for every live session.
func (ss *sessions) each(f func(*session)) {
	ss.mu.Lock()
	live := make([]*session, 0, len(ss.live))
	for s := range ss.live {
		live = append(live, s)
	}
	ss.mu.Unlock()
	for _, s := range live {
		f(s)
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
	ss.tell(func(s *session) { s.stop(endShutdown) })
	err := ss.wait(ctx)
	if err != nil {
		ss.tell((*session).cut)
		<-ss.idle
	}
	return err
}

func (ss *sessions) count() int {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	return ss.taken
}
