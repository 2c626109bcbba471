package memory

import (
	"io/fs"
	"math"
	"runtime"
	"runtime/debug"
	"testing"
	"testing/fstest"
)

// tree is a system's files.
type tree map[string]string

func (t tree) files() fs.FS {
	m := fstest.MapFS{}
	for name, text := range t {
		m[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return m
}

func TestLimitOfTheCgroup(t *testing.T) {
	for _, tc := range []struct {
		name  string
		files tree
		bytes int64
		from  string
	}{
		{"no cgroups", tree{}, 0, ""},
		{"a container", tree{
			"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "1000000\n", "sys/fs/cgroup/memory.high": "max\n",
		}, 900_000, "the cgroup's memory.max"},
		{"the whole machine", tree{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.stat": "sock 4096\n"}, 0, ""},
		{"a service of systemd", tree{
			"proc/self/cgroup": "0::/system.slice/wsbridge.service\n",
			"sys/fs/cgroup/system.slice/wsbridge.service/memory.max":  "max\n",
			"sys/fs/cgroup/system.slice/wsbridge.service/memory.high": "max\n",
			"sys/fs/cgroup/system.slice/memory.max":                   "max\n",
		}, 0, ""},
		{"the narrowest counts, however far out", tree{
			"proc/self/cgroup":              "0::/a/b\n",
			"sys/fs/cgroup/a/b/memory.max":  "4000000\n",
			"sys/fs/cgroup/a/b/memory.high": "3000000\n",
			"sys/fs/cgroup/a/memory.max":    "2000000\n",
		}, 1_800_000, "the cgroup's memory.max"},
		{"throttled before it is killed", tree{
			"proc/self/cgroup": "0::/a\n", "sys/fs/cgroup/a/memory.max": "4000000\n", "sys/fs/cgroup/a/memory.high": "3000000\n",
		}, 2_700_000, "the cgroup's memory.high"},
		{"a container that sees the host's path", tree{
			"proc/self/cgroup": "0::/docker/0123\n", "sys/fs/cgroup/memory.max": "1000000\n",
		}, 900_000, "the cgroup's memory.max"},
		{"a path outside of the namespace", tree{
			"proc/self/cgroup": "0::/../../other\n", "sys/fs/cgroup/memory.max": "1000000\n",
		}, 900_000, "the cgroup's memory.max"},
		{"version 1", tree{
			"proc/self/cgroup": "9:name=systemd:/x\n4:cpu,memory:/docker/0123\n0::/\n",
			"sys/fs/cgroup/memory/docker/0123/memory.limit_in_bytes": "1000000\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes":             "9223372036854771712\n",
		}, 900_000, "the cgroup's memory.limit_in_bytes"},
		{"version 1 without a limit", tree{
			"proc/self/cgroup": "4:memory:/\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
		}, 0, ""},
		{"nonsense", tree{"proc/self/cgroup": "0::/\n\n::\n:\n7\n", "sys/fs/cgroup/memory.max": "-5"}, 0, ""},
	} {
		if got := OfCgroup(tc.files.files()); got.Bytes != tc.bytes || got.From != tc.from {
			t.Errorf("%s: %+v, want %d from %q", tc.name, got, tc.bytes, tc.from)
		}
	}
}

func FuzzCgroup(f *testing.F) {
	f.Add("0::/\n", "max\n")
	f.Add("4:cpu,memory:/docker/0123\n0::/a/../..\n", "9223372036854771712")
	f.Add("0::relative//path\x00\n", "1")
	f.Fuzz(func(t *testing.T, self, limit string) {
		for _, g := range cgroups(tree{"proc/self/cgroup": self}.files()) {
			for _, name := range g.limits {
				system := tree{"proc/self/cgroup": self, g.dir + "/" + name: limit}
				if got := OfCgroup(system.files()); got.Bytes < 0 || (got.Bytes == 0) != (got.From == "") {
					t.Fatalf("%+v", got)
				}
			}
		}
	})
}

// restoreLimit is for tests that move the runtime's.
func restoreLimit(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	t.Cleanup(func() { debug.SetMemoryLimit(before) })
}

const mega = 1 << 20

// TestFullFollowsWhatIsHeld: what is held counts, and what was let go of does not,
// though nobody has collected it.
func TestFullFollowsWhatIsHeld(t *testing.T) {
	restoreLimit(t)
	g := NewGauge(Limit{Bytes: 256 * mega}, tree{}.files())
	if full := g.Full(); full > .5 {
		t.Fatalf("%.2f before anything is held", full)
	}
	held := make([]byte, 300*mega)
	if full := g.Full(); full < 1 {
		t.Errorf("%.2f with more than there may be", full)
	}
	runtime.KeepAlive(held)
	held = nil
	if full := g.Full(); full > .5 {
		t.Errorf("%.2f after it was let go", full)
	}
}

// TestSocketsCount: buffers of sockets count, and the runtime gets what they leave.
func TestSocketsCount(t *testing.T) {
	for name, files := range map[string]tree{
		"version 2":          {"proc/self/cgroup": "0::/a\n", "sys/fs/cgroup/a/memory.max": "max", "sys/fs/cgroup/a/memory.stat": "anon 1\nfile 999999999999\nsock 629145600\nshmem 7\n"},
		"the machine's path": {"proc/self/cgroup": "0::/docker/0123\n", "sys/fs/cgroup/memory.max": "max", "sys/fs/cgroup/memory.stat": "sock 629145600\n"},
		"version 1":          {"proc/self/cgroup": "3:memory:/a\n", "sys/fs/cgroup/memory/a/memory.limit_in_bytes": "1", "sys/fs/cgroup/memory/a/memory.kmem.tcp.usage_in_bytes": "629145600\n"},
	} {
		t.Run(name, func(t *testing.T) {
			restoreLimit(t)
			g := NewGauge(Limit{Bytes: 1000 * mega}, files.files())
			if full := g.Full(); full < .6 || full > .75 {
				t.Errorf("%.2f, want a little more than 0.6", full)
			}
			if n := debug.SetMemoryLimit(-1); n != 400*mega {
				t.Errorf("the runtime may have %d MB", n/mega)
			}
		})
	}
}

// TestTheWholeMachineIsNotOurs: sockets of a cgroup without a limit file, which is
// the machine's, are everybody's.
func TestTheWholeMachineIsNotOurs(t *testing.T) {
	restoreLimit(t)
	g := NewGauge(Limit{Bytes: 1000 * mega}, tree{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.stat": "sock 629145600\n"}.files())
	if full := g.Full(); full > .3 {
		t.Errorf("%.2f", full)
	}
}

// TestEnvironmentKeepsItsLimit: who has set GOMEMLIMIT is asked, and left with it.
func TestEnvironmentKeepsItsLimit(t *testing.T) {
	restoreLimit(t)
	debug.SetMemoryLimit(math.MaxInt64)
	if got := OfEnvironment(); got != (Limit{}) {
		t.Errorf("%+v though nobody has set one", got)
	}
	debug.SetMemoryLimit(500 * mega)
	limit := OfEnvironment()
	if limit.Bytes != 500*mega || limit.From != "GOMEMLIMIT" {
		t.Fatalf("%+v", limit)
	}
	NewGauge(limit, tree{"proc/self/cgroup": "0::/a\n", "sys/fs/cgroup/a/memory.max": "max", "sys/fs/cgroup/a/memory.stat": "sock 104857600\n"}.files()).Full()
	if n := debug.SetMemoryLimit(-1); n != 500*mega {
		t.Errorf("it was changed to %d MB", n/mega)
	}
}
