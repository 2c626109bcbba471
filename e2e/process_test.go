//go:build linux

package e2e

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long any one thing may take before a test gives up.
const patience = 4 * time.Minute

// process is a real program. It ends with its test at the latest: its whole
// process group gets SIGTERM, then SIGKILL. What it said is shown when the
// test fails.
type process struct {
	t      *testing.T
	name   string
	cmd    *exec.Cmd
	out    *output
	exited chan struct{} // closed when it has ended
}

// start runs a program; prepare, which may be nil, has the last word on it.
func start(t *testing.T, prepare func(*exec.Cmd), name string, args ...string) *process {
	t.Helper()
	p := command(t, prepare, name, args...)
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("starting %s: %v", name, err)
	}
	go p.reap()
	t.Cleanup(func() {
		<-p.exited
		if t.Failed() {
			t.Logf("%s said:\n%s", p.name, p.out)
		}
	})
	return p
}

func command(t *testing.T, prepare func(*exec.Cmd), name string, args ...string) *process {
	out := &output{changed: make(chan struct{})}
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	if prepare != nil {
		prepare(cmd)
	}
	return &process{t, filepath.Base(name), cmd, out, make(chan struct{})}
}

func (p *process) reap() {
	p.cmd.Wait()
	syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) // children it left behind
	close(p.exited)
}

// signal sends sig to the program alone.
func (p *process) signal(sig syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		p.t.Fatalf("signalling %s: %v", p.name, err)
	}
}

// await returns the submatches of the first place where the program's output
// matches pattern.
func (p *process) await(pattern string) []string {
	p.t.Helper()
	re, late := regexp.MustCompile(pattern), time.After(patience)
	for {
		text, changed := p.out.look()
		if m := re.FindStringSubmatch(text); m != nil {
			return m
		}
		select {
		case <-changed:
		case <-p.exited:
			if m := re.FindStringSubmatch(p.out.String()); m != nil {
				return m
			}
			p.t.Fatalf("%s ended and never said %q; it said:\n%s", p.name, pattern, p.out)
		case <-late:
			p.t.Fatalf("%s does not say %q; it said:\n%s", p.name, pattern, p.out)
		}
	}
}

// wait returns the exit code, -1 when a signal ended the program.
func (p *process) wait() int {
	p.t.Helper()
	select {
	case <-p.exited:
	case <-time.After(patience):
		p.t.Fatalf("%s does not end; it said:\n%s", p.name, p.out)
	}
	return p.cmd.ProcessState.ExitCode()
}

// succeed waits for the exit code 0.
func (p *process) succeed() {
	p.t.Helper()
	if code := p.wait(); code != 0 {
		p.t.Fatalf("%s: exit code %d; it said:\n%s", p.name, code, p.out)
	}
}

// output is what a program has written so far.
type output struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{} // closed and replaced at every write
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.changed)
	o.changed = make(chan struct{})
	return o.text.Write(b)
}

// look returns the text so far, and a channel that is closed when there is more.
func (o *output) look() (string, <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String(), o.changed
}

func (o *output) String() string {
	text, _ := o.look()
	return text
}
