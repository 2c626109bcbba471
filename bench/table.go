//go:build linux

package main

import (
	"fmt"
	"slices"
	"strings"
)

// A table is the result of one run in one setting.
type table struct {
	title   string
	prefix  string // of every row's title
	columns []string
	rows    []*row
	notes   []string
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

// markdown renders the CPU table, the wall-clock table and the notes.
func (t *table) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "### %s\n\n", t.title)
	if len(t.rows) > 0 && len(t.columns) > 0 {
		t.writeCosts(&b)
		t.writeWalls(&b)
	}
	for _, n := range append(slices.Clone(t.notes), t.failures()...) {
		fmt.Fprintf(&b, "- %s\n", n)
	}
	return b.String()
}

// writeCosts has a ratio behind each column but the first: the first column's cost
// by that one's, the median of the rounds' ratios. Below 1 the first is cheaper.
func (t *table) writeCosts(b *strings.Builder) {
	head := []string{"CPU time of the proxy", "unit"}
	for i, c := range t.columns {
		head = append(head, c)
		if i > 0 {
			head = append(head, "ratio")
		}
	}
	writeHead(b, head)
	for _, r := range t.rows {
		line := []string{t.prefix + r.load.title(), r.load.unit()}
		for i, c := range r.cells {
			line = append(line, c.spread())
			if i > 0 {
				line = append(line, ratio(r.cells[0], c))
			}
		}
		writeLine(b, line)
	}
	fmt.Fprintf(b, "\nMedian (min..max). Ratio: %s by the column before it, median of the rounds; below 1, %[1]s is cheaper.\n\n", t.columns[0])
}

func (t *table) writeWalls(b *strings.Builder) {
	b.WriteString("By the way, the wall clock (load and proxy share the machine; do not compare across runs):\n\n")
	writeHead(b, append([]string{"wall clock", "unit"}, t.columns...))
	for _, r := range t.rows {
		if r.load.wallUnit() == "" {
			continue
		}
		line := []string{t.prefix + r.load.title(), r.load.wallUnit()}
		for _, c := range r.cells {
			line = append(line, c.wall())
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

// spread is the cell's cost: median (min..max).
func (c cell) spread() string {
	costs := c.costs()
	if c.err != nil || len(costs) == 0 {
		return "failed"
	}
	return fmt.Sprintf("%s (%s..%s)", figure(median(costs)), figure(slices.Min(costs)), figure(slices.Max(costs)))
}

func (c cell) wall() string {
	var walls []float64
	for _, s := range c.samples {
		walls = append(walls, s.wall)
	}
	if c.err != nil || len(walls) == 0 {
		return "failed"
	}
	return figure(median(walls))
}

func (c cell) costs() []float64 {
	var costs []float64
	for _, s := range c.samples {
		costs = append(costs, s.cost)
	}
	return costs
}

// ratio pairs a with b round by round, so that a slow minute of the machine weighs on
// both alike.
func ratio(a, b cell) string {
	var ratios []float64
	for i := range min(len(a.samples), len(b.samples)) {
		if b.samples[i].cost > 0 {
			ratios = append(ratios, a.samples[i].cost/b.samples[i].cost)
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
