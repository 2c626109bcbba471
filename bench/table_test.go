//go:build linux

package main

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func cellOf(costs ...float64) cell {
	var c cell
	for _, v := range costs {
		c.samples = append(c.samples, sample{cost: v, wall: 1000 * v, p50: 10 * v, p99: 100 * v})
	}
	return c
}

func TestMarkdown(t *testing.T) {
	got := &table{
		title: "Plain TCP", prefix: "", columns: []string{"a", "b"},
		rows: []*row{
			{bulk{}, []cell{cellOf(0.5, 0.25, 1), cellOf(1, 1, 1)}},
			{idle{}, []cell{{samples: []sample{{cost: 3}, {cost: 5}}}, {err: errors.New("out\nof order")}}},
		},
		notes: []string{"a note"},
	}
	const want = `### Plain TCP

| CPU time, memory | unit | a | b | ratio |
|---|---|---:|---:|---:|
| target->client bulk | CPU-s/GB | 0.50 (0.25..1.00) | 1.00 (1.00..1.00) | 0.50 |
| memory per idle session | KiB | 4.00 (3.00..5.00) | failed |  |

Median (min..max). Ratio: a by the column before it, median of the rounds; below 1, a is cheaper.

How long one took, with load and proxy on the same machine:

| latency | unit | a | b | ratio |
|---|---|---:|---:|---:|
| target->client bulk: half within | us | 5.00 (2.50..10.0) | 10.0 (10.0..10.0) | 0.50 |
| target->client bulk: 99 % within | us | 50.0 (25.0..100) | 100 (100..100) | 0.50 |

By the way, the wall clock (load and proxy share the machine; do not compare across runs):

| wall clock | unit | a | b |
|---|---|---:|---:|
| target->client bulk | MB/s | 500 | 1000 |

- a note
- b failed "memory per idle session": out; of order
`
	if d := cmp.Diff(want, got.markdown()); d != "" {
		t.Error(d)
	}
	if !got.failed() {
		t.Error("a table with a failed cell does not report it")
	}
}

// A table of one column has no ratios.
func TestMarkdownOfOneColumn(t *testing.T) {
	got := (&table{title: "Hub", prefix: "hub: ", columns: []string{"a"}, rows: []*row{
		{membership{1000}, []cell{{samples: []sample{{cost: 3}}}}},
	}}).markdown()
	const want = `### Hub

| CPU time, memory | unit | a |
|---|---|---:|
| hub: memory per connection, of 1000 | KiB | 3.00 (3.00..3.00) |

Median (min..max).

`
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestPercentile(t *testing.T) {
	var hundred []time.Duration
	for i := range 100 {
		hundred = append(hundred, time.Duration(100-i)*time.Microsecond)
	}
	for _, c := range []struct {
		took     []time.Duration
		p50, p99 float64
	}{
		{nil, 0, 0},
		{[]time.Duration{7 * time.Microsecond}, 7, 7},
		{[]time.Duration{3 * time.Microsecond, time.Microsecond, 2500}, 2.5, 3},
		{hundred, 50, 99},
	} {
		if got := (sample{}).timed(c.took); got.p50 != c.p50 || got.p99 != c.p99 {
			t.Errorf("%v: %+v, want %v and %v", c.took, got, c.p50, c.p99)
		}
	}
}

func TestFigure(t *testing.T) {
	for v, want := range map[float64]string{
		6600.4: "6600", 100: "100", 65.04: "65.0", 3.3: "3.30", 0.404: "0.40", 0.0456: "0.046", 0: "0", -2: "-2",
	} {
		if got := figure(v); got != want {
			t.Errorf("%v: %s, want %s", v, got, want)
		}
	}
}

// Writing results leaves the rest of the page as it was, and a page without marks alone.
func TestSaveBlock(t *testing.T) {
	file := filepath.Join(t.TempDir(), "README.md")
	if err := saveBlock(file, "first\n"); err != nil {
		t.Fatal(err)
	}
	requireFile(t, file, blockBegin+"first\n"+blockEnd)

	os.WriteFile(file, []byte("# Page\n"+blockBegin+"old\n"+blockEnd+"tail\n"), 0o644)
	if err := saveBlock(file, "second\n"); err != nil {
		t.Fatal(err)
	}
	requireFile(t, file, "# Page\n"+blockBegin+"second\n"+blockEnd+"tail\n")

	os.WriteFile(file, []byte("no marks\n"), 0o644)
	if err := saveBlock(file, "third\n"); err == nil {
		t.Error("no error for a page without marks")
	}
	requireFile(t, file, "no marks\n")
}

func requireFile(t *testing.T, file, want string) {
	t.Helper()
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, string(got)); d != "" {
		t.Error(d)
	}
}
