package bridge

import (
	"context"
	"runtime"
)

// turns bound how many TLS handshakes compute at the same time: half of the
// processors, so that a storm of new clients leaves sessions theirs. Who waits
// for the network has none: clients that are slow, or do not go on, keep nobody
// else from a turn.
type turns chan struct{}

func newTurns() turns { return make(turns, max(1, runtime.GOMAXPROCS(0)/2)) }

// turn is one handshake's. It belongs to the goroutine of the handshake.
type turn struct {
	of   turns
	ctx  context.Context // the handshake's, whose end ends waiting
	held bool
}

func (t *turn) take() error {
	select {
	case t.of <- struct{}{}:
		t.held = true
		return nil
	case <-t.ctx.Done():
		return t.ctx.Err()
	}
}

func (t *turn) release() {
	if t.held {
		t.held = false
		<-t.of
	}
}
