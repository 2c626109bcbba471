//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"regexp"
	"slices"
	"time"
)

// A plan is how one run of the bench measures.
type plan struct {
	rows     *regexp.Regexp // on the row's title; nil is all
	rounds   int
	amounts  amounts
	dir      string // for generated files
	progress io.Writer
	crypto   *certificate
}

// measureAll returns a table for each section; the error is only the context's.
func (p plan) measureAll(ctx context.Context, sections []section) ([]*table, error) {
	var tables []*table
	for _, s := range sections {
		t, err := p.measure(ctx, s)
		if err != nil {
			return nil, err
		}
		tables = append(tables, t)
	}
	return tables, nil
}

// measure does every load on every proxy and returns the table. A proxy that fails
// a load has the error in the table; the error returned is only the context's.
func (p plan) measure(ctx context.Context, s section) (*table, error) {
	t := &table{title: s.title, prefix: s.prefix, costs: s.costs, chart: s.chart, draw: s.draw, reference: -1}
	stations := p.startAll(ctx, t, s)
	defer stopAll(stations)
	var away unquietRows
	for _, l := range s.loads {
		row, before := t.addRow(l), readHostTime()
		for round := range p.rounds {
			fmt.Fprintf(p.progress, "bench: %s%s, round %d of %d\n", s.prefix, l.title(), round+1, p.rounds)
			p.takeRound(ctx, row, round, stations)
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
		}
		away.add(l.title(), readHostTime().stolenSince(before))
	}
	t.noteSkew(stations)
	t.noteAway(away)
	return t, nil
}

// startAll starts every proxy and makes it a column; one that does not start is left
// out, and the table says so.
func (p plan) startAll(ctx context.Context, t *table, s section) []*station {
	to := setup{sessions: s.sessions}
	if s.target != nil {
		to.to = s.target.address()
	}
	if s.tls {
		to.tls, to.mixed = p.crypto, s.mixed
	}
	var stations []*station
	for _, c := range s.columns {
		st, err := start(ctx, c.proxy, p.dir, to, s.target)
		if err != nil {
			t.note("%s is left out: %v", c.proxy.name(), err)
			continue
		}
		if c.name == "haproxy" && t.reference < 0 {
			t.reference = len(stations)
		}
		stations = append(stations, st)
		t.columns = append(t.columns, c.proxy.name())
	}
	return stations
}

func stopAll(stations []*station) {
	for _, st := range stations {
		st.stop()
	}
}

// takeRound lets each proxy do the load once; who is first changes from round to round.
func (p plan) takeRound(ctx context.Context, r *row, round int, stations []*station) {
	for i := range stations {
		column := (round + i) % len(stations)
		cell := &r.cells[column]
		if cell.err != nil || ctx.Err() != nil {
			continue
		}
		s, err := p.takeSample(ctx, r.load, stations[column])
		if err != nil {
			cell.err = err
			restart(ctx, stations, column)
			continue
		}
		cell.samples = append(cell.samples, s)
	}
}

func (p plan) takeSample(ctx context.Context, l load, st *station) (sample, error) {
	ctx, cancel := context.WithTimeout(ctx, sampleTime)
	defer cancel()
	return l.run(ctx, st, p.amounts.over(st.proxy.divisor()))
}

// restart replaces a station that failed; if it cannot, the next load fails on the old.
func restart(ctx context.Context, stations []*station, column int) {
	old := stations[column]
	old.stop()
	if fresh, err := old.again(ctx); err == nil {
		stations[column] = fresh
	}
}

// median of values, which must not be empty.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// noteSkew says how well the process clocks agree with /proc/PID/stat.
func (t *table) noteSkew(stations []*station) {
	var worst time.Duration
	for _, st := range stations {
		worst = max(worst, st.skew)
	}
	t.note("in no sample did a process clock and /proc/PID/stat differ by more than %v per process (stat counts in steps of %v)",
		worst.Round(time.Millisecond), tick)
}
