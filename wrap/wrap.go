// Package wrap runs a program and moves the TCP port it serves to loopback, so
// that the port itself is free for the bridge.
//
// On Linux (amd64 and arm64, kernel 5.6) the kernel tells us of every bind(2)
// in the program, its threads, its descendants and whatever they execute; no
// library is preloaded, so static programs move too. A bind of Options.Port on
// a TCP socket is done at 127.0.0.1 or [::1] and a port that is ours; every
// other bind is left to the kernel. All sockets bound to the port share the one
// moved port, so that a second bind is refused, or with SO_REUSEPORT let in,
// as it would have been. What the program can see of it: getsockname(2) tells
// the moved address, SO_REUSEADDR is on, and binding a bound socket to the
// port again succeeds. Not moved: a bind made through io_uring, and one in a
// program that may not be looked into, which is logged.
//
// Without CAP_SYS_ADMIN the program runs with no_new_privs: sudo and other
// set-user-ID programs give no rights inside. Moving binds is a convenience
// and no fence: a program that wants to escape it can.
//
// Elsewhere, or where a container's policy forbids it, the command can carry
// the moved port itself: "{port}" in an argument is replaced by it, and binds
// are left alone.
//
// The program runs in a process group of its own and inherits only standard
// input, output and error. It ends together with everything it started, also
// what left the group (Linux), and also when we are killed.
package wrap

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// placeholder is replaced by the moved port in every argument.
const placeholder = "{port}"

// Options say what to run and how. Command and Port are needed.
type Options struct {
	// Command is the program and its arguments. The program is looked up in
	// $PATH.
	Command []string
	// Port is the TCP port that the program believes it serves.
	Port int
	// Mode says what follows when the program ends.
	Mode Mode
	// Wait is how long Dial waits for the program to listen; 0 is 10 s.
	Wait time.Duration
	// Grace is how long what is asked to end may take before it is killed; 0
	// is 5 s.
	Grace time.Duration
	// Stdin, Stdout and Stderr are the program's, passed on as they are when
	// they are files. nil is the null device. A program that reads from the
	// terminal is stopped, being in the background there.
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// Dir is the program's working directory; "" is ours.
	Dir string
	// Env is the program's environment; nil is ours. REBIND_OLD_PORT (Port)
	// and REBIND_NEW_PORT (the moved port) are added to it.
	Env []string
	// Log receives starts, ends and warnings; nil is slog.Default().
	Log *slog.Logger
}

// UnsupportedError is the error of Start where the system cannot move binds.
// It is errors.ErrUnsupported and its cause.
type UnsupportedError struct {
	Cause error
	Hint  string // what to do instead
}

func (e *UnsupportedError) Error() string {
	return "cannot move the port of a wrapped program: " + e.Cause.Error()
}

func (e *UnsupportedError) Unwrap() []error { return []error{errors.ErrUnsupported, e.Cause} }

func unsupported(cause error) *UnsupportedError {
	return &UnsupportedError{cause, "tell the program its port in the command: write " + placeholder + " where it takes one"}
}

// Program is a wrapped program: one life after the other in mode Respawn, one
// in the others. Its methods may be called from any goroutine.
type Program struct {
	options  Options
	clock    clock
	reserved io.Closer    // holds the moved port; nil with {port}
	moved    atomic.Int32 // the port the program's sockets are at
	bound    atomic.Bool  // a bind was moved in this life
	status   atomic.Int32 // of the last life

	end, kill context.CancelFunc // what Stop asks of supervise
	over      chan struct{}      // in mode Ignore: nothing of the program is left
	done      chan struct{}
}

// Start starts the program. ctx bounds the start only; it is Stop that ends the
// program and gives back what is held for it. An *UnsupportedError
// says that binds cannot be moved here.
func Start(ctx context.Context, o Options) (*Program, error) {
	return start(ctx, o, clock{time.Now, time.After})
}

// clock is the time that respawning goes by.
type clock struct {
	now   func() time.Time
	after func(time.Duration) <-chan time.Time
}

func start(ctx context.Context, o Options, c clock) (*Program, error) {
	if len(o.Command) == 0 || o.Command[0] == "" {
		return nil, errors.New("no command to wrap")
	}
	if o.Port < 1 || o.Port > 65535 {
		return nil, fmt.Errorf("port %d is not in the range 1 to 65535", o.Port)
	}
	p := &Program{
		options: o.withDefaults(),
		clock:   c,
		over:    make(chan struct{}),
		done:    make(chan struct{}),
	}
	if err := p.reserve(); err != nil {
		return nil, err
	}
	begun := c.now()
	first, err := p.begin(ctx)
	if err != nil {
		p.release()
		return nil, err
	}
	var asked stops
	asked.end, p.end = context.WithCancel(context.Background())
	asked.kill, p.kill = context.WithCancel(context.Background())
	go p.supervise(asked, first, begun)
	return p, nil
}

func (o Options) withDefaults() Options {
	if o.Wait == 0 {
		o.Wait = 10 * time.Second
	}
	if o.Grace == 0 {
		o.Grace = 5 * time.Second
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return o
}

// takesPort tells whether the command carries the moved port itself.
func (o Options) takesPort() bool {
	return slices.ContainsFunc(o.Command, func(arg string) bool {
		return strings.Contains(arg, placeholder)
	})
}

// reserve finds the moved port and keeps it ours for all lives. With {port} it
// is chosen anew for each life: the program binds by itself, so nobody holds
// the port between the choice and its bind.
func (p *Program) reserve() error {
	if p.options.takesPort() {
		return nil
	}
	port, held, err := reserve()
	if err != nil {
		return err
	}
	p.moved.Store(int32(port))
	p.reserved = held
	return nil
}

func (p *Program) release() {
	if p.reserved != nil {
		p.reserved.Close()
	}
}

// begin starts a life.
func (p *Program) begin(ctx context.Context) (*life, error) {
	o := p.options
	if o.takesPort() {
		port, err := freePort()
		if err != nil {
			return nil, fmt.Errorf("no free port for %s: %w", placeholder, err)
		}
		p.moved.Store(int32(port))
	}
	port := strconv.Itoa(int(p.moved.Load()))
	o.Command = slices.Clone(o.Command)
	for i, arg := range o.Command {
		o.Command[i] = strings.ReplaceAll(arg, placeholder, port)
	}
	o.Env = append(environment(o.Env), "REBIND_OLD_PORT="+strconv.Itoa(o.Port), "REBIND_NEW_PORT="+port)
	p.bound.Store(false)
	l, err := launch(ctx, o, p.moveTo())
	if err == nil {
		p.options.Log.Info("program started", "program", p.String(), "pid", l.pid)
	}
	return l, err
}

// environment is a copy of env, or of ours.
func environment(env []string) []string {
	if env == nil {
		return os.Environ()
	}
	return slices.Clone(env)
}

// moveTo is the port that binds are to be moved to; 0 is to leave them alone.
func (p *Program) moveTo() int {
	if p.reserved == nil {
		return 0
	}
	return int(p.moved.Load())
}

// freePort is a port of 127.0.0.1 that nobody has at the moment.
func freePort() (int, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// String is the command and the moved port: 'telnetd -debug 2023' (port 41234).
func (p *Program) String() string {
	return fmt.Sprintf("'%s' (port %d)", strings.Join(p.options.Command, " "), p.moved.Load())
}

// Done is closed when the program and all it started have ended and will not
// be started again: in mode Exit by itself, in all modes after Stop.
func (p *Program) Done() <-chan struct{} { return p.done }

// ExitCode is the program's last exit status, 128+n when signal n ended it. It
// has a meaning once Done is closed.
func (p *Program) ExitCode() int { return int(p.status.Load()) }

// Stop ends the program and all that it started: SIGTERM, Options.Grace, then
// SIGKILL, which comes at once when ctx ends. It returns when nothing is left,
// and may be called more than once.
func (p *Program) Stop(ctx context.Context) {
	p.end()
	select {
	case <-p.done:
	case <-ctx.Done():
		p.kill()
		<-p.done
	}
}
