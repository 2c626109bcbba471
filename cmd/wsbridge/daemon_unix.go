//go:build unix

package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wsbridge/wsbridge/config"
)

const (
	// daemonMark in the environment tells a process that it is the daemon.
	daemonMark = "_WSBRIDGE_DAEMON=1"

	// readyFD is the daemon's end of the pipe on which its starter waits.
	readyFD = 3

	// daemonUmask keeps what a daemon makes from people outside its group.
	daemonUmask = 0o027
)

// daemonize starts this program once more, as a daemon: in a session of its
// own, with no standard input or output and no descriptors of ours. It stays in our
// directory, so that paths mean what they meant before. args are without the
// program's name.
//
// It returns 0 when the daemon serves, and the daemon's exit status if it ends
// before. What the daemon says until then goes to stderr, which it is given
// for that time if it is a file.
func daemonize(args, environ []string, stderr io.Writer) (exit int) {
	daemon, word, err := startDaemon(args, environ, stderr)
	if err != nil {
		return report(stderr, &failure{fmt.Errorf("cannot go to the background: %w", err)})
	}
	defer word.Close()
	if _, err := io.ReadFull(word, make([]byte, 1)); err == nil {
		daemon.Process.Release()
		return 0
	}
	daemon.Wait()
	if status := daemon.ProcessState.ExitCode(); status >= 0 {
		return status
	}
	return report(stderr, &failure{fmt.Errorf("the daemon died at its start: %s", daemon.ProcessState)})
}

// startDaemon also returns the pipe from which one byte comes when the daemon
// serves, or else none.
func startDaemon(args, environ []string, stderr io.Writer) (*exec.Cmd, *os.File, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	word, tell, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	defer tell.Close()
	keepDescriptors()
	daemon := &exec.Cmd{
		Path:        self,
		Args:        append(os.Args[:1:1], args...),
		Env:         append(slices.Clip(environ), daemonMark),
		Stderr:      stderr,
		ExtraFiles:  []*os.File{tell},
		SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
	if err := daemon.Start(); err != nil {
		word.Close()
		return nil, nil, err
	}
	return daemon, word, nil
}

// keepDescriptors lets no process that we start have what our own starter left
// open, such as its lock. Where there is no list of them, it does nothing.
func keepDescriptors() {
	entries, err := os.ReadDir("/dev/fd")
	if err != nil {
		return
	}
	for _, e := range entries {
		if fd, err := strconv.Atoi(e.Name()); err == nil && fd > 2 {
			syscall.CloseOnExec(fd)
		}
	}
}

// readiness is the daemon's line to its starter, which waits for one word. Nil
// is the foreground, where nobody waits.
type readiness struct{ pipe *os.File }

// newReadiness is nil unless daemonize has started this process. It is for the
// very start: the files made from then on get the daemon's mode, and programs
// started from then on do not take themselves for the daemon.
func newReadiness(environ []string) (*readiness, error) {
	if !slices.Contains(environ, daemonMark) {
		return nil, nil
	}
	name, _, _ := strings.Cut(daemonMark, "=")
	os.Unsetenv(name)
	var stat syscall.Stat_t
	if err := syscall.Fstat(readyFD, &stat); err != nil || stat.Mode&syscall.S_IFMT != syscall.S_IFIFO {
		return nil, &failure{fmt.Errorf("%s is in the environment, but nothing waits for a daemon", name)}
	}
	syscall.CloseOnExec(readyFD)
	syscall.Umask(syscall.Umask(daemonUmask) | daemonUmask)
	return &readiness{os.NewFile(readyFD, "readiness")}, nil
}

// ready gives up standard error, then lets the starter end with status 0. It
// fails if the starter is gone: whoever stopped it wants no daemon.
func (r *readiness) ready() error {
	if r == nil {
		return nil
	}
	defer r.pipe.Close()
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	if err := unix.Dup2(int(null.Fd()), 2); err != nil {
		return fmt.Errorf("standard error cannot be given up: %w", err)
	}
	if _, err := r.pipe.Write([]byte{1}); err != nil {
		return errors.New("nobody waits for this daemon any more")
	}
	return nil
}

// pidFile holds the number of this process, and a lock that tells a live one
// from what a dead one left. Nil is none.
type pidFile struct {
	path  string
	f     *os.File
	draft string // where it is until take; empty: at path
	left  bool   // to the successor
}

// openPidFile makes the file, which nobody ever sees without its number. An
// empty path is none. It replaces what a dead process left, and refuses the
// file of a live one and what is no such file at all: failures with a hint.
// The caller removes it.
func openPidFile(path string) (*pidFile, error) {
	if path == "" {
		return nil, nil
	}
	f, err := draftPidFile(path)
	if err != nil {
		return nil, fmt.Errorf("pid file %s cannot be made: %w", path, err)
	}
	defer os.Remove(f.Name())
	for {
		err := os.Link(f.Name(), path)
		if err == nil {
			return &pidFile{path: path, f: f}, nil
		}
		if errors.Is(err, fs.ErrExist) {
			err = removeStale(path)
		}
		if err != nil {
			f.Close()
			return nil, err
		}
	}
}

// draftPatience is how long others that start at the same time are waited for.
const draftPatience = 5 * time.Second

// draftPidFile is the file, locked, beside the one it is to be. It has one name,
// so that those of processes that were killed at their start do not pile up.
func draftPidFile(path string) (f *os.File, err error) {
	name := path + ".tmp"
	for late := time.Now().Add(draftPatience); ; time.Sleep(5 * time.Millisecond) {
		f, err = os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
		switch {
		case err == nil:
			if err = fillDraft(f); err == nil && isAt(f, name) {
				return f, nil
			}
			f.Close()
		case errors.Is(err, fs.ErrExist):
			removeDeserted(name)
		default:
			return nil, err
		}
		if time.Now().After(late) {
			return nil, cmp.Or(err, fs.ErrExist)
		}
	}
}

func fillDraft(f *os.File) error {
	_, err := fmt.Fprintln(f, os.Getpid())
	return errors.Join(err, f.Chmod(0o644), lockFile(f))
}

// removeDeserted removes a draft that no living process has locked.
func removeDeserted(name string) {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return
	}
	defer f.Close()
	if lockFile(f) == nil && isAt(f, name) {
		os.Remove(name)
	}
}

func lockFile(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }

// removeStale removes the pid file of a dead process. If it is gone, or
// another by now, there is nothing to do.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && !info.Mode().IsRegular() {
		return pidFileError(path, "it is not a regular file")
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	pid, err := readPid(f)
	if err != nil {
		return err
	}
	if err := lockFile(f); errors.Is(err, syscall.EWOULDBLOCK) {
		return &failure{&config.UsageError{
			Msg:  fmt.Sprintf("wsbridge runs already as process %s, says pid file %s", pid, path),
			Hint: "stop it first, or name another file",
		}}
	} else if err != nil {
		return fmt.Errorf("pid file %s cannot be locked: %w", path, err)
	}
	if !isAt(f, path) {
		return nil
	}
	return os.Remove(path)
}

// readPid takes an empty file, too: a reserved place for a pid file.
func readPid(f *os.File) (string, error) {
	const most = 32
	text, err := io.ReadAll(io.LimitReader(f, most))
	if err != nil {
		return "", err
	}
	pid := strings.TrimSpace(string(text))
	if strings.Trim(pid, "0123456789") != "" || len(text) == most {
		return "", pidFileError(f.Name(), "it holds something else")
	}
	return pid, nil
}

func pidFileError(path, why string) error {
	return &failure{&config.UsageError{
		Msg:  fmt.Sprintf("%s cannot be the pid file: %s", path, why),
		Hint: "remove it, or name another file",
	}}
}

// isAt reports whether path is still f.
func isAt(f *os.File, path string) bool {
	open, err := f.Stat()
	if err != nil {
		return false
	}
	there, err := os.Lstat(path)
	return err == nil && os.SameFile(open, there)
}

// leave leaves the file to the successor, whose number replaces ours in its own
// time: who looks whether it has, and removes the file if not, may remove its.
func (p *pidFile) leave() {
	if p != nil {
		p.left = true
	}
}

// remove removes the file, unless by now it is another's.
func (p *pidFile) remove() error {
	if p == nil {
		return nil
	}
	defer p.f.Close()
	if p.draft != "" {
		return os.Remove(p.draft)
	}
	if p.left || !isAt(p.f, p.path) {
		return nil
	}
	return os.Remove(p.path)
}
