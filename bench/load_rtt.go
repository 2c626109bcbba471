//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
)

// roundTrips is small requests and answers on some sessions at once, each of which
// waits for its answer before it sends again.
type roundTrips struct{ sessions int }

func (l roundTrips) unit() string     { return "CPU-us/op" }
func (l roundTrips) wallUnit() string { return "op/s" }

func (l roundTrips) title() string {
	if l.sessions == 1 {
		return fmt.Sprintf("%d-byte request/response, 1 session", echoSize)
	}
	return fmt.Sprintf("%d-byte request/response, %d sessions", echoSize, l.sessions)
}

func (l roundTrips) run(ctx context.Context, st *station, a amounts) (sample, error) {
	each := max(1, a.trips/l.sessions)
	sessions, err := openAll(ctx, st, l.sessions)
	defer abandonAll(sessions)
	if err != nil {
		return sample{}, err
	}
	if err := echoAll(sessions, max(1, each/16)); err != nil { // warm up
		return sample{}, err
	}
	used, err := st.measured(func() error { return echoAll(sessions, each) })
	if err != nil {
		return sample{}, err
	}
	n := each * l.sessions
	return sample{cost: micros(used.cpu, n), wall: perSecond(n, used.wall)}, closeAll(sessions)
}

// openAll opens n sessions one after the other; those that did open are returned
// with the error.
func openAll(ctx context.Context, st *station, n int) ([]*session, error) {
	var sessions []*session
	for range n {
		s, err := open(ctx, st, smallReadSize)
		if err != nil {
			return sessions, fmt.Errorf("session %d: %w", len(sessions)+1, err)
		}
		sessions = append(sessions, s)
	}
	return sessions, nil
}

// echoAll does n round trips on every session, all sessions at once.
func echoAll(sessions []*session, n int) error {
	ended := make(chan error, len(sessions))
	for _, s := range sessions {
		go func() { ended <- s.echo(n) }()
	}
	var all error
	for range sessions {
		all = errors.Join(all, <-ended)
	}
	return all
}

func closeAll(sessions []*session) error {
	var all error
	for _, s := range sessions {
		all = errors.Join(all, s.close())
	}
	return all
}

func abandonAll(sessions []*session) {
	for _, s := range sessions {
		s.abandon()
	}
}
