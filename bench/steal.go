//go:build linux

package main

import (
	"fmt"
	"os"
	"strings"
)

// hostTime is what the CPUs of this machine have worked and waited for the host
// they are on, since it began (proc(5), the first line of /proc/stat), in ticks.
type hostTime struct{ worked, stolen float64 }

func readHostTime() hostTime {
	text, _ := os.ReadFile("/proc/stat")
	return parseHostTime(string(text))
}

// parseHostTime takes what it cannot read for nothing: it is for a note.
func parseHostTime(text string) (t hostTime) {
	var user, nice, system, idle, wait, irq, softirq float64
	fmt.Sscanf(text, "cpu %g %g %g %g %g %g %g %g", &user, &nice, &system, &idle, &wait, &irq, &softirq, &t.stolen)
	t.worked = user + nice + system + irq + softirq
	return t
}

// stolenSince is which part of the time that the machine wanted the host gave to
// others.
func (t hostTime) stolenSince(before hostTime) float64 {
	stolen := t.stolen - before.stolen
	if stolen <= 0 {
		return 0
	}
	return stolen / (stolen + t.worked - before.worked)
}

// unquiet is from which stolen part on a row is named.
const unquiet = 0.05

// unquietRows are those that were measured on a machine that was not all there.
type unquietRows []string

func (a *unquietRows) add(title string, stolen float64) {
	if stolen >= unquiet {
		*a = append(*a, fmt.Sprintf("%s %.0f %%", title, 100*stolen))
	}
}

func (t *table) noteAway(a unquietRows) {
	if a != nil {
		t.note("not quiet: of the CPU time that this machine wanted its host gave away, in these rows: %s", strings.Join(a, "; "))
	}
}
