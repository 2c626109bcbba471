//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wsbridge/wsbridge/config"
)

// The stories below need processes of their own: a starter, which goes through
// daemonize, and its daemon. Both are this test binary, in TestDaemonProcess.
// They find in the environment what to do; the daemon is led over a socket, and
// ends when the story lets go of it.
const (
	actEnv     = "DAEMON_TEST_ACT"
	controlEnv = "DAEMON_TEST_CONTROL"
)

// selfTest makes the test binary run the processes alone.
var selfTest = []string{"-test.run=^TestDaemonProcess$"}

// sight is what a daemon sees of itself.
type sight struct {
	PID, Session, Umask int
	Dir, Stdin, Stdout  string
	Marked              bool
	Descriptors         []string // but its own ones
}

// TestDaemonProcess is a process of the other tests; by itself it is nothing.
func TestDaemonProcess(*testing.T) {
	act := os.Getenv(actEnv)
	if act == "" {
		return
	}
	wait, err := newReadiness(os.Environ())
	if err != nil {
		os.Exit(report(os.Stderr, err))
	}
	if wait == nil && act != "foreground" {
		os.Exit(daemonize(selfTest, os.Environ(), os.Stderr))
	}
	os.Exit(report(os.Stderr, playDaemon(act, wait)))
}

// playDaemon does what act says, as the program's start would.
func playDaemon(act string, wait *readiness) error {
	fmt.Fprintln(os.Stderr, "starting")
	switch act {
	case "usage":
		return &config.UsageError{Msg: "no such thing", Hint: "write another"}
	case "failure":
		return &failure{errors.New("port 1 is already in use")}
	case "killed":
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	saw := lookAround()
	control, err := net.Dial("unix", os.Getenv(controlEnv))
	if err != nil {
		return &failure{err}
	}
	defer control.Close()
	if act == "hesitate" { // until told to be ready
		control.Write([]byte("here\n"))
		control.Read(make([]byte, 1))
	}
	if err := wait.ready(); err != nil {
		fmt.Fprintf(control, "%q\n", err)
		return &failure{err}
	}
	fmt.Fprintln(os.Stderr, "said to nobody")
	saw.Stdout, _ = os.Readlink("/proc/self/fd/1")
	json.NewEncoder(control).Encode(saw)
	control.Read(make([]byte, 1)) // until the story lets go
	return nil
}

func lookAround() (saw sight) {
	saw.PID = os.Getpid()
	saw.Session, _ = unix.Getsid(0)
	saw.Umask = syscall.Umask(0)
	syscall.Umask(saw.Umask)
	saw.Dir, _ = os.Getwd()
	saw.Stdin, _ = os.Readlink("/proc/self/fd/0")
	_, saw.Marked = os.LookupEnv("_WSBRIDGE_DAEMON")
	fds, _ := os.ReadDir("/proc/self/fd")
	for _, fd := range fds {
		name, _ := os.Readlink("/proc/self/fd/" + fd.Name())
		if n, _ := strconv.Atoi(fd.Name()); n > 2 {
			saw.Descriptors = append(saw.Descriptors, name)
		}
	}
	return saw
}

// story is a starter with its surroundings.
type story struct {
	*testing.T
	dir     string
	control *net.UnixListener
	starter *exec.Cmd
	said    bytes.Buffer
}

func newStory(t *testing.T, act string) *story {
	s := &story{T: t, dir: t.TempDir()}
	control, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(s.dir, "control"), Net: "unix"})
	self, selfErr := os.Executable()
	if err := errors.Join(err, selfErr); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { control.Close() })
	s.control = control
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	s.starter = exec.CommandContext(ctx, self, selfTest...)
	s.starter.WaitDelay = time.Second // for a daemon that keeps standard error
	s.starter.Dir = s.dir
	s.starter.Env = append(os.Environ(), actEnv+"="+act, controlEnv+"=control") // a relative path
	s.starter.Stderr = &s.said
	return s
}

// run waits for the starter, and returns its exit status. It ends only when
// its standard error is given up by everyone.
func (s *story) run() int {
	s.Helper()
	var exit *exec.ExitError
	if err := s.starter.Run(); err != nil && !errors.As(err, &exit) {
		s.Fatal(err)
	}
	return s.starter.ProcessState.ExitCode()
}

// daemon is the connection that the daemon makes to the story.
func (s *story) daemon() (net.Conn, *json.Decoder) {
	s.Helper()
	s.control.SetDeadline(time.Now().Add(patience))
	conn, err := s.control.Accept()
	if err != nil {
		s.Fatalf("no daemon: %v; it said:\n%s", err, &s.said)
	}
	s.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	return conn, json.NewDecoder(conn)
}

// A daemon is on its own: it has a session, no terminal and nothing of its
// starter's but the directory and, until it serves, standard error.
func TestDaemonServes(t *testing.T) {
	if _, err := os.Stat("/proc/self/fd"); err != nil {
		t.Skip("no /proc to look around in")
	}
	s := newStory(t, "serve")
	extra, err := os.Create(filepath.Join(s.dir, "lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer extra.Close()
	s.starter.ExtraFiles = []*os.File{extra, extra} // 3 is where the pipe is to be
	if status := s.run(); status != 0 {
		t.Fatalf("the starter ends with status %d: %s", status, &s.said)
	}
	if got := s.said.String(); got != "starting\n" {
		t.Errorf("standard error has %q, want what was said before the daemon served", got)
	}
	_, answers := s.daemon()
	var saw sight
	if err := answers.Decode(&saw); err != nil {
		t.Fatal(err)
	}
	if saw.Session != saw.PID {
		t.Errorf("daemon %d is in session %d, want one of its own", saw.PID, saw.Session)
	}
	if dir, _ := filepath.EvalSymlinks(s.dir); saw.Dir != dir {
		t.Errorf("daemon in %s, want the starter's directory %s", saw.Dir, dir)
	}
	if saw.Stdin != os.DevNull || saw.Stdout != os.DevNull {
		t.Errorf("standard input %s, output %s, want %s", saw.Stdin, saw.Stdout, os.DevNull)
	}
	if saw.Umask&0o027 != 0o027 {
		t.Errorf("umask %03o, want at least 027", saw.Umask)
	}
	if saw.Marked {
		t.Error("programs that the daemon starts would take themselves for it")
	}
	if i := slices.IndexFunc(saw.Descriptors, func(name string) bool { return strings.HasSuffix(name, "/lock") }); i >= 0 {
		t.Errorf("the starter's file is open in the daemon: %q", saw.Descriptors)
	}
}

// A daemon that does not come to serve is the starter's failure.
func TestDaemonFails(t *testing.T) {
	tests := []struct {
		act  string
		exit int
		said string
	}{
		{"usage", 2, "starting\nwsbridge: error: no such thing\nhint: write another\n"},
		{"failure", 1, "starting\nwsbridge: error: port 1 is already in use\n"},
		{"killed", 1, "starting\nwsbridge: error: the daemon died at its start: signal: killed\n"},
	}
	for _, tt := range tests {
		t.Run(tt.act, func(t *testing.T) {
			s := newStory(t, tt.act)
			if status := s.run(); status != tt.exit {
				t.Errorf("exit status %d, want %d", status, tt.exit)
			}
			if got := s.said.String(); got != tt.said {
				t.Errorf("said %q, want %q", got, tt.said)
			}
		})
	}
}

// Who stops the starter stops the daemon with it.
func TestDaemonWithoutStarter(t *testing.T) {
	s := newStory(t, "hesitate")
	s.starter.Stderr = nil // the daemon would keep a pipe open
	if err := s.starter.Start(); err != nil {
		t.Fatal(err)
	}
	conn, answers := s.daemon()
	if _, err := conn.Read(make([]byte, len("here\n"))); err != nil {
		t.Fatal(err)
	}
	s.starter.Process.Kill()
	s.starter.Wait()
	conn.Write([]byte("."))
	var why string
	if err := answers.Decode(&why); err != nil || why != "nobody waits for this daemon any more" {
		t.Errorf("the daemon says %q, %v", why, err)
	}
	if _, err := conn.Read(make([]byte, 1)); err == nil {
		t.Error("the daemon lives on")
	}
}

// A mark in the environment that no starter has put there starts nothing.
func TestDaemonMarkOfNobody(t *testing.T) {
	s := newStory(t, "serve")
	s.starter.Env = append(s.starter.Env, daemonMark)
	if status := s.run(); status != 1 || !strings.Contains(s.said.String(), "nothing waits for a daemon") {
		t.Errorf("exit status %d, said %q", status, &s.said)
	}
}

func TestForegroundNeedsNobody(t *testing.T) {
	wait, err := newReadiness([]string{"HOME=/"})
	if wait != nil || err != nil || wait.ready() != nil {
		t.Errorf("newReadiness = %v, %v", wait, err)
	}
}

func TestPidFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "wsbridge.pid")
	own := fmt.Sprintln(os.Getpid())
	first, err := openPidFile(path)
	if err != nil {
		t.Fatal(err)
	}
	checkPidFile(t, path, own)
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o644 {
		t.Errorf("stat %v, %v; want a file that all may read", info, err)
	}

	_, err = openPidFile(path)
	var usage *config.UsageError
	var failed *failure
	if !errors.As(err, &failed) || !errors.As(err, &usage) || !strings.Contains(usage.Msg, "runs already as process "+strings.TrimSpace(own)) || usage.Hint == "" {
		t.Errorf("beside a live process: %v", err)
	}
	checkPidFile(t, path, own)

	if err := first.remove(); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(filepath.Dir(path)); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func checkPidFile(t *testing.T, path, want string) {
	t.Helper()
	if text, err := os.ReadFile(path); err != nil || string(text) != want {
		t.Errorf("pid file: %q, %v; want %q", text, err, want)
	}
}

// What is in the way of a pid file is replaced only if nobody misses it.
func TestPidFileInTheWay(t *testing.T) {
	tests := []struct {
		name  string
		place func(path string) error
		want  string // in the error; empty: replaced
	}{
		{"of a dead process", func(path string) error { return os.WriteFile(path, []byte("4194999\n"), 0o644) }, ""},
		{"of a process that is not ours", func(path string) error { return os.WriteFile(path, []byte("1\n"), 0o644) }, ""},
		{"empty", func(path string) error { return os.WriteFile(path, nil, 0o600) }, ""},
		{"a letter", func(path string) error { return os.WriteFile(path, []byte("Dear all,"), 0o600) }, "holds something else"},
		{"digits without end", func(path string) error { return os.WriteFile(path, bytes.Repeat([]byte("1"), 100), 0o600) }, "holds something else"},
		{"directory", func(path string) error { return os.Mkdir(path, 0o700) }, "not a regular file"},
		{"symbolic link", func(path string) error { return os.Symlink("/dev/null", path) }, "not a regular file"},
		{"pipe", func(path string) error { return syscall.Mkfifo(path, 0o600) }, "not a regular file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "pid")
			if err := tt.place(path); err != nil {
				t.Fatal(err)
			}
			before, _ := os.Lstat(path)
			p, err := openPidFile(path)
			if tt.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				defer p.remove()
				checkPidFile(t, path, fmt.Sprintln(os.Getpid()))
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
			if after, err := os.Lstat(path); err != nil || !os.SameFile(before, after) {
				t.Errorf("what was there is not: %v", err)
			}
			if left, _ := filepath.Glob(path + ".*"); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func TestPidFileWithoutPlace(t *testing.T) {
	_, err := openPidFile(filepath.Join(t.TempDir(), "missing", "pid"))
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v", err)
	}
	if p, err := openPidFile(""); p != nil || err != nil || p.remove() != nil {
		t.Errorf("no pid file: %v, %v", p, err)
	}
}

// A pid file that another process has since made stays.
func TestPidFileOfAnother(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pid")
	p, err := openPidFile(path)
	if err != nil {
		t.Fatal(err)
	}
	os.Remove(path)
	other, err := openPidFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.remove(); err != nil {
		t.Error(err)
	}
	checkPidFile(t, path, fmt.Sprintln(os.Getpid()))
	if err := other.remove(); err != nil {
		t.Error(err)
	}
}

// Of many that start at once over a dead one's file, one gets it.
func TestPidFileRace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pid")
	if err := os.WriteFile(path, []byte("4194999\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	const starters = 16
	got := make(chan *pidFile, starters)
	for range starters {
		go func() {
			p, _ := openPidFile(path)
			got <- p
		}()
	}
	winners := 0
	for range starters {
		if p := <-got; p != nil {
			winners++
			defer p.remove()
		}
	}
	if winners != 1 {
		t.Errorf("%d processes have the pid file, want 1", winners)
	}
	checkPidFile(t, path, fmt.Sprintln(os.Getpid()))
}
