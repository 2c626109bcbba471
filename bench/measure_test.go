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

// Every row runs on every proxy of the machine and on the stand-ins, plain and TLS.
// The loads compare each byte, so a row that did not fail carried its bytes.
func TestEveryRowRuns(t *testing.T) {
	proxies := append(realProxies(t), &standIn{"raw"}, &standIn{"framed"})
	p := testPlan(t, proxies...)
	tables, err := p.measureBoth(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range tables {
		text := table.markdown()
		if len(table.rows) != len(allLoads()) || len(table.columns) != len(proxies) || table.failed() {
			t.Fatalf("want %d rows and %d columns and no failure, got\n%s", len(allLoads()), len(proxies), text)
		}
		for _, r := range table.rows {
			if !strings.Contains(text, "\n| "+table.prefix+r.load.title()+" | "+r.load.unit()) {
				t.Errorf("no row %q in\n%s", r.load.title(), text)
			}
			requireWork(t, table, r)
		}
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
		if _, memory := r.load.(idle); !memory && c.samples[0].cost <= 0 {
			t.Errorf("%s, %s: cost %v, want more than 0", r.load.title(), table.columns[i], c.samples[0].cost)
		}
	}
}

// A proxy that changes a byte fails every row, and the run goes on with the others.
func TestALyingProxyIsFoundOut(t *testing.T) {
	got := measurePlain(t, testPlan(t, &standIn{"lying"}, &standIn{"raw"}))
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
	p := testPlan(t, &standIn{"dead"}, &standIn{"raw"})
	p.rows = regexp.MustCompile("connect")
	got := measurePlain(t, p)
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
	p := testPlan(t, &standIn{"raw"}, &standIn{"framed"})
	p.progress = cancelOnProgress(cancel)
	if _, err := p.measure(ctx, "plain", "", nil); err != context.Canceled {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
	if tree := processTree(os.Getpid()); len(tree) != 1 {
		t.Errorf("processes left behind: %v", tree[1:])
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
