// Package memory tells how much memory the process may take, and how much of
// that it has taken.
package memory

import (
	"io/fs"
	"math"
	"path"
	"runtime/debug"
	"strconv"
	"strings"
)

// Limit is how much memory the process may take.
type Limit struct {
	Bytes int64  // 0: nobody says
	From  string // who says so, for a person

	kept bool // the runtime has it from somebody else, and keeps it
}

// headroom is the part of a cgroup's limit, one in so many, that is left for what
// nobody counts: page tables, pipes, stacks of the kernel.
const headroom = 10

// OfEnvironment is what GOMEMLIMIT has told the runtime. It must come before the
// first Full.
func OfEnvironment() Limit {
	if n := debug.SetMemoryLimit(-1); n < math.MaxInt64 {
		return Limit{Bytes: n, From: "GOMEMLIMIT", kept: true}
	}
	return Limit{}
}

// OfCgroup is the least of the limits of the process's cgroup and those around
// it, less headroom, as the system's files, from its root on, tell.
func OfCgroup(system fs.FS) (least Limit) {
	for _, g := range cgroups(system) {
		for _, name := range g.limits {
			if n, ok := number(system, path.Join(g.dir, name)); ok && (least.Bytes == 0 || n-n/headroom < least.Bytes) {
				least = Limit{Bytes: n - n/headroom, From: "the cgroup's " + name}
			}
		}
	}
	return least
}

// cgroup is one of the process, or one around it.
type cgroup struct {
	dir     string
	limits  []string // files
	sockets string   // the file that has what sockets take
	name    string   // before that; "": nothing
}

// cgroups are those of the process that may have a limit, its own first. One that
// cannot be seen from here, as from a container, is left out by who reads it.
func cgroups(system fs.FS) (all []cgroup) {
	text, _ := fs.ReadFile(system, "proc/self/cgroup")
	for line := range strings.Lines(string(text)) {
		parts := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(parts) < 3 {
			continue
		}
		var g cgroup
		var root string
		switch {
		case parts[1] == "":
			root, g.limits = "sys/fs/cgroup", []string{"memory.max", "memory.high"}
			g.sockets, g.name = "memory.stat", "sock "
		case strings.Contains(","+parts[1]+",", ",memory,"):
			root, g.limits = "sys/fs/cgroup/memory", []string{"memory.limit_in_bytes"}
			g.sockets = "memory.kmem.tcp.usage_in_bytes"
		default:
			continue
		}
		for at := path.Clean("/" + parts[2]); ; at = path.Dir(at) {
			g.dir = root + strings.TrimSuffix(at, "/")
			if all = append(all, g); at == "/" {
				break
			}
		}
	}
	return all
}

// unlimited is what version 1 has for no limit, but for its last page.
const unlimited = math.MaxInt64 >> 20 << 20

// number reads a file with one in it; false: it has none, or the word max.
func number(system fs.FS, name string) (int64, bool) {
	text, err := fs.ReadFile(system, name)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	return n, err == nil && n > 0 && n < unlimited
}
