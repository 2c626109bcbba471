//go:build !linux

package wrap

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"sync"
	"time"
)

// Child must be the first thing that main does, and so must be TestMain's where
// programs are wrapped. It has a meaning on Linux only; here it returns false.
func Child() (status int, child bool) { return 0, false }

// reserve fails: nothing here moves a bind to the port.
func reserve() (port int, held io.Closer, err error) {
	return 0, nil, unsupported(errors.New("binds can be moved on Linux only"))
}

// life is a program from its start to its end. What it leaves behind is asked
// to end with it, except in mode Ignore, and not waited for.
type life struct {
	pid     int
	program *exec.Cmd
	linger  bool
	grace   time.Duration
	ended   chan struct{}
	once    sync.Once
}

// launch starts o.Command, which has taken its port by itself.
func launch(_ context.Context, o Options, _ int) (*life, error) {
	program := exec.Command(o.Command[0], o.Command[1:]...)
	program.Env, program.Dir = o.Env, o.Dir
	program.Stdin, program.Stdout, program.Stderr = o.Stdin, o.Stdout, o.Stderr
	program.SysProcAttr = ownGroup()
	program.WaitDelay = time.Second
	if err := program.Start(); err != nil {
		return nil, fmt.Errorf("cannot run the program: %w", err)
	}
	l := &life{program: program, linger: o.Mode == Ignore, grace: o.Grace, ended: make(chan struct{})}
	l.pid = program.Process.Pid
	return l, nil
}

// wait lasts until the program has ended and gives its status.
func (l *life) wait(observe func(report)) (status int) {
	l.program.Wait()
	close(l.ended)
	if !l.linger {
		terminate(l.program.Process)
	}
	status = exitStatus(l.program.ProcessState)
	observe(report{Ended: true, Status: status})
	return status
}

// end asks the program's group to end, and does not ask for ever.
func (l *life) end() {
	terminate(l.program.Process)
	select {
	case <-l.ended:
	case <-time.After(l.grace):
		l.kill()
	}
}

// kill ends the program's group at once.
func (l *life) kill() { kill(l.program.Process) }
