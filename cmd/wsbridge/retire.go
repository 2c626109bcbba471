package main

import (
	"context"
	"os"
)

// noUpgrade says why nothing can succeed this process; empty: something can.
func (s *service) noUpgrade() string {
	c := s.config
	switch {
	case c.Inetd:
		return "with --inetd the next process is inetd's to start"
	case len(c.Command) > 0:
		return "a wrapped program cannot be handed on: stop and start"
	case c.RunOnce:
		return "with --run-once there is one session, and it is this process's"
	}
	return ""
}

// retire serves those who are in to the end, for as long as they may take, while
// a successor serves the others. What is left then is the drain's.
func (s *service) retire(ctx context.Context, signals <-chan os.Signal) error {
	go s.stopAdmin()
	if s.config.UpgradeTimeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.config.UpgradeTimeout)
		defer cancel()
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	retired := make(chan error, 1)
	go func() { retired <- s.server.Retire(ctx) }()
	for {
		select {
		case err := <-retired:
			if err != nil {
				s.log.Info("stopping: the sessions have had their time", "upgrade_timeout", s.config.UpgradeTimeout, "drain_timeout", s.config.DrainTimeout)
			}
			return nil
		case sig := <-signals:
			s.log.Info("stopping", "signal", sig.String(), "drain_timeout", s.config.DrainTimeout)
			return nil
		case <-s.upgrade.asked():
			s.log.Warn("no upgrade: this process has a successor already", "process", s.upgrade.successor())
		}
	}
}
