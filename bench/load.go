//go:build linux

package main

import (
	"context"
	"slices"
	"time"
)

// A load is one row of the table.
type load interface {
	title() string
	unit() string     // of sample.cost
	wallUnit() string // of sample.wall; empty if there is nothing to say
	run(ctx context.Context, st *station, a amounts) (sample, error)
}

// A sample is one round of one load on one proxy.
type sample struct {
	cost     float64 // in the load's unit; what is compared
	wall     float64 // in the load's wall unit; by the way
	p50, p99 float64 // latency in microseconds, by the way; 0: none
}

// amounts say how much work one sample is.
type amounts struct {
	bulk     int64 // bytes per direction
	trips    int   // round trips, of all sessions together
	connects int
	idle     int           // idle sessions
	pause    time.Duration // between two looks at a memory that should be at rest

	growth   []int // sessions of the growth rows
	sessions int   // of the largest row, descriptors permitting
	each     int   // round trips of every session, at least

	gateway []int         // sessions of the gateway rows
	hub     []int         // connections of the hub rows
	streams int           // of the hub
	rounds  int           // messages on each of them
	beat    time.Duration // from one message to the next, of all streams

	peers int           // sessions beside an attack
	paced int           // round trips of each
	pace  time.Duration // from one to the next
	held  int           // connections of an attack that holds some, descriptors permitting
}

func fullAmounts() amounts {
	return amounts{
		bulk: 1 << 30, trips: 32_000, connects: 2_000, idle: 1_000, pause: 500 * time.Millisecond,
		growth: []int{1, 10, 100, 1_000}, sessions: 10_000, each: 8,
		gateway: []int{1, 64},
		hub:     []int{1_000, 10_000}, streams: 100, rounds: 10, beat: 10 * time.Millisecond,
		peers: 64, paced: 28, pace: 50 * time.Millisecond, held: 5_000,
	}
}

// quickAmounts prove that everything runs; the figures mean nothing.
func quickAmounts() amounts {
	return amounts{
		bulk: 4 << 20, trips: 256, connects: 20, idle: 20, pause: 20 * time.Millisecond,
		growth: []int{1, 4}, sessions: 30, each: 2,
		gateway: []int{1, 8},
		hub:     []int{20}, streams: 4, rounds: 5, beat: time.Millisecond,
		peers: 4, paced: 5, pace: 5 * time.Millisecond, held: 30,
	}
}

// over divides the work for a slow proxy.
func (a amounts) over(divisor int) amounts {
	d := a
	d.bulk /= int64(divisor)
	d.trips /= divisor
	d.connects = max(1, a.connects/divisor)
	d.idle = max(1, a.idle/divisor)
	return d
}

// allLoads are the rows of a stream table.
func allLoads() []load {
	return []load{
		bulk{toTarget: false},
		bulk{toTarget: true},
		roundTrips{sessions: 1},
		roundTrips{sessions: 64},
		connects{},
		idle{},
	}
}

// growthLoads show what becomes of the cost when there are more sessions.
func growthLoads(a amounts, crowd int) []load {
	var all []load
	for _, n := range append(slices.Clone(a.growth), crowd) {
		all = append(all, roundTrips{sessions: n})
	}
	return append(all, idle{of: crowd})
}

// messageSize is that of a gateway's messages.
const messageSize = 1 << 10

func gatewayLoads(a amounts) []load {
	var all []load
	for _, n := range a.gateway {
		all = append(all, roundTrips{sessions: n, message: messageSize})
	}
	return all
}

func hubLoads(a amounts) []load {
	var all []load
	for _, n := range a.hub {
		all = append(all, deliveries{members: n}, membership{members: n})
	}
	return all
}

// micros is d per one of n, in microseconds.
func micros(d time.Duration, n int) float64 {
	return float64(d.Nanoseconds()) / 1e3 / float64(n)
}

// perSecond is how many of n are done in a second if all of them take d.
func perSecond(n int, d time.Duration) float64 {
	return float64(n) / d.Seconds()
}

// timed adds what a load's parts took to its sample.
func (s sample) timed(took []time.Duration) sample {
	slices.Sort(took)
	s.p50, s.p99 = percentile(took, 50), percentile(took, 99)
	return s
}

// percentile of sorted times, in microseconds: p percent of them are not above it.
func percentile(sorted []time.Duration, p int) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return micros(sorted[(len(sorted)*p+99)/100-1], 1)
}
