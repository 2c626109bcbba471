package content

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// maxLate is how many evaluations of one step may go on behind the back of
// callers that have given them up.
const maxLate = 8

var (
	errLate = errors.New("time is up")
	errBusy = errors.New("earlier messages are still being worked on")
)

// runner has other people's code work on messages for a bounded time, and
// keeps a panic of it to the message that brought it about.
type runner struct {
	limit time.Duration
	late  atomic.Int32
}

// evaluation is one piece of work. Whoever swaps over first decides whether
// its caller still waits for it.
type evaluation struct {
	r       *runner
	over    atomic.Bool
	outcome chan outcome
}

type outcome struct {
	results [][]byte
	err     error
}

// do returns what work returns. The context of work ends when the time is up;
// code that does not look at it gets half as much again, and then do returns
// without it.
func (r *runner) do(ctx context.Context, work func(context.Context) ([][]byte, error)) ([][]byte, error) {
	if r.late.Load() >= maxLate {
		return nil, refuse(codeInternal, "%v", errBusy)
	}
	ctx, cancel := context.WithTimeout(ctx, r.limit)
	defer cancel()
	patience := time.NewTimer(r.limit + r.limit/2)
	defer patience.Stop()
	e := &evaluation{r: r, outcome: make(chan outcome, 1)}
	go e.run(ctx, work)
	select {
	case o := <-e.outcome:
		return o.results, inTime(o.err)
	case <-patience.C:
		e.giveUp()
		return nil, inTime(context.DeadlineExceeded)
	}
}

// inTime has a deadline that passed said to the peer, as nothing in it is
// anybody's secret.
func inTime(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return refuse(codeInternal, "%v", errLate)
	}
	return err
}

func (e *evaluation) run(ctx context.Context, work func(context.Context) ([][]byte, error)) {
	var o outcome
	defer func() {
		if v := recover(); v != nil {
			o = outcome{err: panicked(v)}
		}
		e.outcome <- o
		if !e.over.CompareAndSwap(false, true) {
			e.r.late.Add(-1)
		}
	}()
	o.results, o.err = work(ctx)
}

// panicked keeps an error that was thrown on purpose, see navigator.
func panicked(v any) error {
	if err, ok := v.(error); ok {
		return fmt.Errorf("panic: %w", err)
	}
	return fmt.Errorf("panic: %v", v)
}

// giveUp counts the evaluation as late unless it ended at this very moment.
func (e *evaluation) giveUp() {
	e.r.late.Add(1)
	if !e.over.CompareAndSwap(false, true) {
		e.r.late.Add(-1)
	}
}
