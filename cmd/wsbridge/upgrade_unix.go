//go:build unix

package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wsbridge/wsbridge/config"
	"github.com/wsbridge/wsbridge/listen"
)

// An upgrade is a talk of two processes over a socket. The successor, which has
// all listening sockets of its predecessor, says wordReady when it could serve,
// or else why it cannot. The predecessor then says wordGo, and accepts no more.
// Whoever of the two ends before that changes nothing for the other.
const (
	wordReady = "ready\n"
	wordGo    = "go\n"

	// successorMark in the environment tells a process that it succeeds
	// another: its value lists the sockets.
	successorMark = "_WSBRIDGE_SUCCESSOR"

	lineFD   = 3 // the successor's end of the talk
	socketFD = 4 // the first of the listening sockets

	startTimeout = time.Minute     // for a successor to be ready
	goTimeout    = 5 * time.Second // for a successor to take a word in, or to end
	maxWord      = 4096            // of a successor's reason, in bytes
)

// upgrader starts this program once more, on SIGUSR2, to take this process's
// place. Its methods are for the goroutine of await; nil does nothing.
type upgrader struct {
	startup  *startup
	program  string
	patience time.Duration // for a successor to be ready
	signals  chan os.Signal
	words    chan error // of the successor that is starting
	line     net.Conn   // to the successor; nil: there is none
	process  *os.Process
}

// newUpgrader is for the start: by the time of an upgrade, this program's file
// may have another in its place, and that is the one to start then.
func newUpgrader(l *startup) (*upgrader, error) {
	u := &upgrader{startup: l, program: ownProgram(), patience: startTimeout, signals: make(chan os.Signal, 1), words: make(chan error, 1)}
	signal.Notify(u.signals, syscall.SIGUSR2)
	return u, nil
}

// ownProgram prefers the name that the program was called by: a link may be led
// to another file. Where there is no /proc, as in a bare image, it is all there
// is.
func ownProgram() string {
	self, noSelf := os.Executable()
	called, err := exec.LookPath(os.Args[0])
	if err == nil {
		called, err = filepath.Abs(called)
	}
	if err != nil || noSelf != nil {
		return cmp.Or(self, called)
	}
	a, errA := os.Stat(self)
	b, errB := os.Stat(called)
	if errors.Join(errA, errB) != nil || !os.SameFile(a, b) {
		return self
	}
	return called
}

// asked has a signal when an upgrade is wanted.
func (u *upgrader) asked() <-chan os.Signal {
	if u == nil {
		return nil
	}
	return u.signals
}

// word has what became of the successor that is starting: nil, it is ready.
func (u *upgrader) word() <-chan error {
	if u == nil {
		return nil
	}
	return u.words
}

// successor is the number of the process that takes this one's place.
func (u *upgrader) successor() int { return u.process.Pid }

// stop ends the talk: a successor that is starting gives up.
func (u *upgrader) stop() {
	if u == nil {
		return
	}
	signal.Stop(u.signals)
	u.hangUp()
}

func (u *upgrader) hangUp() {
	if u.line != nil {
		u.line.Close()
		u.line = nil
	}
}

// startSuccessor is what an upgrade begins with; word has the rest.
func (s *service) startSuccessor() {
	u := s.upgrade
	switch why := s.noUpgrade(); {
	case why != "":
		s.log.Error("no upgrade: " + why)
		return
	case u.line != nil:
		s.log.Warn("no second upgrade: the first one has not come to its end", "process", u.process.Pid)
		return
	}
	if err := u.start(); err != nil {
		s.log.Error("no upgrade: the program cannot be started, serving on", "program", u.program, "err", err)
		return
	}
	s.log.Info("upgrading", "program", u.program, "process", u.process.Pid)
}

// start starts the successor, and has its word listened for.
func (u *upgrader) start() error {
	sockets, err := u.startup.sockets.HandOn()
	if err != nil {
		return err
	}
	own, its, err := newLine()
	if err != nil {
		closeHanded(sockets)
		return err
	}
	cmd, err := u.command(sockets, its)
	if err == nil {
		err = cmd.Start()
	}
	its.Close()
	closeHanded(sockets)
	if err != nil {
		own.Close()
		return err
	}
	u.line, u.process = own, cmd.Process
	go u.listenTo(own, cmd)
	return nil
}

func closeHanded(sockets []listen.Handed) {
	for _, h := range sockets {
		h.File.Close()
	}
}

// command is this process once more, but for what is meant for one process
// alone.
func (u *upgrader) command(sockets []listen.Handed, line *os.File) (*exec.Cmd, error) {
	list, err := json.Marshal(sockets)
	if err != nil {
		return nil, err
	}
	marks := []string{daemonMark[:strings.IndexByte(daemonMark, '=')], successorMark}
	environ := slices.DeleteFunc(u.startup.manager.Successor(u.startup.environ), func(line string) bool {
		name, _, _ := strings.Cut(line, "=")
		return slices.Contains(marks, name)
	})
	keepDescriptors()
	cmd := &exec.Cmd{
		Path:  u.program,
		Args:  append(os.Args[:1:1], u.startup.args...),
		Env:   append(environ, successorMark+"="+string(list)),
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		ExtraFiles: []*os.File{line},
	}
	for _, h := range sockets {
		cmd.ExtraFiles = append(cmd.ExtraFiles, h.File)
	}
	return cmd, nil
}

// newLine is the two ends of a talk.
func newLine() (own net.Conn, its *os.File, err error) {
	syscall.ForkLock.RLock()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err == nil {
		unix.CloseOnExec(pair[0])
		unix.CloseOnExec(pair[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, fmt.Errorf("socketpair: %w", err)
	}
	its = os.NewFile(uintptr(pair[1]), "successor")
	if own, err = lineOf(pair[0]); err != nil {
		its.Close()
	}
	return own, its, err
}

// lineOf closes fd, and makes it a connection.
func lineOf(fd int) (net.Conn, error) {
	f := os.NewFile(uintptr(fd), "line")
	defer f.Close()
	return net.FileConn(f)
}

// listenTo waits for a successor's word, and for its end. One that is not ready
// in time is killed.
func (u *upgrader) listenTo(line net.Conn, cmd *exec.Cmd) {
	line.SetReadDeadline(time.Now().Add(u.patience))
	text := make([]byte, 0, maxWord)
	var err error
	for err == nil && !bytes.Contains(text, []byte(wordReady)) && len(text) < maxWord {
		var n int
		n, err = line.Read(text[len(text):maxWord])
		text = text[:len(text)+n]
	}
	if string(text) == wordReady {
		u.words <- nil
		cmd.Wait()
		return
	}
	late := errors.Is(err, os.ErrDeadlineExceeded)
	if late {
		cmd.Process.Kill()
	}
	killer := time.AfterFunc(goTimeout, func() { cmd.Process.Kill() })
	cmd.Wait()
	killer.Stop()
	switch words := strings.TrimSpace(string(text)); {
	case late:
		u.words <- fmt.Errorf("it was not ready in %v", u.patience)
	case words != "":
		u.words <- errors.New(words)
	default:
		u.words <- fmt.Errorf("it ended before it was ready: %v", cmd.ProcessState)
	}
}

// handedOver is called with a successor's word. It is true when the successor
// serves: then all that this process had is the successor's.
func (s *service) handedOver(word error) bool {
	u := s.upgrade
	if word == nil {
		word = s.handOver()
	}
	if word != nil {
		u.hangUp()
		s.log.Error("no upgrade: the new process does not serve, serving on", "process", u.process.Pid, "err", word)
		return false
	}
	s.startup.manager.Leave()
	s.pid.leave()
	s.log.Info("upgraded: the new process serves, this one ends with its sessions",
		"process", u.process.Pid, "sessions", s.server.Stats().Sessions, "upgrade_timeout", s.config.UpgradeTimeout)
	return true
}

// handOver lets a ready successor go; if it has gone another way, everything is
// as before.
func (s *service) handOver() error {
	u := s.upgrade
	s.stopWatchdog()
	s.startup.sockets.Leave()
	s.tellManager(s.startup.manager.MainPID(u.process.Pid)) // before it says anything itself
	u.line.SetWriteDeadline(time.Now().Add(goTimeout))
	if _, err := io.WriteString(u.line, wordGo); err != nil {
		s.tellManager(s.startup.manager.MainPID(os.Getpid()))
		s.startup.sockets.Own()
		s.stopWatchdog = s.watchdog()
		return fmt.Errorf("it was ready, and has ended: %w", err)
	}
	return nil
}

// predecessor is the process that this one succeeds; nil: none.
type predecessor struct{ line net.Conn }

// newPredecessor finds in environ that this process succeeds another, and gives
// sockets those of the other.
func newPredecessor(environ []string, sockets *listen.Sockets) (*predecessor, error) {
	i := slices.IndexFunc(environ, func(line string) bool { return strings.HasPrefix(line, successorMark+"=") })
	if i < 0 {
		return nil, nil
	}
	os.Unsetenv(successorMark)
	var all []listen.Handed
	err := json.Unmarshal([]byte(strings.TrimPrefix(environ[i], successorMark+"=")), &all)
	var stat unix.Stat_t
	if err != nil || unix.Fstat(lineFD, &stat) != nil || stat.Mode&unix.S_IFMT != unix.S_IFSOCK {
		return nil, &failure{fmt.Errorf("%s is in the environment, but there is nobody to succeed", successorMark)}
	}
	for i, h := range all {
		unix.CloseOnExec(socketFD + i)
		h.File = os.NewFile(uintptr(socketFD+i), h.Name)
		sockets.Give(h)
	}
	unix.CloseOnExec(lineFD)
	line, err := lineOf(lineFD)
	if err != nil {
		return nil, &failure{err}
	}
	return &predecessor{line}, nil
}

// succeed says that this process is ready, and returns when the predecessor
// serves no more. If that one is gone, whoever stopped it wants no successor.
func (p *predecessor) succeed() error {
	defer p.line.Close()
	p.line.SetDeadline(time.Now().Add(startTimeout))
	if _, err := io.WriteString(p.line, wordReady); err != nil {
		return errors.New("the process that this one was to succeed is gone")
	}
	word := make([]byte, len(wordGo))
	if _, err := io.ReadFull(p.line, word); err != nil || string(word) != wordGo {
		return errors.New("the process that this one was to succeed serves on")
	}
	return nil
}

// refuse tells the predecessor why this process cannot succeed it; nil: it has.
func (p *predecessor) refuse(why error) {
	if p == nil || why == nil {
		return
	}
	text := why.Error()
	var usage *config.UsageError
	if errors.As(why, &usage) && usage.Hint != "" {
		text += " (" + usage.Hint + ")"
	}
	p.line.SetWriteDeadline(time.Now().Add(goTimeout))
	io.WriteString(p.line, text[:min(len(text), maxWord)]) // nothing comes of it after succeed
	p.line.Close()
}

// openPidFile is the function of that name. The file of a predecessor is not
// replaced yet: take does that.
func (l *startup) openPidFile(path string) (*pidFile, error) {
	if path == "" || l.predecessor == nil || !holds(path, os.Getppid()) {
		return openPidFile(path)
	}
	f, err := draftPidFile(path)
	if err != nil {
		return nil, fmt.Errorf("pid file %s cannot be made: %w", path, err)
	}
	return &pidFile{path: path, f: f, draft: f.Name()}, nil
}

// holds tells whether path is the pid file of a process.
func holds(path string, process int) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	pid, err := readPid(f)
	return err == nil && pid == fmt.Sprint(process)
}

// take replaces the predecessor's file: at every moment there is one with the
// number of a live process, locked by it.
func (p *pidFile) take() error {
	if p == nil || p.draft == "" {
		return nil
	}
	if err := os.Rename(p.draft, p.path); err != nil {
		return err
	}
	p.draft = ""
	return nil
}
