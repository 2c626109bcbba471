package bridge

import (
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Stats is what the bridge counts.
type Stats struct {
	Sessions    int            // live
	Connections int            // that are no session, or none yet
	Refused     map[string]int // by reason, since the start

	Begun              int64             // sessions since the start, live ones too
	ToTarget, ToClient int64             // payload bytes since the start, of live sessions too
	Ended              map[EndedBy]int64 // sessions, since the start
}

// EndedBy is a kind of end: who ended a session, and the close code.
type EndedBy struct {
	By   string
	Code int
}

// SessionInfo is a live session.
type SessionInfo struct {
	ID                                      string // for Kill
	Client, User, Target, Path, Subprotocol string
	HTTP                                    int // version; from 2 on, sessions of one connection have one client address
	Start                                   time.Time
	ToTarget, ToClient                      int64         // payload bytes so far
	RTT                                     time.Duration // to the client and back; 0: not known
}

// Stats returns the counts of now.
func (s *Server) Stats() Stats {
	s.once.Do(s.start)
	stats := Stats{Sessions: s.sessions.count(), Connections: s.places.count(), Refused: s.counters.snapshot()}
	s.totals.into(&stats)
	s.sessions.each(func(l live) {
		info := l.info()
		stats.ToTarget += info.ToTarget
		stats.ToClient += info.ToClient
	})
	stats.Begun += int64(stats.Sessions)
	return stats
}

// Draining tells whether no more sessions are accepted.
func (s *Server) Draining() bool {
	s.once.Do(s.start)
	return s.ctx.Err() != nil
}

// Sessions returns the live ones, the oldest first.
func (s *Server) Sessions() (all []SessionInfo) {
	s.once.Do(s.start)
	for l, id := range s.sessions.numbered() {
		info := l.info()
		info.ID = strconv.FormatUint(id, 10)
		all = append(all, info)
	}
	slices.SortFunc(all, func(a, b SessionInfo) int { return a.Start.Compare(b.Start) })
	return all
}

// Kill ends a session well: its client is told 1001 and why. False: there is no
// such session.
func (s *Server) Kill(id string) bool { return s.endOne(id, endKilled) }

// Forbid is Kill for a session that new rules do not let in: 1008.
func (s *Server) Forbid(id string) bool { return s.endOne(id, endForbidden) }

func (s *Server) endOne(id string, why ending) bool {
	s.once.Do(s.start)
	for l, n := range s.sessions.numbered() {
		if strconv.FormatUint(n, 10) == id {
			l.stop(why)
			return true
		}
	}
	return false
}

// totals are of sessions that have ended.
type totals struct {
	mu                 sync.Mutex
	begun              int64
	toTarget, toClient int64
	ended              map[EndedBy]int64
}

func (t *totals) add(how Ending, why ending) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended == nil {
		t.ended = map[EndedBy]int64{}
	}
	t.begun++
	t.toTarget += how.ToTarget
	t.toClient += how.ToClient
	t.ended[EndedBy{why.by, int(why.code)}]++
}

func (t *totals) into(s *Stats) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s.Begun, s.ToTarget, s.ToClient, s.Ended = t.begun, t.toTarget, t.toClient, maps.Clone(t.ended)
}
