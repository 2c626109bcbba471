package logs

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"sync/atomic"
)

// sink is one place that records go to. It tells the others when it begins to
// lose records, and all when it no longer does.
type sink struct {
	slog.Handler // its Handle fails when the record is lost
	state        *sinkState
}

// sinkState is what a sink and those made of it by With have in common.
type sinkState struct {
	name        string
	lost        atomic.Int64 // since the last that was not
	others, all *slog.Logger // set before the first record
}

func newSink(name string, h slog.Handler) sink {
	return sink{h, &sinkState{name: name}}
}

func (s sink) Handle(ctx context.Context, r slog.Record) error {
	if err := s.Handler.Handle(ctx, r); err != nil {
		s.state.fail(err)
		return err
	}
	s.state.succeed()
	return nil
}

func (s sink) WithAttrs(attrs []slog.Attr) slog.Handler {
	return sink{s.Handler.WithAttrs(attrs), s.state}
}

func (s sink) WithGroup(name string) slog.Handler {
	return sink{s.Handler.WithGroup(name), s.state}
}

// fail counts first, so that a remark which comes back here is none. After
// Close there is nothing to remark on.
func (s *sinkState) fail(err error) {
	if s.lost.Add(1) == 1 && !errors.Is(err, os.ErrClosed) {
		s.others.Warn("log records are being lost", "output", s.name, "err", err)
	}
}

func (s *sinkState) succeed() {
	if s.lost.Load() == 0 {
		return
	}
	if lost := s.lost.Swap(0); lost > 0 {
		s.all.Warn("log records were lost", "output", s.name, "lost", lost)
	}
}
