//go:build unix

package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/wsbridge/wsbridge/config"
)

const listensOn = `Listen on 127\.0\.0\.1:(\d+)`

// A daemon is succeeded twice. Its pid file, its unix sockets and the
// administrator's are its successor's each time, and go with the last of them.
func TestUpgradeOfADaemon(t *testing.T) {
	d := founded(t, "-D", "--listen", "127.0.0.1:0", "--unix-listen", "s", "--admin", "unix:admin",
		"--pid-file", "pid", "--log-file", "log", "--drain-timeout", "1", occupied(t))
	<-d.ended
	first, err := strconv.Atoi(d.pidFile())
	if err != nil {
		t.Fatalf("pid file: %v\n%s", err, d.text())
	}
	t.Cleanup(func() { // a daemon is in no group of ours
		if last, err := strconv.Atoi(d.pidFile()); err == nil && t.Failed() {
			syscall.Kill(last, syscall.SIGKILL)
		}
	})
	port := d.said(listensOn, 1)
	second := d.succeed(first, 1)
	d.gone(first)
	third := d.succeed(second, 2)
	d.gone(second)
	if again := d.said(listensOn, 3); again != port {
		t.Errorf("port %s became port %s", port, again)
	}
	d.eventually("the third's pid file", func() bool { return d.pidFile() == strconv.Itoa(third) })
	d.resident(port)
	for socket, want := range map[string]string{"s": "404 ", "admin": "200 "} {
		if status := d.answer("unix", d.path(socket)); !strings.HasPrefix(status, want) {
			t.Errorf("%s answers %s, want %s", socket, status, want)
		}
	}
	d.signal(third, syscall.SIGTERM)
	d.gone(third)
	left, _ := os.ReadDir(d.dir)
	for _, file := range left {
		if name := file.Name(); name != "log" && name != "wsbridge" {
			t.Errorf("left behind: %s", name)
		}
	}
}

// A pid file is the successor's from the word to go: its predecessor, however
// late it ends, lets it be.
func TestPidFileOfASuccessor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pid")
	for _, left := range []bool{true, false} {
		p, err := openPidFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if left {
			p.leave()
		}
		if err := p.remove(); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(path); (err == nil) != left {
			t.Errorf("left to a successor: %t, then: %v", left, err)
		}
	}
}

// A session stays with the process that it began in, which ends with it, or when
// it has had its time, or is told to.
func TestUpgradeWithASession(t *testing.T) {
	for _, tt := range []struct {
		name   string
		option []string
		end    func(d *dynasty)
	}{
		{"time is up", []string{"--upgrade-timeout", "1"}, func(*dynasty) {}},
		{"told to stop", nil, func(d *dynasty) { d.signal(d.first.Process.Pid, syscall.SIGTERM) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := founded(t, append(tt.option, "--drain-timeout", "1", "127.0.0.1:0", occupied(t))...)
			port := d.said(listensOn, 1)
			session := d.resident(port)
			successor := d.succeed(d.first.Process.Pid, 1)
			if tt.option == nil {
				d.signal(d.first.Process.Pid, syscall.SIGUSR2)
				d.said(`no upgrade: this process has a successor already`, 1)
			}
			d.resident(port) // the successor's
			tt.end(d)
			head := make([]byte, 4)
			if _, err := io.ReadFull(session, head); err != nil || head[0] != 0x88 || head[2] != 0x03 || head[3] != 0xe9 {
				t.Errorf("the session's end: %#x, %v; want a Close with 1001", head, err)
			}
			<-d.ended
			if status := d.first.ProcessState.ExitCode(); status != 0 {
				t.Errorf("exit status %d", status)
			}
			d.signal(successor, syscall.SIGTERM)
			d.gone(successor)
		})
	}
}

// Whatever keeps a successor from serving, the log has it in one line, and
// nothing changes for anybody.
func TestUpgradeThatFails(t *testing.T) {
	const good = "heartbeat: 30\n"
	d := newDynasty(t)
	d.write("yaml", good, 0o600)
	d.start(nil, "--sandbox", "off", "--config", "yaml", "--pid-file", "pid", "--drain-timeout", "1", "--unix-listen", "s", "--listen", "127.0.0.1:0", occupied(t))
	port, first := d.said(listensOn, 1), d.first.Process.Pid
	for _, tt := range []struct {
		name, yaml, program, want string
	}{
		{"configuration", "hartbeat: 30\n", "", `serving on" process=\d+ err="yaml:1: .*heartbeat\?\)"`},
		{"another process's port", "admin: " + occupied(t) + "\n", "", `serving on" process=\d+ err="port \d+ is already in use"`},
		{"crash", good, "#!/bin/sh\nexit 3\n", `it ended before it was ready: exit status 3`},
		{"kill", good, "#!/bin/sh\nkill -9 $$\n", `it ended before it was ready: signal: killed`},
		{"no program", good, "no program at all\n", `no upgrade: the program cannot be started, serving on".*exec format error`},
	} {
		d.write("yaml", tt.yaml, 0o600)
		if tt.program != "" {
			d.write("other", tt.program, 0o700)
			d.install(d.path("other"))
		}
		d.signal(first, syscall.SIGUSR2)
		d.said(tt.want, 1)
		if pid := d.pidFile(); pid != strconv.Itoa(first) {
			t.Errorf("%s: the pid file has %s, want %d", tt.name, pid, first)
		}
		d.answer("unix", d.path("s"))
		d.resident(port)
		d.write("yaml", good, 0o600)
		d.install(d.self())
	}
	successor := d.succeed(first, 1)
	d.signal(first, syscall.SIGTERM) // with the sessions
	<-d.ended
	d.signal(successor, syscall.SIGTERM)
	d.gone(successor)
	if left, _ := filepath.Glob(d.path("[ps]*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// There is one upgrade at a time, and it does not keep the process from being
// stopped.
func TestUpgradeUnderWay(t *testing.T) {
	d := founded(t, "--sandbox", "off", "127.0.0.1:0", occupied(t))
	d.said(listensOn, 1)
	d.write("other", "#!/bin/sh\nexec sleep 1000\n", 0o700)
	d.install(d.path("other"))
	d.signal(d.first.Process.Pid, syscall.SIGUSR2)
	d.said(`msg=upgrading program=\S+/wsbridge`, 1)
	d.signal(d.first.Process.Pid, syscall.SIGUSR2)
	d.said(`no second upgrade`, 1)
	d.signal(d.first.Process.Pid, syscall.SIGTERM)
	<-d.ended
	if status := d.first.ProcessState.ExitCode(); status != 0 {
		t.Errorf("exit status %d", status)
	}
}

// Some processes have nothing to hand on, and say so.
func TestNoUpgrade(t *testing.T) {
	d := founded(t, "--run-once", "127.0.0.1:0", occupied(t))
	d.said(listensOn, 1)
	d.signal(d.first.Process.Pid, syscall.SIGUSR2)
	d.said(`no upgrade: with --run-once`, 1)
	for want, c := range map[string]config.Config{
		"inetd's to start":     {Inetd: true},
		"wrapped program":      {Command: []string{"x"}},
		"it is this process's": {RunOnce: true},
		"":                     {Daemon: true, UnixListen: "s"},
	} {
		if why := (&service{config: &c}).noUpgrade(); (why == "") != (want == "") || !strings.Contains(why, want) {
			t.Errorf("%+v: %q, want %q", c, why, want)
		}
	}
}

// A successor that never gets ready is killed when its time is over.
func TestSuccessorIsLate(t *testing.T) {
	own, its, err := newLine()
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	defer its.Close()
	cmd := exec.Command("sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	u := &upgrader{patience: time.Millisecond, words: make(chan error, 1)}
	u.listenTo(own, cmd)
	if err := <-u.words; err == nil || err.Error() != "it was not ready in 1ms" {
		t.Error(err)
	}
	if cmd.ProcessState == nil || cmd.ProcessState.Success() {
		t.Errorf("it ended with %v", cmd.ProcessState)
	}
}

// A successor whose predecessor goes, or serves on, is none.
func TestSuccessorOfNobody(t *testing.T) {
	for _, tt := range []struct {
		name, want string
		talk       func(net.Conn)
	}{
		{"gone", "the process that this one was to succeed is gone", nil},
		{"hangs up", "the process that this one was to succeed serves on", func(c net.Conn) { io.ReadFull(c, make([]byte, len(wordReady))) }},
		{"go", "", func(c net.Conn) { io.WriteString(c, wordGo); io.Copy(io.Discard, c) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			own, its, err := newLine()
			if err != nil {
				t.Fatal(err)
			}
			line, err := net.FileConn(its)
			if its.Close(); err != nil {
				t.Fatal(err)
			}
			var talk sync.WaitGroup
			defer talk.Wait()
			talk.Go(func() {
				defer own.Close()
				if tt.talk != nil {
					tt.talk(own)
				}
			})
			if tt.talk == nil {
				talk.Wait()
			}
			if err := (&predecessor{line}).succeed(); fmt.Sprint(err) != tt.want && (err != nil || tt.want != "") {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

// A mark in the environment that no predecessor has put there starts nothing.
func TestSuccessorMarkOfNobody(t *testing.T) {
	d := newDynasty(t)
	d.start([]string{successorMark + "=[]"}, "127.0.0.1:0", occupied(t))
	<-d.ended
	d.said(`but there is nobody to succeed`, 1)
}
