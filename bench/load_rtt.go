//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// roundTrips is requests and answers on some sessions at once, each of which
// waits for its answer before it sends again. With message they are messages of
// so many bytes to a WebSocket target; else a few bytes to a target of bytes.
type roundTrips struct{ sessions, message int }

func (l roundTrips) unit() string     { return "CPU-us/op" }
func (l roundTrips) wallUnit() string { return "op/s" }

func (l roundTrips) title() string {
	what := fmt.Sprintf("%d-byte request/response", echoSize)
	if l.message > 0 {
		what = fmt.Sprintf("%d-byte message echoed", l.message)
	}
	return what + ", " + counted(l.sessions, "session")
}

// counted is a number of things in words.
func counted(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

func (l roundTrips) run(ctx context.Context, st *station, a amounts) (sample, error) {
	each := max(1, a.trips/l.sessions, min(a.each, a.trips))
	sessions, err := openAll(ctx, st, l.sessions)
	defer abandonAll(sessions)
	if err != nil {
		return sample{}, err
	}
	if err := l.exchange(sessions, max(1, each/16)); err != nil { // warm up
		return sample{}, err
	}
	tookAll(sessions)
	used, err := st.measured(func() error { return l.exchange(sessions, each) })
	if err != nil {
		return sample{}, err
	}
	n := each * l.sessions
	done := sample{cost: micros(used.cpu, n), wall: perSecond(n, used.wall)}
	return done.timed(tookAll(sessions)), closeAll(sessions)
}

// exchange does n round trips on every session.
func (l roundTrips) exchange(sessions []*session, n int) error {
	return onAll(sessions, func(s *session) error {
		if l.message > 0 {
			return s.trips(n, l.message)
		}
		return s.echo(n)
	})
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

// onAll does work on all sessions at once.
func onAll(sessions []*session, work func(*session) error) error {
	ended := make(chan error, len(sessions))
	for _, s := range sessions {
		go func() { ended <- work(s) }()
	}
	var all error
	for range sessions {
		all = errors.Join(all, <-ended)
	}
	return all
}

// tookAll is what the round trips took since the last call.
func tookAll(sessions []*session) []time.Duration {
	var all []time.Duration
	for _, s := range sessions {
		all = append(all, s.took...)
		s.took = s.took[:0]
	}
	return all
}

func closeAll(sessions []*session) error {
	return onAll(sessions, (*session).close)
}

func abandonAll(sessions []*session) {
	for _, s := range sessions {
		s.abandon()
	}
}
