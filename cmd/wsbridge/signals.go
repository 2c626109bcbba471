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
// failure. Who waits for it is told when it listens.
func serve(ctx context.Context, c *config.Config, l *startup, stdout, stderr io.Writer) error {
	s, err := newService(ctx, c, l, stdout, stderr)
	if err != nil {
		return err
	}
	if s.upgrade, err = newUpgrader(l); err != nil {
		s.close()
		return &failure{err}
	}
	defer s.upgrade.stop()
	s.reread = l.reread
	if err := s.shutIn(); err != nil {
		s.close()
		return err
	}
	return s.run(ctx, stderr)
}

// run serves what was built, and closes it.
func (s *service) run(ctx context.Context, stderr io.Writer) (err error) {
	defer s.close()
	if s.pid, err = s.startup.openPidFile(s.config.PIDFile); err != nil {
		return startError(err)
	}
	// Before the summary: who reads it may send a signal at once.
	signals := make(chan os.Signal, 2) // the one that stops, the one that kills
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	defer s.reloadOnHangup(ctx)()
	s.stopAdmin = s.serveAdmin()
	defer func() { s.stopAdmin() }()
	s.summary.print(stderr, s.config, s.log)
	if err := s.startup.serves(); err != nil {
		return &failure{err}
	}
	if err := s.pid.take(); err != nil { // nobody else serves by now: no reason to end
		s.log.Error("the pid file has the number of the old process", "err", err)
	}
	s.tellManager(s.startup.manager.Ready(s.summary.status()))
	s.stopWatchdog = s.watchdog()
	defer func() { s.stopWatchdog() }()
	return s.serve(ctx, signals)
}

// reloadOnHangup reloads on every SIGHUP, until stop; several that come during
// one reload are one.
func (s *service) reloadOnHangup(ctx context.Context) (stop func()) {
	if s.reread == nil || !s.reloadsOnHangup() {
		return func() {}
	}
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-hangups:
				s.reload(ctx) // which says in the log what came of it
			case <-ctx.Done():
				return
			}
		}
	}()
	return func() {
		signal.Stop(hangups)
		cancel()
		<-ended
	}
}

// serve accepts on all listeners until something ends it. The first signal
// drains; it is caught still, so that the second one ends even a process 1,
// which has no default signals.
func (s *service) serve(ctx context.Context, signals <-chan os.Signal) error {
	var accepting sync.WaitGroup
	broken := make(chan error, len(s.listeners))
	for _, l := range s.listeners {
		accepting.Go(func() { s.accept(l, broken) })
		accepting.Go(func() { s.acceptHTTP3(l) })
	}
	failed := s.await(ctx, signals, broken)
	s.tellManager(s.startup.manager.Stopping())
	if err := s.drain(signals); err != nil {
		return err
	}
	accepting.Wait()
	return failed
}

// await returns when the bridge is to stop, and the error to stop with.
func (s *service) await(ctx context.Context, signals <-chan os.Signal, broken <-chan error) error {
	timeout, idle, stop := s.timers()
	defer stop()
	for {
		select {
		case sig := <-signals:
			s.log.Info("stopping", "signal", sig.String(), "drain_timeout", s.config.DrainTimeout)
			return nil
		case <-ctx.Done():
			s.log.Info("stopping", "drain_timeout", s.config.DrainTimeout)
			return nil
		case <-s.upgrade.asked():
			s.startSuccessor()
		case word := <-s.upgrade.word():
			if s.handedOver(word) {
				return s.retire(ctx, signals)
			}
		case err := <-broken:
			return s.listenerEnded(err)
		case <-s.programEnded():
			status := s.program.ExitCode()
			s.log.Info("stopping: the wrapped program has ended", "status", status)
			return statusError(status)
		case <-s.ended:
			if s.config.RunOnce {
				s.log.Info("exiting due to --run-once")
				return nil
			}
		case <-timeout:
			s.log.Info(fmt.Sprintf("listener exit due to --timeout %v", s.config.Timeout))
			return s.finishSessions(ctx, signals)
		case <-idle:
			if s.idleFor() >= s.config.IdleTimeout {
				s.log.Info(fmt.Sprintf("listener exit due to --idle-timeout %v", s.config.IdleTimeout))
				return nil
			}
		}
	}
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
		return exitStatus(128 + int(number))
	}
}

func (s *service) shutdown(ctx context.Context, drained chan<- error) {
	drained <- s.server.Shutdown(ctx)
}
