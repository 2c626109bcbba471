//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// describe is the machine and the programs of a run, as a Markdown list.
func describe(rounds int, sections []section) string {
	var b strings.Builder
	fmt.Fprintf(&b, "- date: %s; rounds: %d\n", time.Now().UTC().Format(time.DateOnly), rounds)
	fmt.Fprintf(&b, "- machine: %s, %d CPUs, load average at the start %s\n", cpuModel(), runtime.NumCPU(), loadAverage())
	fmt.Fprintf(&b, "- kernel: %s, TCP congestion control %s\n- Go: %s\n",
		kernel(), congestionControl(), runtime.Version())
	known := map[string]bool{}
	for _, s := range sections {
		for _, c := range s.columns {
			if v := c.proxy.version(); !known[v] {
				fmt.Fprintf(&b, "- %s: %s\n", c.proxy.name(), v)
				known[v] = true
			}
		}
	}
	return b.String()
}

func cpuModel() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range bytes.Lines(text) {
		if name, ok := bytes.CutPrefix(line, []byte("model name")); ok {
			return strings.Trim(string(name), "\t :\n")
		}
	}
	return runtime.GOARCH
}

func loadAverage() string {
	text, _ := os.ReadFile("/proc/loadavg")
	words := strings.Fields(string(text))
	return strings.Join(words[:min(3, len(words))], " ")
}

func kernel() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return "unknown"
	}
	return unix.ByteSliceToString(u.Sysname[:]) + " " + unix.ByteSliceToString(u.Release[:])
}

func congestionControl() string {
	text, _ := os.ReadFile("/proc/sys/net/ipv4/tcp_congestion_control")
	return strings.TrimSpace(string(text))
}
