package bridge

import (
	"context"
	"log/slog"
	"time"
)

// Of the memory that there may be, as Server.Memory tells it. What lies between
// two marks keeps a bridge from going to and fro: once short, it has to come below
// the lower one.
const (
	memoryShort = .9 // from here on nobody else is let in
	memoryEase  = .8 // below it everybody is, once more
	memoryFull  = 1. // nothing may be waited for
)

const (
	memoryLook    = time.Second
	idleEvery     = 10 // looks from one count of what sessions carry to the next, while all is well
	shedPatience  = 3  // looks that it may be short before somebody has to go
	shedShare     = 10 // one session in so many goes at a time
	shedGreetings = 4  // one in so many of the connections that say nothing
)

// shortOfMemory is the reason, for who is refused and for who counts.
const shortOfMemory = "short of memory: try again later"

// Shedding is what a bridge does for want of memory.
type Shedding int32

const (
	ShedNothing  Shedding = iota
	ShedNew               // new sessions are refused
	ShedSessions          // and those that carried nothing for longest are closed
)

// Shedding tells what is done for want of memory now.
func (s *Server) Shedding() Shedding { return Shedding(s.shedding.Load()) }

// shedder keeps the memory of a bridge below its limit: first it refuses who
// comes, and if that does not help it closes who said nothing yet, and the
// sessions that are idle for longest, some at a time, the next when those have
// gone.
type shedder struct {
	s      *Server
	looks  int64
	short  int // looks since memory is short
	closed int // sessions, since it was well
}

// watchMemory looks at the memory until ctx ends.
func (s *Server) watchMemory(ctx context.Context) {
	d := &shedder{s: s}
	ticker := time.NewTicker(memoryLook)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			d.look(s.Memory())
		case <-ctx.Done():
			return
		}
	}
}

// look goes by the share of the memory that is taken.
func (d *shedder) look(taken float64) {
	now := d.s.Shedding()
	if d.looks++; now != ShedNothing || taken >= memoryShort || d.looks%idleEvery == 0 {
		d.s.sessions.countCarried(d.looks)
	}
	switch {
	case taken < memoryEase && now != ShedNothing:
		d.become(ShedNothing, taken)
	case taken >= memoryShort && now == ShedNothing:
		d.become(ShedNew, taken)
	}
	if d.s.Shedding() == ShedNothing {
		d.short = 0
		return
	}
	if d.short++; d.short > shedPatience || taken >= memoryFull {
		d.shed(taken)
	}
}

// become says once what is done from now on.
func (d *shedder) become(what Shedding, taken float64) {
	level, text := slog.LevelWarn, "memory is short: new sessions are refused"
	switch {
	case what == ShedNothing:
		level, text = slog.LevelInfo, "memory suffices again: new sessions are let in"
	case what == ShedSessions:
		text = "memory stays short: connections that say nothing and the sessions idle for longest are closed"
	}
	d.s.shedding.Store(int32(what))
	d.s.sessions.beShort(what != ShedNothing)
	d.s.places.beShort(what != ShedNothing)
	d.s.log().Log(context.Background(), level, text, "percent", int(100*taken), "sessions", d.s.sessions.count(), "closed", d.closed)
	if what == ShedNothing {
		d.closed = 0
	}
}

// shed lets some go, unless others are still about to. Who carries something is
// spared until there is no memory at all.
func (d *shedder) shed(taken float64) {
	if d.s.Shedding() != ShedSessions {
		d.become(ShedSessions, taken)
	}
	d.s.places.thin(shedGreetings)
	since := d.looks - idleEvery
	if taken >= memoryFull {
		since = d.looks
	}
	idle := d.s.sessions.chooseIdle(since)
	for _, l := range idle {
		l.stop(endMemory)
	}
	d.closed += len(idle)
}
