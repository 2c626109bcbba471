package wrap

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// life is a program from its start to the end of all it started, seen from the
// bridge: the other end of its keeper's control socket.
type life struct {
	pid     int // the program's
	keeper  *exec.Cmd
	control *net.UnixConn
	reports *json.Decoder
}

// launch starts o.Command, its binds of o.Port moved to port unless that is 0.
// ctx bounds the start.
func launch(ctx context.Context, o Options, port int) (*life, error) {
	if os.Args[0] == keeperName {
		return nil, errors.New("main does not begin with wrap.Child")
	}
	l := &life{}
	theirs, err := l.connect()
	if err != nil {
		return nil, fmt.Errorf("cannot wrap a program: %w", err)
	}
	defer theirs.Close()
	l.keeper = keeperCommand(o, port, theirs)
	if err := l.keeper.Start(); err != nil {
		l.control.Close()
		return nil, fmt.Errorf("cannot wrap a program: %w", err)
	}
	theirs.Close()
	if err := l.begin(ctx); err != nil {
		l.wait(func(report) {})
		return nil, err
	}
	return l, nil
}

// connect makes the control socket and gives the keeper's end of it.
func (l *life) connect() (theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	theirs = os.NewFile(uintptr(fds[1]), "control")
	ours := os.NewFile(uintptr(fds[0]), "control")
	defer ours.Close()
	conn, err := net.FileConn(ours)
	if err != nil {
		theirs.Close()
		return nil, err
	}
	l.control = conn.(*net.UnixConn)
	l.reports = json.NewDecoder(conn)
	return theirs, nil
}

func keeperCommand(o Options, port int, control *os.File) *exec.Cmd {
	k := keeper{moved: port, grace: o.Grace, linger: o.Mode == Ignore, command: o.Command}
	if port != 0 {
		k.port = o.Port
	}
	return &exec.Cmd{
		Path:        "/proc/self/exe", // ours even when the file was replaced
		Args:        k.arguments(),
		Env:         o.Env,
		Dir:         o.Dir,
		Stdin:       o.Stdin,
		Stdout:      o.Stdout,
		Stderr:      o.Stderr,
		ExtraFiles:  []*os.File{control},
		SysProcAttr: &syscall.SysProcAttr{Setpgid: true}, // the terminal's ^C is not for the keeper
		WaitDelay:   time.Second,
	}
}

// begin waits until the program runs, which the keeper's first report tells.
func (l *life) begin(ctx context.Context) error {
	defer context.AfterFunc(ctx, l.kill)()
	var r report
	for r.Pid == 0 {
		if err := l.reports.Decode(&r); err != nil {
			l.kill()
			if ctx.Err() != nil {
				err = ctx.Err()
			}
			return fmt.Errorf("cannot wrap a program: %w", err)
		}
		if r.Failed != nil {
			return r.Failed.err()
		}
	}
	l.pid = r.Pid
	return nil
}

// wait lasts until nothing of the program is left, or in mode Ignore nothing of
// its descendants, and gives the program's status.
func (l *life) wait(observe func(report)) (status int) {
	defer l.control.Close()
	status = 128 + int(syscall.SIGKILL) // ours and theirs, when the keeper is killed
	ended := false
	for {
		var r report
		if l.reports.Decode(&r) != nil {
			break
		}
		if r.Ended {
			status, ended = r.Status, true
		}
		observe(r)
	}
	l.keeper.Wait()
	if !ended && l.pid != 0 {
		syscall.Kill(-l.pid, syscall.SIGKILL)
		observe(report{Ended: true, Status: status})
	}
	return status
}

// end asks the program and all it started to end, and has the keeper kill what
// does not within the grace.
func (l *life) end() { l.control.CloseWrite() }

// kill has the keeper kill the program and all it started.
func (l *life) kill() { l.keeper.Process.Signal(syscall.SIGTERM) }
