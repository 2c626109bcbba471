package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/wsbridge/wsbridge/bridge"
	"github.com/wsbridge/wsbridge/config"
)

// serve runs the bridge that c describes until a signal, the end of ctx, or a
// failure.
func serve(ctx context.Context, c *config.Config, stdout, stderr io.Writer) error {
	s, err := newService(ctx, c, stdout, stderr)
	if err != nil {
		return err
	}
	defer s.close()
	// Before the summary: who reads it may send a signal at once.
	signals := make(chan os.Signal, 2) // the one that stops, the one that kills
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	s.summary.print(stderr, c, s.log)
	return s.serve(ctx, signals)
}

// serve accepts on all listeners. The first signal drains; it is caught still,
// so that the second one ends even a process 1, which has no default signals.
func (s *service) serve(ctx context.Context, signals <-chan os.Signal) error {
	var accepting sync.WaitGroup
	broken := make(chan error, len(s.listeners))
	for _, l := range s.listeners {
		accepting.Go(func() { s.accept(l, broken) })
	}
	var failed error
	select {
	case sig := <-signals:
		s.log.Info("stopping", "signal", sig.String(), "drain_timeout", s.config.DrainTimeout)
	case <-ctx.Done():
		s.log.Info("stopping", "drain_timeout", s.config.DrainTimeout)
	case err := <-broken:
		s.log.Error("listener failed, stopping", "err", err)
		failed = &failure{err}
	}
	if err := s.drain(signals); err != nil {
		return err
	}
	accepting.Wait()
	return failed
}

// accept serves one listener, and says so if it ends other than by Shutdown.
func (s *service) accept(l net.Listener, broken chan<- error) {
	if err := s.server.Serve(l); !errors.Is(err, bridge.ErrServerClosed) {
		broken <- fmt.Errorf("listener %s: %w", l.Addr(), err)
	}
}

// drain ends all sessions within the drain timeout. A signal meanwhile leaves
// them to the end of the process.
func (s *service) drain(signals <-chan os.Signal) error {
	ctx, cancel := context.WithTimeout(context.Background(), s.config.DrainTimeout)
	defer cancel()
	drained := make(chan error, 1)
	go s.shutdown(ctx, drained)
	select {
	case err := <-drained:
		if err != nil {
			s.log.Warn("sessions were cut at the drain timeout")
		}
		s.log.Info("stopped")
		return nil
	case sig := <-signals:
		s.log.Warn("killed while stopping", "signal", sig.String())
		number, _ := sig.(syscall.Signal)
		return killed(128 + int(number))
	}
}

func (s *service) shutdown(ctx context.Context, drained chan<- error) {
	drained <- s.server.Shutdown(ctx)
}
