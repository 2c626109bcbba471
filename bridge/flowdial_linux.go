package bridge

import (
	"context"
	"time"
)

// connect waits for the target to be connected, and not for longer than timeout.
// Meanwhile the client is not read.
func (f *flow) connect(timeout time.Duration) {
	if f.connecting() { // a target on this machine has answered by now
		f.dial = f.loop.AfterFunc(timeout, func() {
			f.dialFailed(context.DeadlineExceeded)
			f.settle()
		})
	}
}

// connecting is true as long as that goes on.
func (f *flow) connecting() bool {
	connected, err := f.target.Connected()
	switch {
	case err != nil:
		f.unreached(err)
	case connected:
		f.dialled()
		f.begin()
	}
	return !connected && err == nil
}

func (f *flow) dialled() {
	if f.dial != nil {
		f.dial.Stop()
		f.dial = nil
	}
	f.s.dialTime = time.Since(f.s.start)
}

// dialFailed ends what connect began, if it has not ended.
func (f *flow) dialFailed(err error) {
	if f.dial != nil {
		f.unreached(err)
	}
}

func (f *flow) unreached(err error) {
	f.dialled()
	f.without(err)
}

// without has the session go on without a target: what the client says is
// thrown away.
func (f *flow) without(err error) {
	go f.s.server.log().Debug("cannot reach target", "client", f.s.id.addr, "target", f.s.to.String(), "err", err)
	f.target.Close()
	f.up.lost = true
	f.ended(dialEnding(err))
	early := f.s.early
	f.s.early = nil
	f.takeFrames(nil, early)
	f.downEnded()
}
