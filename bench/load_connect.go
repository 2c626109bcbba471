//go:build linux

package main

import (
	"context"
	"time"
)

// connects is whole short sessions, one after the other: connect, handshake, one
// echo, orderly close.
type connects struct{}

func (l connects) title() string    { return "connect + handshake + 1 echo + close" }
func (l connects) unit() string     { return "CPU-us" }
func (l connects) wallUnit() string { return "sessions/s" }

func (l connects) run(ctx context.Context, st *station, a amounts) (sample, error) {
	if _, err := visitTimes(ctx, st, max(1, a.connects/16)); err != nil { // warm up
		return sample{}, err
	}
	var took []time.Duration
	used, err := st.measured(func() (err error) {
		took, err = visitTimes(ctx, st, a.connects)
		return err
	})
	if err != nil {
		return sample{}, err
	}
	return sample{cost: micros(used.cpu, a.connects), wall: perSecond(a.connects, used.wall)}.timed(took), nil
}

// visitTimes returns how long each of n visits took.
func visitTimes(ctx context.Context, st *station, n int) ([]time.Duration, error) {
	var took []time.Duration
	for range n {
		began := time.Now()
		if err := visit(ctx, st); err != nil {
			return nil, err
		}
		took = append(took, time.Since(began))
	}
	return took, nil
}

func visit(ctx context.Context, st *station) error {
	s, err := open(ctx, st, smallReadSize)
	if err != nil {
		return err
	}
	defer s.abandon()
	if err := s.echo(1); err != nil {
		return err
	}
	return s.close()
}
