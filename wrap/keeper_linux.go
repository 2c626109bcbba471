package wrap

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A life of the program is held by a keeper: this very binary, started anew.
// The keeper answers the program's binds, so a busy bridge delays none. It is
// the ancestor that every orphan below falls to (PR_SET_CHILD_SUBREAPER), so it
// knows when nothing is left, may look into all of it under the rules of ptrace
// and ends all of it. It does so when its control socket reads end of file,
// which it does when we ask, exit or are killed.

// keeperName is the keeper's argv[0].
const keeperName = "wsbridge: wrap"

// controlFile is the keeper's end of the socket to the bridge.
const controlFile = 3

// keeper holds one life. Its arguments are the fields up to command, in order.
type keeper struct {
	port    int // to move; 0 for none
	moved   int
	grace   time.Duration
	linger  bool // what the program leaves behind may go on
	command []string

	control net.Conn
	mover   *mover // nil without a port to move
	pid     int    // the program's, and that of its process group
	ended   bool

	deserted bool             // the program left all of it to us, and nobody has been told
	asked    map[int]bool     // who has had SIGTERM; nil before the end
	patience <-chan time.Time // the end of the grace
}

// arguments are an argv that parse understands.
func (k *keeper) arguments() []string {
	return append([]string{
		keeperName,
		strconv.Itoa(k.port),
		strconv.Itoa(k.moved),
		k.grace.String(),
		strconv.FormatBool(k.linger),
	}, k.command...)
}

func (k *keeper) parse(argv []string) {
	k.port, _ = strconv.Atoi(argv[1])
	k.moved, _ = strconv.Atoi(argv[2])
	k.grace, _ = time.ParseDuration(argv[3])
	k.linger, _ = strconv.ParseBool(argv[4])
	k.command = argv[5:]
}

// Child must be the first thing that main does, and so must be TestMain's where
// programs are wrapped: a life is held by a process of the same binary. There
// it returns when the life is over, and main exits with status; else it
// returns false at once. Without it Start fails.
func Child() (status int, child bool) {
	if len(os.Args) < 6 || os.Args[0] != keeperName {
		return 0, false
	}
	k := &keeper{}
	k.parse(os.Args)
	if f := k.begin(); f != nil {
		k.report(report{Failed: f})
		return 1, true
	}
	k.report(report{Pid: k.pid})
	if k.mover != nil {
		go k.mover.serve()
	}
	k.hold()
	return 0, true
}

// begin starts the program, on this thread for as long as we live: the thread
// has the filter, and its end would be the program's (PR_SET_PDEATHSIG).
func (k *keeper) begin() *failure {
	runtime.LockOSThread()
	os.WriteFile("/proc/self/comm", []byte("wsbridge-wrap"), 0) // else ps says "exe"
	control := os.NewFile(controlFile, "control")
	defer control.Close()
	if f := k.prepare(control); f != nil {
		return f
	}
	if k.port == 0 {
		return k.spawn()
	}
	if f := probe(os.Getpid()); f != nil {
		return f
	}
	l, f := listen()
	if f != nil {
		return f
	}
	k.mover = &mover{l, uint16(k.port), uint16(k.moved), k.report, map[string]bool{}}
	if f := k.spawn(); f != nil {
		return f
	}
	if f := probe(k.pid); f != nil {
		k.kill()
		return f
	}
	return nil
}

// prepare takes the control socket and makes us what the program shall have
// above it, and nothing that it shall inherit.
func (k *keeper) prepare(control *os.File) *failure {
	var err error
	if k.control, err = net.FileConn(control); err != nil {
		return &failure{Text: "control socket: " + err.Error()}
	}
	if err := closeOnExec(); err != nil {
		return &failure{Text: "files to close: " + err.Error()}
	}
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return &failure{Text: "prctl: " + err.Error()}
	}
	return nil
}

// closeOnExec keeps all files but stdio from the program, also those that we
// were born with.
func closeOnExec() error {
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	for _, entry := range open {
		if fd, err := strconv.Atoi(entry.Name()); err == nil && fd > 2 {
			unix.CloseOnExec(fd)
		}
	}
	return nil
}

func (k *keeper) spawn() *failure {
	path, err := exec.LookPath(k.command[0])
	if err == nil {
		k.pid, err = syscall.ForkExec(path, k.command, &syscall.ProcAttr{
			Env:   os.Environ(),
			Files: []uintptr{0, 1, 2},
			Sys:   &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL},
		})
		if err != nil {
			err = &exec.Error{Name: k.command[0], Err: err}
		}
	}
	if err == nil {
		return nil
	}
	f := &failure{Text: "cannot run the program: " + err.Error()}
	errors.As(err, &f.Errno)
	return f
}

// report tells the bridge, if it is there.
func (k *keeper) report(r report) {
	if k.control != nil {
		json.NewEncoder(k.control).Encode(r)
	}
}

// hold lasts until nothing of the program is left. It passes on the end that
// the bridge asks for; SIGTERM asks for it at once.
func (k *keeper) hold() {
	deaths := make(chan death)
	go reap(deaths)
	asked := make(chan struct{})
	go awaitEnd(k.control, asked)
	hurry := make(chan os.Signal, 1)
	signal.Notify(hurry, syscall.SIGTERM)
	for {
		select {
		case d, more := <-deaths:
			if !more {
				return
			}
			k.bury(d)
		case <-asked:
			asked = nil
			k.ask()
		case <-hurry:
			k.kill()
		case <-k.patience:
			k.kill()
		}
	}
}

// bury notes a death. After the program's own, what it left is asked to end,
// and so is what a dying process has forked behind our back.
func (k *keeper) bury(d death) {
	if d.pid == k.pid {
		k.ended = true
		k.report(report{Ended: true, Status: d.status})
		k.deserted = !k.linger && k.asked == nil
	}
	if !k.deserted && k.asked == nil {
		return
	}
	if living := k.ask(); k.deserted && living > 0 {
		k.report(report{Left: living})
		k.deserted = false
	}
}

// ask asks all to end that were not asked before, and tells how many they are.
// What has not ended after the grace is killed.
func (k *keeper) ask() (living int) {
	if k.asked == nil {
		k.asked = map[int]bool{}
		k.patience = time.After(k.grace)
	}
	return k.signal(syscall.SIGTERM, k.asked)
}

// kill kills all, and soon again what was forked meanwhile.
func (k *keeper) kill() {
	k.signal(syscall.SIGKILL, map[int]bool{})
	k.patience = time.After(20 * time.Millisecond)
}

// awaitEnd closes asked when the bridge has no more to say.
func awaitEnd(control net.Conn, asked chan<- struct{}) {
	io.Copy(io.Discard, control)
	close(asked)
}

// death is a process of ours that ended.
type death struct{ pid, status int }

// reap buries our children, born or fallen to us, and closes deaths after the
// last.
func reap(deaths chan<- death) {
	defer close(deaths)
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, 0, nil)
		switch {
		case err == unix.EINTR:
		case err != nil: // ECHILD
			return
		case status.Signaled():
			deaths <- death{pid, 128 + int(status.Signal())}
		default:
			deaths <- death{pid, status.ExitStatus()}
		}
	}
}
