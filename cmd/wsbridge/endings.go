package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"
)

// idleLook is how often --idle-timeout looks whether anybody is there.
const idleLook = time.Second

// timers are what ends a bridge by the clock; a nil channel never does.
func (s *service) timers() (timeout, idle <-chan time.Time, stop func()) {
	stop = func() {}
	if s.config.Timeout > 0 {
		timeout = time.After(s.config.Timeout)
	}
	if s.config.IdleTimeout > 0 {
		s.busy = time.Now()
		ticker := time.NewTicker(min(idleLook, s.config.IdleTimeout))
		idle, stop = ticker.C, ticker.Stop
	}
	return timeout, idle, stop
}

// idleFor is how long nobody has been connected, as far as it was looked at.
func (s *service) idleFor() time.Duration {
	if stats := s.server.Stats(); stats.Sessions+stats.Connections > 0 {
		s.busy = time.Now()
	}
	return time.Since(s.busy)
}

// finishSessions accepts no more and waits for the sessions to end by
// themselves, or for a signal.
func (s *service) finishSessions(ctx context.Context, signals <-chan os.Signal) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	drained := make(chan error, 1)
	go func() { drained <- s.server.Drain(ctx) }()
	select {
	case <-drained:
	case sig := <-signals:
		s.log.Info("stopping", "signal", sig.String(), "drain_timeout", s.config.DrainTimeout)
	}
	return nil
}

// listenerEnded is nil when the listener's end is what was to come: inetd's one
// connection is over.
func (s *service) listenerEnded(err error) error {
	if s.config.Inetd && errors.Is(err, net.ErrClosed) {
		return nil
	}
	s.log.Error("listener failed, stopping", "err", err)
	return &failure{err}
}

// programEnded is closed when the wrapped program has ended for good.
func (s *service) programEnded() <-chan struct{} {
	if s.program == nil {
		return nil
	}
	return s.program.Done()
}

// exitStatus is an end that needs no words: a second signal, or the status of
// the wrapped program.
type exitStatus int

func (e exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

func statusError(status int) error {
	if status == 0 {
		return nil
	}
	return exitStatus(status)
}
