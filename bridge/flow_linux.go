package bridge

import (
	"context"
	"time"

	"github.com/wsbridge/wsbridge/loop"
)

// turnReads is how often a socket is read before the others have their turn.
const turnReads = 4

// flow is a session carried by a loop instead of by two goroutines: nothing of
// it waits, and while nothing happens it holds no buffer. It keeps to the same
// rules, which totarget.go and toclient.go tell. All of it belongs to the
// loop's goroutine; stop and cut are for any.
type flow struct {
	s              *session
	loop           *worker
	client, target loop.Socket
	up             upstream
	down           downstream
	out            outbox
	dial           *loop.Timer // while the target is connecting
	alarm          *loop.Timer // once the session has an ending
	over, resumes  bool        // resumes: is queued
	started        bool
	before         []func() // what was to be done before started
}

// stage is how far a direction has come.
type stage uint8

const (
	carrying   stage = iota
	discarding       // what still comes is read and thrown away
	closing          // toClient: the Close frame is on its way
	done
)

// newFlow makes a session the loop's; from now on it is ended there.
func (s *Server) newFlow(session *session, l *worker) *flow {
	f := &flow{s: session, loop: l, up: upstream{frames: newUnframer(session.mode, &s.buffers)}}
	session.carrier = f
	return f
}

// start takes the target's socket over, which is connecting if dial is more
// than 0: that is how long it may. It is the first thing the loop does with f,
// whose client it has. With err there is not even a socket.
func (f *flow) start(target int, dial time.Duration, err error) {
	if err == nil {
		f.loop.Open(&f.target, target, f)
	}
	switch {
	case err != nil:
		f.without(err)
	case dial > 0:
		f.connect(dial)
	default:
		f.begin()
	}
	f.settle()
	f.started = true
	for _, do := range f.before {
		do()
	}
	f.before = nil
}

// begin is when there is a target.
func (f *flow) begin() {
	f.s.watch = startWatch(f.s, f)
	early := f.s.early
	f.s.early = nil
	f.takeFrames(nil, early)
}

// acked and afterFunc are for the session's watch, as ping is.
func (f *flow) acked() int64                                 { return f.client.Acked() }
func (f *flow) afterFunc(d time.Duration, beat func()) alarm { return f.loop.AfterFunc(d, beat) }

// Ready is for the loop.
func (f *flow) Ready(s *loop.Socket, can loop.Events) {
	if s == &f.client {
		if can&loop.Writable != 0 {
			f.push()
		}
		if can&loop.Readable != 0 {
			f.readClient()
		}
	} else if f.dial != nil {
		f.connecting()
	} else {
		if can&loop.Writable != 0 {
			f.pushUp()
		}
		if can&loop.Readable != 0 {
			f.readTarget()
		}
	}
	f.settle()
}

// settle follows every call from the loop: it finishes a session whose both
// directions are done, or says what is to be waited for now.
func (f *flow) settle() {
	if f.over {
		return
	}
	if f.up.stage == done && f.down.stage == done {
		f.finish()
		return
	}
	if f.dial != nil {
		f.want(0, loop.Writable)
		return
	}
	var client, target loop.Events
	if f.up.stage != done && !f.up.waiting() && f.mayRead() {
		client |= loop.Readable
	}
	if f.out.waiting() {
		client |= loop.Writable
	}
	if f.down.stage == discarding || f.down.stage == carrying && !f.out.waiting() {
		target |= loop.Readable
	}
	if f.up.waiting() {
		target |= loop.Writable
	}
	f.want(client, target)
	if client&loop.Readable != 0 && f.out.veil != nil && f.out.veil.more {
		f.resumeSoon()
	}
}

// mayRead tells whether the client can be read whatever becomes of its bytes.
func (f *flow) mayRead() bool { return f.out.veil == nil || f.out.veil.mayRead() }

// resumeSoon has the loop come back, after the others' turns, for bytes that
// the client's veil holds: the socket does not tell of them.
func (f *flow) resumeSoon() {
	if !f.resumes {
		f.resumes = true
		f.loop.Do(f.resume)
	}
}

func (f *flow) resume() {
	if f.resumes = false; !f.over {
		f.readClient()
		f.settle()
	}
}

func (f *flow) want(client, target loop.Events) {
	clientErr, targetErr := f.client.Want(client), f.target.Want(target)
	if clientErr != nil || targetErr != nil { // the system has no room for the watch
		f.ended(endTargetFailed)
		f.finish()
	}
}

// ended is session.ended with the loop's timer in place of deadlines.
func (f *flow) ended(why ending) (first bool) {
	f.s.mu.Lock()
	timeout, first := f.s.setEnd(why)
	f.s.mu.Unlock()
	if first {
		f.alarm = f.loop.AfterFunc(timeout, f.expire)
	}
	return first
}

// expire is the end's deadline: both sides are read no more. The Close frame
// has a little longer.
func (f *flow) expire() {
	if f.s.why() == endMemory {
		f.client.Abandon()
	}
	f.up.drop(f.s)
	f.upDone()
	f.downEnded()
	f.alarm = f.loop.AfterFunc(briefTimeout, f.finish)
	f.settle()
}

// stop ends the session from the bridge's side. It may be called by anybody.
func (f *flow) stop(why ending) {
	f.do(func() {
		if f.ended(why) {
			f.dialFailed(context.Canceled)
			f.downEnded()
			f.settle()
		}
	})
}

// cut ends the session at once. It may be called by anybody.
func (f *flow) cut() {
	f.do(func() {
		f.ended(endShutdown)
		f.finish()
	})
}

// do has the loop do something with f, but not before start nor after finish.
func (f *flow) do(what func()) {
	unlessOver := func() {
		if !f.over {
			what()
		}
	}
	f.loop.Do(func() {
		if !f.started {
			f.before = append(f.before, unlessOver)
			return
		}
		unlessOver()
	})
}

func (f *flow) finish() {
	if f.over {
		return
	}
	f.over = true
	f.alarm.Stop()
	if f.dial != nil {
		f.dial.Stop()
	}
	f.s.watch.stop()
	f.up.drop(f.s)
	if f.out.veil != nil {
		f.out.veil.leave()
	}
	f.out.drop(f.s.server)
	f.client.Close()
	f.target.Close()
	f.loop.ended.add(f.s)
}
