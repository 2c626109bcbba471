//go:build linux

package e2e

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestDescriptorsRunOut: an administrator lowers a bridge's limit of open files to
// what it has, and many come at once. Who is in works on; who comes is told why, or
// waits and gets in; nothing spins. When the limit is raised again, all get in.
func TestDescriptorsRunOut(t *testing.T) {
	for _, by := range carriers {
		t.Run(by.name, func(t *testing.T) {
			t.Parallel()
			b := serve(t, target(t, echo), append(certify(t, t.TempDir(), "localhost").options(), by.options...)...)
			inside, pid := enterAll(t, b, by.secure, 3), b.process.cmd.Process.Pid
			before := limitFiles(t, pid, uint64(len(descriptors(t, pid))+3))
			b.besiege(t, by.secure, inside)
			b.await("too many open files")
			limitFiles(t, pid, before)
			eventually(t, "a new client gets in", func() bool { return b.visit(by.secure, nil) == nil })
		})
	}
}

// TestFewDescriptors: the same with a limit that is low from the start, by which the
// bridge takes no more than it can serve. When some leave, others get in.
func TestFewDescriptors(t *testing.T) {
	for _, by := range carriers {
		t.Run(by.name, func(t *testing.T) {
			t.Parallel()
			args := []string{"-c", `ulimit -n 60 && exec "$0" "$@"`, os.Getenv("E2E_WSBRIDGE")}
			args = append(append(args, certify(t, t.TempDir(), "localhost").options()...), by.options...)
			p := start(t, nil, "sh", append(args, "127.0.0.1:0", target(t, echo))...)
			t.Cleanup(p.sound)
			b := bridge{p, p.await(`Listen on 127\.0\.0\.1:([1-9]\d*)`)[1]}
			b.besiege(t, by.secure, enterAll(t, b, by.secure, 3))
			eventually(t, "a new client gets in", func() bool { return b.visit(by.secure, nil) == nil })
		})
	}
}

// refusal is why somebody did not get in, in words.
var refusal = regexp.MustCompile(`closed 1013 bridge has too many open files|503 Service Unavailable`)

// cut is how a TLS client gives way: told in plain words before its hello, and
// not at all after it.
var cut = regexp.MustCompile(`first record does not look like a TLS handshake|EOF|reset by peer|broken pipe`)

// besiege has many more come than can, who stay, and then leave; those inside leave
// last. Who does not get in must be told why.
func (b bridge) besiege(t *testing.T, secure bool, inside []*visitor) {
	t.Helper()
	came, enough := make(chan error, 40), make(chan struct{})
	for range cap(came) {
		go func() { came <- b.visit(secure, enough) }()
	}
	spare(t, b.process.cmd.Process.Pid, func() {
		for i, v := range inside {
			if err := v.chat(noise(50_000)); err != nil {
				t.Errorf("session %d: %v", i, err)
			}
		}
	})
	close(enough)
	for range cap(came) {
		err := <-came
		if err != nil && !refusal.MatchString(err.Error()) && (!secure || !cut.MatchString(err.Error())) {
			t.Errorf("who came was told: %v", err)
		}
	}
	for i, v := range inside {
		if err := v.leave(); err != nil {
			t.Errorf("session %d: %v", i, err)
		}
	}
}

// visit has a session for as long as somebody may stay.
func (b bridge) visit(secure bool, until <-chan struct{}) error {
	v, err := enter(b.address(), secure)
	if err != nil {
		return err
	}
	defer v.conn.Close()
	if err := v.chat(noise(1000)); err != nil {
		return err
	}
	if until != nil {
		<-until
	}
	return v.leave()
}

func enterAll(t *testing.T, b bridge, secure bool, n int) (all []*visitor) {
	t.Helper()
	for range n {
		v, err := enter(b.address(), secure)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { v.conn.Close() })
		if err := v.chat(noise(1000)); err != nil {
			t.Fatal(err)
		}
		all = append(all, v)
	}
	return all
}

// limitFiles is how many files a process may open from now on; it returns how many
// it could before.
func limitFiles(t *testing.T, pid int, n uint64) uint64 {
	t.Helper()
	var old unix.Rlimit
	if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &old); err != nil {
		t.Fatal(err)
	}
	if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: n, Max: old.Max}, nil); err != nil {
		t.Fatal(err)
	}
	return old.Cur
}

// spare looks at a process for two seconds, during which work is done, and wants it
// to leave half of a processor alone at least.
func spare(t *testing.T, pid int, work func()) {
	t.Helper()
	begin, before := time.Now(), used(t, pid)
	var done sync.WaitGroup
	done.Go(work)
	time.Sleep(2 * time.Second)
	took, passed := used(t, pid)-before, time.Since(begin)
	done.Wait()
	if took > passed/2 {
		t.Errorf("it worked %v of %v", took, passed)
	}
}

// used is the processor time of a process so far.
func used(t *testing.T, pid int) time.Duration {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	var ticks int64 // of 10 ms on every Linux, proc(5) and getconf CLK_TCK
	for _, field := range fields[11:13] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}
