//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// others is the latency of sessions that ask now and then, with an attack going on
// beside them by that without, measured a moment before. Without a name nobody
// attacks: how far the two differ by chance.
type others struct {
	attack
	held int // connections of the attacks that hold some
}

func (l others) unit() string { return "times" }

func (l others) wallUnit() string {
	if l.name == "" {
		return ""
	}
	return l.attack.unit + "/s"
}

func (l others) title() string {
	if l.counts {
		return fmt.Sprintf("%d %s", l.held, l.attack.title)
	}
	return l.attack.title
}

// attackLoads are the rows of the table, for attackers with so many descriptors.
func attackLoads(a amounts, files int) []load {
	all := []load{others{attack: attack{title: "none"}}}
	for _, k := range attacks() {
		all = append(all, others{k, min(a.held, files-spareFiles)})
	}
	return all
}

func (l others) run(ctx context.Context, st *station, a amounts) (sample, error) {
	if _, err := settledCPU(st.cmd.Process.Pid); err != nil { // an attack before may not be over
		return sample{}, err
	}
	sessions, err := openAll(ctx, st, a.peers)
	defer abandonAll(sessions)
	if err != nil {
		return sample{}, err
	}
	if err := paced(sessions, max(1, a.paced/8), a.pace); err != nil { // warm up
		return sample{}, err
	}
	tookAll(sessions)
	if err := paced(sessions, a.paced, a.pace); err != nil {
		return sample{}, err
	}
	without := sample{}.timed(tookAll(sessions))
	rate, err := l.during(ctx, st, func() error { return paced(sessions, a.paced, a.pace) })
	if err != nil {
		return sample{}, err
	}
	with := sample{wall: rate}.timed(tookAll(sessions))
	with.cost = with.p99 / without.p99
	return with, closeAll(sessions)
}

// during does work while the attack goes on, and returns the attack's rate.
func (l others) during(ctx context.Context, st *station, work func() error) (float64, error) {
	if l.name == "" {
		return 0, work()
	}
	b, err := besiege(ctx, l.name, st.listen, l.held)
	if err != nil {
		return 0, fmt.Errorf("attack: %w", err)
	}
	err = work()
	rate, failed := b.end()
	if failed != nil {
		err = errors.Join(err, fmt.Errorf("attack: %w", failed))
	}
	return rate, err
}

// paced has each session ask n times, a pace from one to the next, and not all at once.
func paced(sessions []*session, n int, pace time.Duration) error {
	begin, apart := time.Now(), pace/time.Duration(len(sessions))
	var turn atomic.Int64
	return onAll(sessions, func(s *session) error {
		return s.paced(n, begin.Add(time.Duration(turn.Add(1))*apart), pace)
	})
}

// paced does n echoes, each when it is due. One that is due before the answer to
// the last has come counts from when it was due.
func (s *session) paced(n int, due time.Time, pace time.Duration) error {
	if err := s.ask(askEcho, int64(n)*echoSize); err != nil {
		return err
	}
	wire := s.wire(s.pattern[:echoSize])
	for range n {
		began := due
		if wait := time.Until(due); wait > 0 {
			time.Sleep(wait)
			began = time.Now() // that it slept long is not the proxy's doing
		}
		if err := s.trip(wire, echoSize, began); err != nil {
			return err
		}
		due = due.Add(pace)
	}
	return nil
}

// A siege is an attacker's process.
type siege struct {
	cmd   *exec.Cmd
	stop  io.Closer // its standard input
	says  *bufio.Reader
	said  bytes.Buffer // its standard error
	began time.Time
}

// besiege starts an attack, in a process of the lowest priority that runs on one CPU
// at a time, and waits until it has begun. The caller ends it.
func besiege(ctx context.Context, name, address string, held int) (*siege, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	b := &siege{cmd: exec.CommandContext(ctx, "nice", "-n", "19", self, attackWord, name, address, strconv.Itoa(held))}
	b.cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	b.cmd.Stderr = &b.said
	if b.stop, err = b.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := b.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	b.says = bufio.NewReader(out)
	if err := b.cmd.Start(); err != nil {
		return nil, err
	}
	if _, err := b.says.ReadString('\n'); err != nil {
		return nil, b.lost()
	}
	b.began = time.Now()
	return b, nil
}

// end stops the attack and returns how much of it there was in a second.
func (b *siege) end() (float64, error) {
	took := time.Since(b.began)
	b.stop.Close()
	line, err := b.says.ReadString('\n')
	if err != nil {
		return 0, b.lost()
	}
	n, err := strconv.Atoi(strings.TrimSpace(line))
	return perSecond(n, took), errors.Join(err, b.cmd.Wait())
}

// lost says why an attacker that says no more ended.
func (b *siege) lost() error {
	err := b.cmd.Wait()
	return fmt.Errorf("it ended (%v): %s", err, lastLines(b.said.Bytes()))
}
