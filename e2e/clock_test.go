//go:build linux

package e2e

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// TestClockJumps: the bridge's clock is put an hour ahead, then an hour back. Nothing
// that waits ends early for it or waits longer, and durations and a recording's times
// are as if nothing were. The machine's own clock is left alone: see withClock.
func TestClockJumps(t *testing.T) {
	program := withClock(t)
	for _, by := range carriers {
		t.Run(by.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			clock := newClock(t, dir)
			args := append(certify(t, dir, "localhost").options(), "--heartbeat", "5", "--session-idle", "30m", "--session-time", "30m",
				"--timeout", "30m", "--idle-timeout", "30m", "--rate", "1000/s", "--bandwidth", "10K", "--record", filepath.Join(dir, "session"))
			p := start(t, clock.use, program, append(append(args, by.options...), "127.0.0.1:0", target(t, echo))...)
			t.Cleanup(p.sound)
			b := bridge{p, p.await(`Listen on 127\.0\.0\.1:([1-9]\d*)`)[1]}

			silent, err := enter(b.address(), by.secure) // and answers no ping
			if err != nil {
				t.Fatal(err)
			}
			defer silent.conn.Close()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var said atomic.Int64
			over := make(chan error, 1)
			go func() { over <- b.talk(ctx, by.secure, &said) }()
			for _, jump := range []time.Duration{0, time.Hour, -time.Hour} {
				b.jump(t, by.secure, clock, jump)
				so := said.Load()
				eventually(t, "who was there is served", func() bool { return said.Load() > so })
			}
			b.await(`reason="client answered none of two pings"`)
			cancel()
			if err := <-over; err != nil {
				t.Errorf("who was there all the time: %v", err)
			}
			b.signal(syscall.SIGTERM)
			b.succeed()
			loggedTimes(t, p.out.String())
			for _, file := range children(t, dir) {
				if strings.HasPrefix(file, "session.") {
					recordedTimes(t, filepath.Join(dir, file))
				}
			}
		})
	}
}

// jump sets the clock while somebody is at the door who says nothing: who comes is
// served, and who says nothing still has the time that is his.
func (b bridge) jump(t *testing.T, secure bool, c clock, by time.Duration) {
	t.Helper()
	mute, err := net.Dial("tcp", b.address())
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	mute.SetDeadline(time.Now().Add(patience))
	c.set(by)
	if err := b.visit(secure, nil); err != nil {
		t.Errorf("a new client, the clock %v off: %v", by, err)
	}
	if _, err := mute.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("who said nothing, the clock %v off: %v", by, err)
	}
}

// A clock is how wrong that of a program is.
type clock struct {
	file string
	off  []byte // seconds, as the program has them in its memory
}

func newClock(t *testing.T, dir string) clock {
	t.Helper()
	path := write(t, dir, "clock", make([]byte, 8))
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	off, err := syscall.Mmap(int(f.Fd()), 0, 8, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Munmap(off) })
	return clock{path, off}
}

func (c clock) use(cmd *exec.Cmd) { cmd.Env = append(os.Environ(), "E2E_CLOCK="+c.file) }

func (c clock) set(off time.Duration) {
	binary.NativeEndian.PutUint64(c.off, uint64(off/time.Second))
}

// withClock builds a wsbridge whose time.Now tells the time wrong, by what a clock
// says. All else of it is as it is shipped, the monotonic clock beside the time too.
// It takes a minute: E2E_WSBRIDGE_CLOCK may name one that is built already.
func withClock(t *testing.T) string {
	t.Helper()
	if program := os.Getenv("E2E_WSBRIDGE_CLOCK"); program != "" {
		return program
	}
	need(t, "go")
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	dir, source := t.TempDir(), filepath.Join(strings.TrimSpace(string(root)), "src/time")
	const now = "sec, nsec, mono := runtimeNow()\n"
	text := string(read(t, source+"/time.go"))
	if strings.Count(text, now) != 1 {
		t.Fatalf("%s/time.go has no %q: the test has to learn how this Go tells the time", source, now)
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {
		source + "/time.go":      write(t, dir, "time.go", []byte(strings.Replace(text, now, now+"\tsec += wrong.Load()\n", 1))),
		source + "/e2e_wrong.go": write(t, dir, "wrong.go", read(t, "testdata/wrong.go.txt")),
	}})
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "wsbridge")
	build := exec.CommandContext(t.Context(), "go", "build", "-overlay", write(t, dir, "overlay.json", overlay), "-o", program, "../cmd/wsbridge")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building it: %v\n%s", err, out)
	}
	return program
}

var (
	loggedAt = regexp.MustCompile(`(?m)^time=(\S+)`)
	lasted   = regexp.MustCompile(` (?:duration|dial)=(\S+)`)
)

// loggedTimes sees the jumps in the dates of a log, and none in its durations.
func loggedTimes(t *testing.T, log string) {
	t.Helper()
	var first, last time.Time
	for _, m := range loggedAt.FindAllStringSubmatch(log, -1) {
		at, err := time.Parse(time.RFC3339, m[1])
		if err != nil {
			t.Fatal(err)
		}
		if first.IsZero() || at.Before(first) {
			first = at
		}
		if at.After(last) {
			last = at
		}
	}
	if last.Sub(first) < 90*time.Minute {
		t.Errorf("the log is from %v to %v: the clock did not jump", first, last)
	}
	for _, m := range lasted.FindAllStringSubmatch(log, -1) {
		if d, err := time.ParseDuration(m[1]); err != nil || d < 0 || d > 2*patience {
			t.Errorf("the log has a duration of %s", m[1])
		}
	}
}

// recordedTimes sees that a recording's times go ahead, and not far.
func recordedTimes(t *testing.T, file string) {
	t.Helper()
	cast, err := exec.Command(os.Getenv("E2E_WSBRIDGE"), "export", file, "--to", "asciicast").Output()
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	lines := strings.Split(strings.TrimSpace(string(cast)), "\n")[1:]
	before := 0.0
	for _, line := range lines {
		var event []any
		if err := json.Unmarshal([]byte(line), &event); err != nil {
			t.Fatalf("%.100q: %v", line, err)
		}
		at := event[0].(float64)
		if at < before || at > 2*patience.Seconds() {
			t.Fatalf("%s: %v s follows %v s", file, at, before)
		}
		before = at
	}
}
