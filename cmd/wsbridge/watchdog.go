package main

import (
	"context"
	"time"
)

// watchdog tells systemd that the bridge is alive, as often as it wants to hear
// it, and as long as it is true, until stop.
func (s *service) watchdog() (stop func()) {
	every := s.startup.manager.Watchdog()
	if every == 0 {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.watch(ctx, every)
	}()
	return func() {
		cancel()
		<-ended
	}
}

// watch looks twice in the time that systemd gives, and takes at most a quarter
// of it to look.
func (s *service) watch(ctx context.Context, every time.Duration) {
	look := time.NewTicker(every / 2)
	defer look.Stop()
	for {
		s.pulse(ctx, every/4)
		select {
		case <-look.C:
		case <-ctx.Done():
			return
		}
	}
}

func (s *service) pulse(ctx context.Context, patience time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := s.server.Pulse(ctx)
	switch {
	case err == nil:
		s.tellManager(s.startup.manager.Alive())
	case ctx.Err() == context.DeadlineExceeded:
		s.log.Error("systemd's watchdog is not told that all is well", "err", err)
	}
}
