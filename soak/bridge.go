//go:build linux

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// startTime is how long a bridge may take to listen, and to end.
const startTime = time.Minute

// A bridge is a running wsbridge.
type bridge struct {
	address string
	cmd     *exec.Cmd
	output  *os.File
	said    chan struct{} // closed when there is no more output

	mu    sync.Mutex
	lines []string // the last ones, and what Go says of its own faults
}

var (
	listens = regexp.MustCompile(`Listen on (127\.0\.0\.1:[1-9]\d*)`)
	unsound = regexp.MustCompile(`DATA RACE|panic|fatal error:`)
)

// startBridge starts a program that listens on a port of its own choice. The
// caller stops it.
func startBridge(ctx context.Context, file string, args ...string) (*bridge, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, file, args...)
	cmd.Stdout, cmd.Stderr = w, w
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = startTime
	err = cmd.Start()
	w.Close()
	if err != nil {
		r.Close()
		return nil, err
	}
	b := &bridge{cmd: cmd, output: r, said: make(chan struct{})}
	address := make(chan string, 1)
	go b.read(r, address)
	if err := b.await(address); err != nil {
		_, stopErr := b.stop()
		return nil, errors.Join(err, stopErr)
	}
	return b, nil
}

func (b *bridge) await(address <-chan string) error {
	late := time.NewTimer(startTime)
	defer late.Stop()
	select {
	case b.address = <-address:
		return nil
	case <-b.said:
		return errors.New("wsbridge does not start")
	case <-late.C:
		return errors.New("wsbridge does not listen in time")
	}
}

// read keeps the end of what the bridge says, and passes its address on.
func (b *bridge) read(from io.Reader, address chan<- string) {
	defer close(b.said)
	lines := bufio.NewScanner(from)
	for lines.Scan() {
		line := lines.Text()
		if m := listens.FindStringSubmatch(line); m != nil && b.address == "" {
			select {
			case address <- m[1]:
			default:
			}
		}
		b.keep(line)
	}
}

const keptLines = 20

func (b *bridge) keep(line string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.lines) >= keptLines && !unsound.MatchString(b.lines[0]) {
		b.lines = slices.Delete(b.lines, 0, 1)
	}
	if len(b.lines) < 10*keptLines {
		b.lines = append(b.lines, line)
	}
}

// A cost is what a bridge has used in its life.
type cost struct {
	cpu  time.Duration
	peak int64 // bytes of resident memory
}

// stop ends the bridge, and says what it found wrong with itself.
func (b *bridge) stop() (cost, error) {
	used := cost{peak: peakMemory(b.cmd.Process.Pid)}
	b.cmd.Process.Signal(syscall.SIGTERM)
	late := time.AfterFunc(startTime, func() { b.cmd.Process.Kill() })
	defer late.Stop()
	<-b.said
	err := b.cmd.Wait()
	b.output.Close()
	state := b.cmd.ProcessState
	used.cpu = state.UserTime() + state.SystemTime()
	if err == nil && !slices.ContainsFunc(b.lines, unsound.MatchString) {
		return used, nil
	}
	return used, fmt.Errorf("wsbridge ended with %v; it said last:\n  %s", state, strings.Join(b.lines, "\n  "))
}

// peakMemory is a running process's, 0 if it is gone. (What the kernel tells of a
// dead one, ru_maxrss, counts its parent's at the time of the fork.)
func peakMemory(pid int) int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	var kilobytes int64
	if _, after, ok := strings.Cut(string(status), "VmHWM:"); ok {
		fmt.Sscan(after, &kilobytes)
	}
	return kilobytes << 10
}
