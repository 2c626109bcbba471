package memory

import (
	"io/fs"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// Gauge tells how much of a limit is taken: by the runtime, garbage left out, and
// by the buffers of sockets in the kernel, which count among the cgroup's. It is
// for one goroutine.
type Gauge struct {
	limit   Limit
	socks   []counter
	set     int64  // the runtime's limit; 0: none was set
	cycles  uint64 // of garbage collection, at the last look
	samples []metrics.Sample
}

// NewGauge is for a limit that is known, which the runtime has from now on. system
// is the system's files from the root on; those that Full reads are open until
// Close, so that a sandbox may come between.
func NewGauge(limit Limit, system fs.FS) *Gauge {
	g := &Gauge{limit: limit, socks: openCounters(system)}
	g.leave(limit.Bytes)
	for _, name := range []string{
		"/memory/classes/total:bytes", "/memory/classes/heap/released:bytes", "/memory/classes/heap/free:bytes",
		"/memory/classes/heap/objects:bytes", "/gc/heap/live:bytes", "/gc/cycles/total:gc-cycles",
	} {
		g.samples = append(g.samples, metrics.Sample{Name: name})
	}
	return g
}

const (
	near     = .75 // from this share on it is worth a collection to know what is garbage
	leastFor = 4   // the runtime gets at least one part in so many
	setSteps = 32  // a change of one part in so many is worth telling the runtime
)

// Full is the share of the limit that is taken, 1 for all of it. Near that it
// collects garbage, unless that was done since the last time. The runtime gets
// what sockets leave.
func (g *Gauge) Full() float64 {
	sockets := g.sockets()
	g.leave(max(g.limit.Bytes-sockets, g.limit.Bytes/leastFor))
	used, garbage := g.used()
	cycles := g.samples[5].Value.Uint64()
	if float64(used+sockets) >= near*float64(g.limit.Bytes) {
		if cycles == g.cycles {
			runtime.GC()
			used, garbage = g.used()
		}
		used -= garbage
	}
	g.cycles = g.samples[5].Value.Uint64()
	return float64(used+sockets) / float64(g.limit.Bytes)
}

// leave sets the runtime's limit, which stops the world for a moment.
func (g *Gauge) leave(bytes int64) {
	if change := max(bytes-g.set, g.set-bytes); !g.limit.kept && change > g.limit.Bytes/setSteps {
		debug.SetMemoryLimit(bytes)
		g.set = bytes
	}
}

// used is what the runtime holds, and how much of that is known to be garbage.
func (g *Gauge) used() (used, garbage int64) {
	metrics.Read(g.samples)
	n := func(i int) int64 { return int64(g.samples[i].Value.Uint64()) }
	return n(0) - n(1) - n(2), max(0, n(3)-n(4))
}

// sockets is what the buffers of the cgroup's sockets take. Of programs in the
// same cgroup nothing else counts: what they take would not come back by closing
// sessions.
func (g *Gauge) sockets() (bytes int64) {
	for _, c := range g.socks {
		bytes += c.read()
	}
	return bytes
}

// Close gives back the files. A nil Gauge has none.
func (g *Gauge) Close() {
	if g == nil {
		return
	}
	for _, c := range g.socks {
		c.file.Close()
	}
}
