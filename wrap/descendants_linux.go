package wrap

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// process is a line of the process table.
type process struct {
	pid, parent, group int
	zombie             bool // has ended, or its first thread has
}

// signal sends sig to the program's group and to every other descendant, but
// not again to those in told, and tells how many living ones it found anew.
func (k *keeper) signal(sig syscall.Signal, told map[int]bool) (living int) {
	found := descendants(os.Getpid())
	group := !k.ended && !told[k.pid]
	if group { // also where /proc hides the program from us
		told[k.pid] = true
		send(-k.pid, sig)
	}
	for _, p := range found {
		if !group || p.group != k.pid {
			if told[p.pid] {
				continue
			}
			send(p.pid, sig)
		}
		told[p.pid] = true
		if !p.zombie {
			living++
		}
	}
	return living
}

// send wakes who is stopped, to hear SIGTERM.
func send(target int, sig syscall.Signal) {
	syscall.Kill(target, sig)
	if sig == syscall.SIGTERM {
		syscall.Kill(target, syscall.SIGCONT)
	}
}

// descendants are all processes below root.
func descendants(root int) []process {
	children := map[int][]process{}
	for _, p := range processes() {
		children[p.parent] = append(children[p.parent], p)
	}
	found := children[root]
	for i := 0; i < len(found); i++ {
		found = append(found, children[found[i].pid]...)
	}
	return found
}

// processes are those of /proc.
func processes() (all []process) {
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range files {
		stat, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		p := process{}
		p.pid, _ = strconv.Atoi(filepath.Base(filepath.Dir(file)))
		var state string
		// The name in parentheses may hold anything, also parentheses.
		rest := stat[bytes.LastIndexByte(stat, ')')+1:]
		if _, err := fmt.Sscan(string(rest), &state, &p.parent, &p.group); err == nil {
			p.zombie = state == "Z"
			all = append(all, p)
		}
	}
	return all
}
