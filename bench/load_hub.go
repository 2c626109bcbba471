//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"
)

// deliveries is one message after the other, each to another of a hub's streams,
// and from there to the stream's other members. The cost is for one receiver's.
type deliveries struct{ members int }

func (l deliveries) unit() string     { return "CPU-us/delivery" }
func (l deliveries) wallUnit() string { return "deliveries/s" }

func (l deliveries) title() string {
	return fmt.Sprintf("message delivered, %s", counted(l.members, "connection"))
}

func (l deliveries) run(ctx context.Context, st *station, a amounts) (sample, error) {
	c, err := gather(ctx, st, l.members, a.streams)
	defer c.leave()
	if err != nil {
		return sample{}, err
	}
	if err := c.talk(ctx, 1, a.beat); err != nil { // warm up
		return sample{}, err
	}
	c.took()
	used, err := st.measured(func() error { return c.talk(ctx, a.rounds, a.beat) })
	if err != nil {
		return sample{}, err
	}
	n := a.rounds * (l.members - a.streams)
	done := sample{cost: micros(used.cpu, n), wall: perSecond(n, used.wall)}
	return done.timed(c.took()), nil
}

// membership is the memory of a hub's connections that have opened a stream and
// got or sent a message in it, like idle.
type membership struct{ members int }

func (l membership) unit() string     { return "KiB" }
func (l membership) wallUnit() string { return "" }

func (l membership) title() string {
	return fmt.Sprintf("memory per connection, of %d", l.members)
}

func (l membership) run(ctx context.Context, st *station, a amounts) (sample, error) {
	fresh, err := st.again(ctx)
	if err != nil {
		return sample{}, err
	}
	defer fresh.stop()
	few := max(a.streams, l.members/10)
	before, err := l.hold(ctx, fresh, few, a)
	if err != nil {
		return sample{}, err
	}
	after, err := l.hold(ctx, fresh, l.members, a)
	return sample{cost: float64(after-before) / 1024 / float64(l.members-few)}, err
}

// hold is what a crowd takes that has talked and is silent now.
func (l membership) hold(ctx context.Context, st *station, members int, a amounts) (int64, error) {
	c, err := gather(ctx, st, members, a.streams)
	defer c.leave()
	if err != nil {
		return 0, err
	}
	if err := c.talk(ctx, 1, a.beat); err != nil {
		return 0, err
	}
	return settledMemory(ctx, st, a.pause)
}

// A crowd is the members of a hub: member i is in stream i modulo the streams, and
// the first of each stream is who speaks in it.
type crowd struct {
	members []*member
	streams int
	said    int // messages in each stream so far
}

// gather joins members to the hub at st and returns when the hub has counted them.
// The caller lets the crowd leave, after an error too.
func gather(ctx context.Context, st *station, n, streams int) (*crowd, error) {
	c := &crowd{streams: streams}
	for i := range n {
		m, err := join(ctx, st, i%streams)
		if err != nil {
			return c, fmt.Errorf("member %d: %w", i+1, err)
		}
		c.members = append(c.members, m)
	}
	return c, c.awaitCount(ctx, n)
}

// awaitCount has the first member, who hears nothing else, ask how many there are.
func (c *crowd) awaitCount(ctx context.Context, n int) error {
	want := fmt.Appendf(nil, `{"numchannels":"%d",`, n)
	for {
		if err := c.members[0].say(`{"ws_op":"admin","ws_msg":"getnumchannels()"}`); err != nil {
			return err
		}
		answer, err := c.members[0].in.(*frameSource).message(nil)
		if err != nil || bytes.HasPrefix(answer, want) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the hub does not count %d members: %s", n, answer[:min(len(answer), 80)])
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// talk has n messages said in each stream, a beat from one to the next, and waits
// until all who are to hear them have.
func (c *crowd) talk(ctx context.Context, n int, beat time.Duration) error {
	heard := make(chan error, len(c.members))
	for _, m := range c.members[c.streams:] {
		go func() { heard <- m.hear(c.said, n) }()
	}
	all := c.say(ctx, n, beat)
	for range c.members[c.streams:] {
		all = errors.Join(all, <-heard)
	}
	c.said += n
	return all
}

func (c *crowd) say(ctx context.Context, n int, beat time.Duration) error {
	clock := time.NewTicker(beat)
	defer clock.Stop()
	for i := range n * c.streams {
		select {
		case <-ctx.Done():
			return ctx.Err() // and the members' reads end too
		case <-clock.C:
		}
		if err := c.members[i%c.streams].tell(c.said + i/c.streams); err != nil {
			return err
		}
	}
	return nil
}

// took is how long the messages were under way since the last call.
func (c *crowd) took() []time.Duration {
	var all []time.Duration
	for _, m := range c.members {
		all = append(all, m.took...)
		m.took = m.took[:0]
	}
	return all
}

// leave closes all connections.
func (c *crowd) leave() {
	for _, m := range c.members {
		m.abandon()
	}
}
