//go:build linux

package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// A table is the result of one run in one setting.
type table struct {
	title   string
	prefix  string // of every row's title
	costs   string // what the first table is headed; empty: CPU time and memory
	columns []string
	rows    []*row
	notes   []string

	chart     string              // the picture's file name without .svg; empty: none
	draw      func(*table) string // makes it
	reference int                 // the column others are held against in it; -1: none
}

type row struct {
	load  load
	cells []cell // one per column
}

// A cell is what one proxy did on one load. An error means it failed for good.
type cell struct {
	samples []sample
	err     error
}

func (t *table) addRow(l load) *row {
	r := &row{load: l, cells: make([]cell, len(t.columns))}
	t.rows = append(t.rows, r)
	return r
}

func (t *table) note(format string, args ...any) {
	t.notes = append(t.notes, fmt.Sprintf(format, args...))
}

// failed reports whether a proxy failed a load.
func (t *table) failed() bool {
	return slices.ContainsFunc(t.rows, func(r *row) bool {
		return slices.ContainsFunc(r.cells, func(c cell) bool { return c.err != nil })
	})
}

// markdown renders the CPU table, those of latency and wall clock, and the notes.
func (t *table) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "### %s\n\n", t.title)
	if len(t.rows) > 0 && len(t.columns) > 0 {
		if t.drawn() {
			fmt.Fprintf(&b, "![%s](charts/%s.svg)\n\n", t.title, t.chart)
		}
		t.writeCosts(&b)
		t.writeLatencies(&b)
		t.writeWalls(&b)
	}
	for _, n := range append(slices.Clone(t.notes), t.failures()...) {
		fmt.Fprintf(&b, "- %s\n", n)
	}
	return b.String()
}

// drawn tells whether there is a picture of the table.
func (t *table) drawn() bool { return t.chart != "" && t.reference >= 0 && len(t.rows) > 0 }

// writeCosts has a ratio behind each column but the first: the first column's cost
// by that one's, the median of the rounds' ratios. Below 1 the first is cheaper.
func (t *table) writeCosts(b *strings.Builder) {
	writeHead(b, t.withRatios(cmp.Or(t.costs, "CPU time, memory"), "unit"))
	for _, r := range t.rows {
		t.writeRow(b, r.load.title(), r.load.unit(), r, byCost)
	}
	b.WriteString("\nMedian (min..max).")
	if len(t.columns) > 1 {
		fmt.Fprintf(b, " Ratio: %s by the column before it, median of the rounds; below 1, %[1]s is cheaper.", t.columns[0])
	}
	b.WriteString("\n\n")
}

// writeLatencies has two lines for each row that has latencies.
func (t *table) writeLatencies(b *strings.Builder) {
	some := slices.DeleteFunc(slices.Clone(t.rows), func(r *row) bool { return !r.has(byP99) })
	if len(some) == 0 {
		return
	}
	b.WriteString("How long one took, with load and proxy on the same machine:\n\n")
	writeHead(b, t.withRatios("latency", "unit"))
	for _, r := range some {
		t.writeRow(b, r.load.title()+": half within", "us", r, byP50)
		t.writeRow(b, r.load.title()+": 99 % within", "us", r, byP99)
	}
	b.WriteString("\n")
}

func (t *table) withRatios(head ...string) []string {
	for i, c := range t.columns {
		head = append(head, c)
		if i > 0 {
			head = append(head, "ratio")
		}
	}
	return head
}

// writeRow is one line: the cells by what of gives, and ratios between.
func (t *table) writeRow(b *strings.Builder, title, unit string, r *row, of metric) {
	line := []string{t.prefix + title, unit}
	for i, c := range r.cells {
		line = append(line, c.spread(of))
		if i > 0 {
			line = append(line, ratio(r.cells[0], c, of))
		}
	}
	writeLine(b, line)
}

func (t *table) writeWalls(b *strings.Builder) {
	if !slices.ContainsFunc(t.rows, func(r *row) bool { return r.load.wallUnit() != "" }) {
		return
	}
	b.WriteString("By the way, the wall clock (load and proxy share the machine; do not compare across runs):\n\n")
	writeHead(b, append([]string{"wall clock", "unit"}, t.columns...))
	for _, r := range t.rows {
		if r.load.wallUnit() == "" {
			continue
		}
		line := []string{t.prefix + r.load.title(), r.load.wallUnit()}
		for _, c := range r.cells {
			line = append(line, c.middle(byWall))
		}
		writeLine(b, line)
	}
	b.WriteString("\n")
}

func (t *table) failures() []string {
	var all []string
	for _, r := range t.rows {
		for i, c := range r.cells {
			if c.err != nil {
				all = append(all, fmt.Sprintf("%s failed %q: %s", t.columns[i], t.prefix+r.load.title(),
					strings.ReplaceAll(c.err.Error(), "\n", "; ")))
			}
		}
	}
	return all
}

func writeHead(b *strings.Builder, head []string) {
	writeLine(b, head)
	b.WriteString("|---|---|" + strings.Repeat("---:|", len(head)-2) + "\n")
}

func writeLine(b *strings.Builder, cells []string) {
	b.WriteString("| " + strings.Join(cells, " | ") + " |\n")
}

// A metric is one of a sample's figures.
type metric func(sample) float64

func byCost(s sample) float64 { return s.cost }
func byWall(s sample) float64 { return s.wall }
func byP50(s sample) float64  { return s.p50 }
func byP99(s sample) float64  { return s.p99 }

// has tells whether any sample of the row has the figure.
func (r *row) has(of metric) bool {
	return slices.ContainsFunc(r.cells, func(c cell) bool {
		return slices.ContainsFunc(c.samples, func(s sample) bool { return of(s) != 0 })
	})
}

// spread is the cell's figure: median (min..max).
func (c cell) spread(of metric) string {
	values := c.values(of)
	if len(values) == 0 {
		return "failed"
	}
	return fmt.Sprintf("%s (%s..%s)", figure(median(values)), figure(slices.Min(values)), figure(slices.Max(values)))
}

func (c cell) middle(of metric) string {
	if len(c.values(of)) == 0 {
		return "failed"
	}
	return figure(median(c.values(of)))
}

// values are the samples' figures; none if the proxy failed.
func (c cell) values(of metric) []float64 {
	var values []float64
	for _, s := range c.samples {
		values = append(values, of(s))
	}
	if c.err != nil {
		return nil
	}
	return values
}

// ratio pairs a with b round by round, so that a slow minute of the machine weighs on
// both alike.
func ratio(a, b cell, of metric) string {
	var ratios []float64
	for i := range min(len(a.samples), len(b.samples)) {
		if of(b.samples[i]) > 0 {
			ratios = append(ratios, of(a.samples[i])/of(b.samples[i]))
		}
	}
	if a.err != nil || b.err != nil || len(ratios) == 0 {
		return ""
	}
	return figure(median(ratios))
}

// figure prints three digits or so.
func figure(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	case v >= 0.1:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.2g", v)
}
