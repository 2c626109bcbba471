package bridge

import (
	"context"
	"time"
)

// connect waits for the target to be connected, and not for longer than timeout.
// Meanwhile the client is not read.
func (f *flow) connect(timeout time.Duration) {
	f.dial = f.loop.AfterFunc(timeout, func() {
		f.dialFailed(context.DeadlineExceeded)
		f.settle()
	})
	f.connecting() // a target on this machine has answered by now
}

func (f *flow) connecting() {
	switch connected, err := f.target.Connected(); {
	case err != nil:
		f.dialFailed(err)
	case connected:
		f.dialled()
		f.begin()
	}
}

func (f *flow) dialled() {
	f.dial.Stop()
	f.dial = nil
	f.s.dialTime = time.Since(f.s.start)
}

// dialFailed ends what connect began, if it has not ended. The session goes on
// without a target: what the client says is thrown away.
func (f *flow) dialFailed(err error) {
	if f.dial == nil {
		return
	}
	f.dialled()
	f.without(err)
}

// without goes on with a session that gets no target.
func (f *flow) without(err error) {
	go f.s.log.Debug("cannot reach target", "client", f.s.id.addr, "target", f.s.to.String(), "err", err)
	f.target.Close()
	f.up.lost = true
	f.ended(dialEnding(err))
	early := f.s.early
	f.s.early = nil
	f.takeFrames(nil, early)
	f.downEnded()
}
