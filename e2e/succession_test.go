//go:build linux

package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// dynasty is a bridge and its successors, who share a log.
type dynasty struct {
	*testing.T
	log  string
	port string
	pids []int
}

// found starts the first of them.
func found(t *testing.T, options ...string) *dynasty {
	t.Helper()
	d := &dynasty{T: t, log: filepath.Join(t.TempDir(), "log")}
	log, err := os.Create(d.log)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	first := exec.Command(os.Getenv("E2E_WSBRIDGE"), options...)
	first.Stdout, first.Stderr = log, log
	first.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	d.pids = []int{first.Process.Pid}
	gone := make(chan struct{})
	go func() {
		first.Wait()
		close(gone)
	}()
	t.Cleanup(func() {
		syscall.Kill(-first.Process.Pid, syscall.SIGKILL) // all of them
		<-gone
		if t.Failed() {
			text, _ := os.ReadFile(d.log)
			t.Logf("the bridges said:\n%s", text)
		}
	})
	d.port = d.said(`proxying from 127\.0\.0\.1:(\d+)`, 1)[0][1]
	return d
}

// said waits until the log matches a pattern n times.
func (d *dynasty) said(pattern string, n int) (all [][]string) {
	d.Helper()
	re := regexp.MustCompile(pattern)
	eventually(d.T, "the log says "+pattern, func() bool {
		text, err := os.ReadFile(d.log)
		all = re.FindAllStringSubmatch(string(text), -1)
		return err == nil && len(all) >= n
	})
	return all
}

func (d *dynasty) current() int { return d.pids[len(d.pids)-1] }

// succeed has the current bridge succeeded by another.
func (d *dynasty) succeed() {
	d.Helper()
	if err := syscall.Kill(d.current(), syscall.SIGUSR2); err != nil {
		d.Fatal(err)
	}
	all := d.said(`msg="upgraded: .*process=(\d+)`, len(d.pids))
	pid, _ := strconv.Atoi(all[len(d.pids)-1][1])
	d.pids = append(d.pids, pid)
}

// lives tells whether a process is there, and no zombie.
func lives(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, state, _ := strings.Cut(string(stat), ") ")
	return err == nil && !strings.HasPrefix(state, "Z")
}

func descriptors(t *testing.T, pid int) (names []string) {
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		name, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", pid, e.Name()))
		names = append(names, name)
	}
	return names
}

// tally is how sessions went.
type tally struct {
	refused, broken atomic.Int64
	mu              sync.Mutex
	why             []error // the first few
}

func (c *tally) add(count *atomic.Int64, err error) {
	count.Add(1)
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.why) < 10 {
		c.why = append(c.why, err)
	}
}

// visit is the short session of a number, with bytes of its own.
func (c *tally) visit(address string, number int) {
	v, err := enter(address, number%2 == 1)
	if err != nil {
		c.add(&c.refused, err)
		return
	}
	sent := noise(9_000 + number)[number:]
	if err := errors.Join(v.echo(sent[:200]), v.echo(sent[200:]), v.leave()); err != nil {
		c.add(&c.broken, err)
	}
}

// stream is 200 short sessions a second for eight seconds, of which it tells
// every quarter.
func (c *tally) stream(address string, quarters chan<- struct{}) {
	const sessions = 8 * 200
	clock := time.NewTicker(time.Second / 200)
	defer clock.Stop()
	var all sync.WaitGroup
	defer all.Wait()
	for i := range sessions {
		if <-clock.C; i%(sessions/4) == sessions/8 {
			quarters <- struct{}{}
		}
		all.Go(func() { c.visit(address, i) })
	}
}

// stay is one long session, until over.
func (c *tally) stay(v *visitor, over *atomic.Bool) {
	sent := noise(100_000)
	for i := 0; !over.Load(); i = (i + 1_000) % len(sent) {
		if err := v.echo(sent[i:][:1_000]); err != nil {
			c.add(&c.broken, err)
			return
		}
		time.Sleep(20 * time.Millisecond) // a person types
	}
	if err := v.leave(); err != nil {
		c.add(&c.broken, err)
	}
}

// TestSuccession: under 200 new sessions a second, plain and by TLS, and 50 that
// stay, the bridge is upgraded three times. Nobody is refused, no byte is lost,
// no old process is left, and the last one has no descriptors of its elders.
func TestSuccession(t *testing.T) {
	need(t, "openssl")
	certificate := certify(t, t.TempDir(), "bridge")
	d := found(t, append(certificate.options(), "127.0.0.1:0", target(t, echo))...)
	address := "127.0.0.1:" + d.port
	quiet := descriptors(t, d.current())
	var c tally
	var short, long sync.WaitGroup
	var over atomic.Bool
	for i := range 50 {
		v, err := enter(address, i%2 == 1)
		if err != nil {
			t.Fatal(err)
		}
		long.Go(func() { c.stay(v, &over) })
	}
	quarters := make(chan struct{}, 4)
	short.Go(func() { c.stream(address, quarters) })
	for range 3 {
		<-quarters
		d.succeed()
	}
	short.Wait()
	over.Store(true)
	long.Wait()
	if refused, broken := c.refused.Load(), c.broken.Load(); refused+broken != 0 {
		t.Errorf("%d sessions refused, %d broken: %v", refused, broken, c.why)
	}
	for _, pid := range d.pids[:3] {
		eventually(t, "an old process ends", func() bool { return !lives(pid) })
	}
	eventually(t, "the new process has no more open than the first one had", func() bool {
		return len(descriptors(t, d.current())) <= len(quiet)
	})
	if t.Failed() {
		t.Logf("open at first: %q\nopen in the end: %q", quiet, descriptors(t, d.current()))
	}
}
