//go:build linux

package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// startTime is how long a proxy may take until it accepts, or a tool until it answers.
const startTime = 15 * time.Second

// A station is one running proxy with the target behind it.
type station struct {
	setup
	proxy  proxy
	target *target
	base   string // where start makes setup.dir

	cmd   *exec.Cmd
	ended chan struct{} // closed when the process is gone
	skew  time.Duration // largest difference seen, per process, between clock and /proc/PID/stat
}

// start runs p as to has it, on an address of its own and with its files in a new
// directory in base, and waits until it accepts. The caller stops the station.
func start(ctx context.Context, p proxy, base string, to setup, t *target) (*station, error) {
	s := &station{setup: to, proxy: p, target: t, base: base, ended: make(chan struct{})}
	var err error
	if s.dir, err = os.MkdirTemp(base, "proxy"); err != nil {
		return nil, err
	}
	if s.listen, err = freeAddress(); err != nil {
		return nil, err
	}
	if err := s.launch(); err != nil {
		return nil, fmt.Errorf("start %s: %w", p.name(), err)
	}
	if err := s.awaitAccept(ctx); err != nil {
		s.stop()
		return nil, fmt.Errorf("start %s: %w", p.name(), err)
	}
	return s, nil
}

// again starts the same proxy once more, beside s.
func (s *station) again(ctx context.Context) (*station, error) {
	return start(ctx, s.proxy, s.base, s.setup, s.target)
}

// freeAddress is a loopback port that was free a moment ago.
func freeAddress() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer ln.Close()
	return ln.Addr().String(), nil
}

// launch starts the process in a group of its own, which dies with this program.
func (s *station) launch() error {
	argv, err := s.proxy.argv(s.setup)
	if err != nil {
		return err
	}
	out, err := os.Create(s.logFile())
	if err != nil {
		return err
	}
	defer out.Close()
	s.cmd = exec.Command(argv[0], argv[1:]...)
	s.cmd.Stdout, s.cmd.Stderr = out, out
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		return err
	}
	go s.wait()
	return nil
}

func (s *station) logFile() string { return filepath.Join(s.dir, "proxy.log") }

func (s *station) wait() {
	s.cmd.Wait()
	close(s.ended)
}

func (s *station) awaitAccept(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	for {
		var d net.Dialer
		if c, err := d.DialContext(ctx, "tcp", s.listen); err == nil {
			return c.Close()
		}
		select {
		case <-s.ended:
			said, _ := os.ReadFile(s.logFile())
			return fmt.Errorf("it ended at once: %s", lastLines(said))
		case <-ctx.Done():
			return fmt.Errorf("it does not accept: %w", ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// stop kills the process with its children and waits for it.
func (s *station) stop() {
	syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
	<-s.ended
}

// A usage is what a piece of work took.
type usage struct{ cpu, wall time.Duration }

// measured does work and returns the CPU time the proxy's process tree spent on it.
func (s *station) measured(work func() error) (usage, error) {
	before, err := settledCPU(s.cmd.Process.Pid)
	if err != nil {
		return usage{}, err
	}
	began := time.Now()
	if err := work(); err != nil {
		return usage{}, err
	}
	wall := time.Since(began)
	after, err := settledCPU(s.cmd.Process.Pid)
	if err != nil {
		return usage{}, err
	}
	cpu := after.clock - before.clock
	off := (after.stat - before.stat - cpu).Abs() / time.Duration(after.processes)
	s.skew = max(s.skew, off)
	return usage{cpu: cpu, wall: wall}, nil
}
