package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// tick is the unit of times in /proc/PID/stat (USER_HZ is 100 on every Linux).
const tick = 10 * time.Millisecond

// processTree returns pid and all its living descendants.
func processTree(pid int) []int {
	tree := []int{pid}
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, list := range lists {
		text, _ := os.ReadFile(list)
		for _, word := range strings.Fields(string(text)) {
			if child, err := strconv.Atoi(word); err == nil {
				tree = append(tree, processTree(child)...)
			}
		}
	}
	return tree
}

// A cpuReading is the CPU time, user and system, of a process tree so far.
type cpuReading struct {
	clock time.Duration // nanosecond clocks of the living, ticks of the reaped
	stat  time.Duration // the same from /proc/PID/stat alone: a cross-check

	processes int // how many are living
}

// readCPU adds up the tree below pid. A child that ends meanwhile is left out:
// its parent's stat has it at the next reading.
func readCPU(pid int) (cpuReading, error) {
	var sum cpuReading
	for _, p := range processTree(pid) {
		r, err := readProcessCPU(p)
		if err != nil && p == pid {
			return cpuReading{}, err
		}
		sum.processes++
		sum.clock += r.clock
		sum.stat += r.stat
	}
	return sum, nil
}

func readProcessCPU(pid int) (cpuReading, error) {
	var now unix.Timespec
	if err := unix.ClockGettime(processClock(pid), &now); err != nil {
		return cpuReading{}, fmt.Errorf("CPU clock of process %d: %w", pid, err)
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return cpuReading{}, err
	}
	own, reaped, err := parseStat(text)
	if err != nil {
		return cpuReading{}, err
	}
	return cpuReading{clock: time.Duration(now.Nano()) + reaped, stat: own + reaped}, nil
}

// processClock is the clock id of all threads of pid (clock_getcpuclockid(3)).
func processClock(pid int) int32 { return int32(^pid<<3 | 2) }

// parseStat reads utime+stime and cutime+cstime of proc_pid_stat(5).
func parseStat(text []byte) (own, reaped time.Duration, err error) {
	after := bytes.LastIndexByte(text, ')') // the name may hold anything
	fields := strings.Fields(string(text[after+1:]))
	if after < 0 || len(fields) < 15 {
		return 0, 0, errors.New("short /proc/PID/stat")
	}
	var ticks [4]time.Duration
	for i := range ticks {
		n, err := strconv.ParseInt(fields[11+i], 10, 64)
		if err != nil {
			return 0, 0, fmt.Errorf("/proc/PID/stat: %w", err)
		}
		ticks[i] = time.Duration(n) * tick
	}
	return ticks[0] + ticks[1], ticks[2] + ticks[3], nil
}

// settledCPU reads until the tree has been idle for three readings, since a thread
// that runs just now has its time booked late. A tree that never rests is read as it is.
func settledCPU(pid int) (cpuReading, error) {
	last, err := readCPU(pid)
	for idle, tries := 0, 0; idle < 2 && tries < 40 && err == nil; tries++ {
		time.Sleep(5 * time.Millisecond)
		before := last
		last, err = readCPU(pid)
		if idle++; last.clock != before.clock {
			idle = 0
		}
	}
	return last, err
}
