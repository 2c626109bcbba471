//go:build linux

package main

import (
	"math"
	"strings"
	"testing"
)

func TestStolenTime(t *testing.T) {
	before := parseHostTime("cpu  100 10 50 5000 7 0 40 20 0 0\ncpu0 1 2 3\n")
	if before != (hostTime{worked: 200, stolen: 20}) {
		t.Errorf("read %+v", before)
	}
	for after, want := range map[string]float64{
		"cpu  160 10 50 9000 7 0 40 20 0 0\n": 0,
		"cpu  160 10 50 9000 7 0 40 60 0 0\n": 0.4,
		"cpu  100 10 50 9000 7 0 40 20 0 0\n": 0,
		"no such line":                        0,
	} {
		if got := parseHostTime(after).stolenSince(before); math.Abs(got-want) > 1e-9 {
			t.Errorf("%q: %v, want %v", after, got, want)
		}
	}
	if now := readHostTime(); now.worked <= 0 {
		t.Errorf("this machine: %+v", now)
	}
}

// A row that was measured while the machine was away is named, one that was not is not.
func TestUnquietRowsAreNamed(t *testing.T) {
	table, away := new(table), unquietRows(nil)
	table.noteAway(away)
	away.add("calm", unquiet/2)
	away.add("storm", 0.37)
	table.noteAway(away)
	if notes := strings.Join(table.notes, "\n"); len(table.notes) != 1 || !strings.Contains(notes, "storm 37 %") || strings.Contains(notes, "calm") {
		t.Errorf("notes %q", notes)
	}
}
