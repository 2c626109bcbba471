//go:build linux

package main

import (
	"fmt"
	"html"
	"math"
	"os"
	"path/filepath"
	"strings"
)

// Sizes of a chart in pixels.
const (
	chartWidth = 760
	plotLeft   = 270 // of bars; rows have their titles before it
	plotWidth  = 330
	barHeight  = 14
	rowGap     = 14
	chartHead  = 56 // title and legend
)

// barScale is where a bar of bars is cut: so many times the reference.
const barScale = 2.0

// saveCharts writes the tables' pictures into dir, which is made if need be.
func saveCharts(dir string, tables []*table) error {
	for _, t := range tables {
		if !t.drawn() {
			continue
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, t.chart+".svg"), []byte(t.draw(t)), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// An svg is a picture being written.
type svg struct{ b strings.Builder }

// newSVG begins a picture with the title and a legend of the columns.
func newSVG(t *table, what string, height int) *svg {
	s := &svg{}
	fmt.Fprintf(&s.b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", chartWidth, height)
	s.rect(0, 0, chartWidth, float64(height), "#ffffff")
	s.text(12, 20, "start", "bold", t.title+": "+what)
	x := 12.0
	for i, c := range t.columns {
		s.rect(x, 31, 10, 10, colour(i))
		s.text(x+15, 40, "start", "normal", c)
		x += 30 + 7*float64(len(c))
	}
	return s
}

func (s *svg) end() string {
	s.b.WriteString("</svg>\n")
	return s.b.String()
}

func (s *svg) rect(x, y, w, h float64, fill string) {
	fmt.Fprintf(&s.b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"/>`+"\n", x, y, w, h, fill)
}

func (s *svg) line(x1, y1, x2, y2 float64, stroke string, width float64) {
	fmt.Fprintf(&s.b, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s" stroke-width="%.1f"/>`+"\n", x1, y1, x2, y2, stroke, width)
}

func (s *svg) text(x, y float64, anchor, weight, text string) {
	fmt.Fprintf(&s.b, `<text x="%.1f" y="%.1f" text-anchor="%s" font-weight="%s" fill="#222222">%s</text>`+"\n",
		x, y, anchor, weight, html.EscapeString(text))
}

// colour is a column's, told apart by people who see no red or no green, too.
func colour(column int) string {
	colours := []string{"#0072b2", "#e69f00", "#999999", "#009e73", "#cc79a7", "#56b4e9", "#d55e00"}
	return colours[column%len(colours)]
}

// bars has a group for each row, with all costs in parts of the reference column's.
func bars(t *table) string {
	group := barHeight*len(t.columns) + rowGap
	height := chartHead + group*len(t.rows) + rowGap
	s := newSVG(t, "cost, "+t.columns[t.reference]+" = 1", height)
	at := plotLeft + plotWidth/barScale
	s.line(at, chartHead-6, at, float64(height-rowGap), "#bbbbbb", 1)
	for i, r := range t.rows {
		s.group(t, r, float64(chartHead+i*group))
	}
	return s.end()
}

func (s *svg) group(t *table, r *row, y float64) {
	s.text(plotLeft-10, y+float64(barHeight*len(r.cells))/2+4, "end", "normal", t.prefix+r.load.title())
	base := r.cells[t.reference].values(byCost)
	if len(base) == 0 || median(base) <= 0 {
		return
	}
	for i, c := range r.cells {
		values := c.values(byCost)
		if len(values) == 0 {
			continue
		}
		part := median(values) / median(base)
		length := plotWidth * min(max(part, 0), barScale) / barScale
		s.rect(plotLeft, y+float64(i*barHeight), length, barHeight-3, colour(i))
		s.text(plotLeft+length+5, y+float64(i*barHeight)+10, "start", "normal",
			fmt.Sprintf("%s (%s %s)", figure(part), figure(median(values)), r.load.unit()))
	}
}

// lines has the cost of a round trip over the number of sessions, on a scale where
// ten times as many are one step.
func lines(t *table) string {
	const height, bottom, left, right = 330, 290.0, 60.0, chartWidth - 30.0
	s := newSVG(t, "CPU-us for a round trip, by sessions", height)
	most, top := 1.0, 1.0
	for _, p := range t.trips() {
		most, top = max(most, math.Log10(p.sessions)), max(top, p.cost*1.1)
	}
	x := func(sessions float64) float64 { return left + (right-left)*math.Log10(sessions)/most }
	y := func(cost float64) float64 { return bottom - (bottom-chartHead)*cost/top }
	for i := range 5 {
		cost := top * float64(i) / 4
		s.line(left, y(cost), right, y(cost), "#dddddd", 1)
		s.text(left-8, y(cost)+4, "end", "normal", figure(cost))
	}
	last, labelled := map[int]point{}, 0.0
	for _, p := range t.trips() {
		if before, ok := last[p.column]; ok {
			s.line(x(before.sessions), y(before.cost), x(p.sessions), y(p.cost), colour(p.column), 2)
		}
		s.rect(x(p.sessions)-3, y(p.cost)-3, 6, 6, colour(p.column))
		if last[p.column] = p; p.sessions != labelled {
			labelled = p.sessions
			s.text(x(labelled), bottom+18, "middle", "normal", fmt.Sprint(labelled))
		}
	}
	return s.end()
}

// A point is the median cost of a round trip with so many sessions.
type point struct {
	column         int
	sessions, cost float64
}

// trips are the points of the table's round trips, from few sessions to many.
func (t *table) trips() []point {
	var all []point
	for _, r := range t.rows {
		l, ok := r.load.(roundTrips)
		for i, c := range r.cells {
			if values := c.values(byCost); ok && len(values) > 0 {
				all = append(all, point{i, float64(l.sessions), median(values)})
			}
		}
	}
	return all
}
