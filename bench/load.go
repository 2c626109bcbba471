//go:build linux

package main

import (
	"context"
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
	cost float64 // in the load's unit; what is compared
	wall float64 // in the load's wall unit; by the way
}

// amounts say how much work one sample is.
type amounts struct {
	bulk     int64 // bytes per direction
	trips    int   // round trips, of all sessions together
	connects int
	idle     int           // idle sessions
	pause    time.Duration // between two looks at a memory that should be at rest
}

func fullAmounts() amounts {
	return amounts{bulk: 1 << 30, trips: 32_000, connects: 2_000, idle: 1_000, pause: 500 * time.Millisecond}
}

// quickAmounts prove that everything runs; the figures mean nothing.
func quickAmounts() amounts {
	return amounts{bulk: 4 << 20, trips: 256, connects: 20, idle: 20, pause: 20 * time.Millisecond}
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

// allLoads are the rows from top to bottom.
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

// micros is d per one of n, in microseconds.
func micros(d time.Duration, n int) float64 {
	return float64(d.Nanoseconds()) / 1e3 / float64(n)
}

// perSecond is how many of n are done in a second if all of them take d.
func perSecond(n int, d time.Duration) float64 {
	return float64(n) / d.Seconds()
}
