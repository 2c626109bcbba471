//go:build linux

package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// TestDiskFull: recordings and the log are on a disk that gets full. The sessions go
// on, byte by byte right; the log elsewhere says it once; recordings end whole; and
// when there is room again, the log goes on and tells how much it lacks.
func TestDiskFull(t *testing.T) {
	needRoot(t)
	need(t, "unshare", "mount")
	const sessions = 4
	for _, by := range carriers[:2] {
		t.Run(by.name, func(t *testing.T) {
			t.Parallel()
			b, disk := serveOnSmallDisk(t, by.options...)
			var all sync.WaitGroup
			for n := range sessions {
				all.Go(func() {
					if err := b.run(errand{uint64(n), 1 << 20}); err != nil {
						t.Errorf("session %d: %v", n, err)
					}
				})
			}
			all.Wait()
			eventually(t, "each recording is given up", func() bool {
				said := b.out.String()
				return strings.Count(said, "a recording ends before its session")+strings.Count(said, "a recording is not complete") == sessions
			})
			fill(t, disk+"/rest")
			eventually(t, "a line of the log has no room", func() bool {
				if err := b.run(errand{9, 1000}); err != nil {
					t.Fatalf("on a full disk: %v", err)
				}
				return regexp.MustCompile(`log records are being lost.*log file.*no space left on device`).MatchString(b.out.String())
			})
			recordings, err := filepath.Glob(disk + "/session.*")
			if err != nil || len(recordings) < sessions {
				t.Fatalf("%q, %v", recordings, err)
			}
			export(t, recordings)

			eventually(t, "the log goes on", func() bool {
				remove(t, disk+"/rest", disk+"/session.*")
				if err := b.run(errand{9, 1000}); err != nil {
					t.Fatal(err)
				}
				return strings.Contains(string(read(t, disk+"/log")), "log records were lost")
			})
			if n := strings.Count(b.out.String(), "log records are being lost"); n != 1 {
				t.Errorf("it was said %d times that the log is lost", n)
			}
		})
	}
}

// serveOnSmallDisk starts a bridge that logs and records on a disk of its own, where
// the test finds it under another path.
func serveOnSmallDisk(t *testing.T, options ...string) (bridge, string) {
	t.Helper()
	dir := t.TempDir()
	own := []string{"--mount", "sh", "-c", `mount -t tmpfs -o size=256k disk "$0" && exec "$@"`, dir, os.Getenv("E2E_WSBRIDGE"),
		"--record", dir + "/session", "--log-file", dir + "/log"}
	p := start(t, nil, "unshare", append(append(own, options...), "127.0.0.1:0", target(t, runErrands))...)
	t.Cleanup(p.sound)
	b := bridge{p, p.await(`Listen on 127\.0\.0\.1:([1-9]\d*)`)[1]}
	return b, fmt.Sprintf("/proc/%d/root%s", p.cmd.Process.Pid, dir)
}

// run has a session for an errand.
func (b bridge) run(e errand) error {
	v, err := enter(b.address(), false)
	if err != nil {
		return err
	}
	defer v.conn.Close()
	if err := e.run(v); err != nil {
		return err
	}
	return v.leave()
}

// remove makes room: more than the next recording takes before the log can.
func remove(t *testing.T, patterns ...string) {
	t.Helper()
	for _, pattern := range patterns {
		files, err := filepath.Glob(pattern)
		for _, file := range files {
			err = errors.Join(err, os.Remove(file))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// fill takes all that is left of a disk by a file.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 12; size > 0; {
		if _, err := f.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
}
