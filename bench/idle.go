//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"
)

// idle is the memory of sessions that have done one echo and now say nothing, on a
// proxy of its own that holds some already: what one session more costs, without
// what the first ones cost once and for all. With of there are so many in the end,
// else twice as many as at first.
type idle struct{ of int }

func (l idle) unit() string     { return "KiB" }
func (l idle) wallUnit() string { return "" }

func (l idle) title() string {
	if l.of > 0 {
		return fmt.Sprintf("memory per idle session, of %d", l.of)
	}
	return "memory per idle session"
}

func (l idle) run(ctx context.Context, st *station, a amounts) (sample, error) {
	fresh, err := st.again(ctx)
	if err != nil {
		return sample{}, err
	}
	defer fresh.stop()
	more := a.idle
	if l.of > 0 {
		more = l.of - a.idle
	}
	before, first, err := l.hold(ctx, fresh, a.idle, a.pause)
	defer abandonAll(first)
	if err != nil {
		return sample{}, err
	}
	after, second, err := l.hold(ctx, fresh, more, a.pause)
	defer abandonAll(second)
	return sample{cost: float64(after-before) / 1024 / float64(more)}, err
}

// hold opens n sessions, has each do an echo, and reads the memory they leave behind.
func (l idle) hold(ctx context.Context, st *station, n int, pause time.Duration) (memory int64, sessions []*session, err error) {
	if sessions, err = openAll(ctx, st, n); err != nil {
		return 0, sessions, err
	}
	if err = (roundTrips{}).exchange(sessions, 1); err != nil {
		return 0, sessions, err
	}
	memory, err = settledMemory(ctx, st, pause)
	return memory, sessions, err
}

// settledMemory reads until two readings a pause apart are within a hundredth.
func settledMemory(ctx context.Context, st *station, pause time.Duration) (int64, error) {
	last, err := treeMemory(st.cmd.Process.Pid)
	for range 10 {
		if err != nil {
			return 0, err
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(pause):
		}
		before := last
		last, err = treeMemory(st.cmd.Process.Pid)
		if (last-before)*100 <= before && (before-last)*100 <= before {
			break
		}
	}
	return last, err
}

// treeMemory is the proportional set size of a process tree in bytes: what is shared
// between its processes counts once.
func treeMemory(pid int) (int64, error) {
	var sum int64
	for _, p := range processTree(pid) {
		pss, err := processMemory(p)
		if err != nil && p == pid {
			return 0, err
		}
		sum += pss
	}
	return sum, nil
}

func processMemory(pid int) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(text) {
		if fields := bytes.Fields(line); len(fields) == 3 && string(fields[0]) == "Pss:" {
			kib, err := strconv.ParseInt(string(fields[1]), 10, 64)
			return kib << 10, err
		}
	}
	return 0, errors.New("no Pss in /proc/PID/smaps_rollup")
}
