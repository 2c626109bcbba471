//go:build linux

package main

import (
	"bytes"
	"context"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Every row runs on every proxy of the machine, the stream rows on the stand-ins too.
// The loads compare each byte, so a row that did not fail carried its bytes.
func TestEveryRowRuns(t *testing.T) {
	all := realSections(t)
	for i := range all {
		if all[i].kind == toBytes && !all[i].mixed {
			all[i].columns = append(all[i].columns, column{"raw", &standIn{"raw"}}, column{"framed", &standIn{"framed"}})
		}
	}
	serveSections(t, all, func([]section) {})
	p := testPlan(t)
	for _, s := range all {
		t.Run(s.title, func(t *testing.T) { requireRows(t, s, measured(t, p, s)) })
	}
}

// requireRows wants a table without a failure that has all that the section has.
func requireRows(t *testing.T, s section, table *table) {
	t.Helper()
	text := table.markdown()
	if len(table.rows) != len(s.loads) || len(table.columns) != len(s.columns) || table.failed() {
		t.Fatalf("want %d rows and %d columns and no failure, got\n%s", len(s.loads), len(s.columns), text)
	}
	for _, r := range table.rows {
		if !strings.Contains(text, "\n| "+table.prefix+r.load.title()+" | "+r.load.unit()) {
			t.Errorf("no row %q in\n%s", r.load.title(), text)
		}
		requireWork(t, table, r)
	}
}

// requireWork wants one sample of every proxy, and CPU time spent wherever that is
// what the row counts.
func requireWork(t *testing.T, table *table, r *row) {
	t.Helper()
	for i, c := range r.cells {
		if len(c.samples) != 1 {
			t.Fatalf("%s, %s: %d samples, want 1", r.load.title(), table.columns[i], len(c.samples))
		}
		if s := c.samples[0]; r.load.unit() != "KiB" && (s.cost <= 0 || s.p99 < s.p50) {
			t.Errorf("%s, %s: %+v, want a cost and percentiles in order", r.load.title(), table.columns[i], s)
		}
	}
}

// A proxy that changes a byte fails every row, and the run goes on with the others.
func TestALyingProxyIsFoundOut(t *testing.T) {
	got := measured(t, testPlan(t), streams(t, &standIn{"lying"}, &standIn{"raw"}))
	for _, r := range got.rows {
		if r.cells[0].err == nil || r.cells[1].err != nil {
			t.Errorf("%s: errors %v (lying) and %v (honest)", r.load.title(), r.cells[0].err, r.cells[1].err)
		}
	}
	if text := got.markdown(); !strings.Contains(text, `stand-in lying failed "target->client bulk": `) {
		t.Errorf("the table does not say what failed:\n%s", text)
	}
}

// A proxy that does not start is left out with what it said.
func TestAProxyThatEndsAtOnceIsLeftOut(t *testing.T) {
	s := streams(t, &standIn{"dead"}, &standIn{"raw"})
	s.loads = []load{connects{}}
	got := measured(t, testPlan(t), s)
	if want := []string{"stand-in raw"}; !slices.Equal(got.columns, want) {
		t.Errorf("columns %q, want %q", got.columns, want)
	}
	if text := got.markdown(); !strings.Contains(text, "stand-in dead is left out") || !strings.Contains(text, "out of order") {
		t.Errorf("the table does not say why:\n%s", text)
	}
}

// cancelOnProgress is a progress writer that cancels at the first line it gets.
type cancelOnProgress context.CancelFunc

func (c cancelOnProgress) Write(b []byte) (int, error) {
	c()
	return len(b), nil
}

// Ctrl-C in the middle of a run leaves no process behind.
func TestInterruptedRunKillsTheProxies(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	p := testPlan(t)
	p.progress = cancelOnProgress(cancel)
	if _, err := p.measureAll(ctx, []section{streams(t, &standIn{"raw"}, &standIn{"framed"})}); err != context.Canceled {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
	if tree := processTree(os.Getpid()); len(tree) != 1 {
		t.Errorf("processes left behind: %v", tree[1:])
	}
}

// Without -rows all tables are there; with it, those that have such a row.
func TestChooseRows(t *testing.T) {
	for pattern, want := range map[string][]string{
		"":                   {"Plain TCP", "TLS 1.3 on the client's side", "Growth", "Growth, TLS", "WebSocket to WebSocket", "Message hub", "Others during an attack"},
		"^gateway: ":         {"WebSocket to WebSocket"},
		"^(TLS )?connect":    {"Plain TCP", "TLS 1.3 on the client's side"},
		"^memory":            {"Plain TCP"},
		"^hub: .* 20 ":       {"Message hub"},
		"^attack: pings":     {"Others during an attack"},
		"no row is like it!": nil,
	} {
		var got []string
		for _, s := range (plan{rows: regexp.MustCompile(pattern)}).choose(options{}.sections(&program{}, quickAmounts())) {
			got = append(got, s.title)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: tables %q, want %q", pattern, got, want)
		}
	}
}

// A column with a flag of its own is there when the flag is; -only takes all others out.
func TestColumns(t *testing.T) {
	for _, c := range []struct {
		o    options
		want string
	}{
		{options{}, "wsbridge haproxy splice websockify"},
		{options{pump: "goroutines"}, "wsbridge pump haproxy splice websockify"},
		{options{base: "old", websockify: "new"}, "wsbridge base haproxy splice websockify other"},
		{options{only: "haproxy,wsbridge"}, "wsbridge haproxy"},
		{options{only: "base"}, ""},
	} {
		var got []string
		for _, column := range c.o.sections(&program{}, quickAmounts())[0].columns {
			got = append(got, column.name)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%+v: columns %q, want %q", c.o, got, c.want)
		}
	}
}

// The largest rows have as many sessions as the descriptors are for.
func TestCrowd(t *testing.T) {
	for files, want := range map[int]int{1 << 20: 10_000, 20_000: 9_970, 1024: 1001} {
		if got := fullAmounts().crowd(files); got != want {
			t.Errorf("%d descriptors: %d sessions, want %d", files, got, want)
		}
	}
}

func TestCommandLine(t *testing.T) {
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"-help"}, 0, "-rounds"},
		{[]string{"-rounds", "0"}, 2, "at least 1 round"},
		{[]string{"stray"}, 2, "no arguments"},
		{[]string{"-nonsense"}, 2, "-nonsense"},
		{[]string{"-only", "nginx"}, 1, `"nginx" is none of wsbridge`},
		{[]string{"-rows", "("}, 1, "-rows"},
	} {
		var stdout, stderr bytes.Buffer
		if code := run(context.Background(), c.args, &stdout, &stderr); code != c.code || !strings.Contains(stderr.String(), c.says) {
			t.Errorf("%q: code %d, said %q; want %d and %q", c.args, code, stderr.String(), c.code, c.says)
		}
	}
}
