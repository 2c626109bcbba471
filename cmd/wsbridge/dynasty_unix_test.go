//go:build unix

package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// dynasty is a wsbridge and its successors, in a directory of their own, with a
// log that they share.
type dynasty struct {
	*testing.T
	dir   string
	files []*os.File // that the first is given
	first *exec.Cmd
	ended chan struct{} // the first has
}

// founded starts the first of them at once.
func founded(t *testing.T, args ...string) *dynasty {
	t.Helper()
	d := newDynasty(t)
	d.start(nil, args...)
	return d
}

// newDynasty has this program under the name of wsbridge.
func newDynasty(t *testing.T) *dynasty {
	t.Helper()
	d := &dynasty{T: t, dir: t.TempDir(), ended: make(chan struct{})}
	d.install(d.self())
	return d
}

func (d *dynasty) self() string {
	self, err := os.Executable()
	if err != nil {
		d.Fatal(err)
	}
	return self
}

// start starts the first one, with variables besides ours.
func (d *dynasty) start(environ []string, args ...string) {
	t := d.T
	t.Helper()
	log, err := os.Create(d.path("log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	d.first = &exec.Cmd{Path: "/bin/sh", Dir: d.dir, Stdout: log, Stderr: log, ExtraFiles: d.files, SysProcAttr: &syscall.SysProcAttr{Setpgid: true}}
	d.first.Args = append([]string{"sh", "-c", `WATCHDOG_PID=$$ LISTEN_PID=$$ exec "$@"`, "sh", d.path("wsbridge")}, args...)
	d.first.Env = append(append(os.Environ(), "GORACE="+quickExit, "PATH="+d.dir+":"+os.Getenv("PATH")), environ...)
	if err := d.first.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		d.first.Wait()
		close(d.ended)
	}()
	t.Cleanup(func() {
		syscall.Kill(-d.first.Process.Pid, syscall.SIGKILL) // all of them
		<-d.ended
		if t.Failed() {
			t.Logf("they said:\n%s", d.text())
		}
	})
}

func (d *dynasty) path(name string) string { return filepath.Join(d.dir, name) }

// install makes program what is started by the name of wsbridge.
func (d *dynasty) install(program string) {
	d.Helper()
	if err := os.Symlink(program, d.path("new")); err != nil {
		d.Fatal(err)
	}
	if err := os.Rename(d.path("new"), d.path("wsbridge")); err != nil {
		d.Fatal(err)
	}
}

func (d *dynasty) write(name, text string, mode os.FileMode) {
	d.Helper()
	if err := os.WriteFile(d.path(name), []byte(text), mode); err != nil {
		d.Fatal(err)
	}
}

func (d *dynasty) text() string {
	text, _ := os.ReadFile(d.path("log"))
	return string(text)
}

// said waits until the log has a pattern n times, and returns the first group of
// the last one.
func (d *dynasty) said(pattern string, n int) (group string) {
	d.Helper()
	re := regexp.MustCompile(pattern)
	d.eventually(fmt.Sprintf("%q %d times in the log", pattern, n), func() bool {
		all := re.FindAllStringSubmatch(d.text(), -1)
		if len(all) > 0 {
			group = all[len(all)-1][len(all[0])-1]
		}
		return len(all) >= n
	})
	return group
}

func (d *dynasty) eventually(what string, ok func() bool) {
	d.Helper()
	for late := time.Now().Add(patience); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(late) {
			d.Fatalf("never came: %s", what)
		}
	}
}

func (d *dynasty) signal(pid int, sig syscall.Signal) {
	d.Helper()
	if err := syscall.Kill(pid, sig); err != nil {
		d.Fatalf("%v for %d: %v", sig, pid, err)
	}
}

// succeed has process pid, the nth there has been, succeeded by another.
func (d *dynasty) succeed(pid, nth int) (successor int) {
	d.Helper()
	d.signal(pid, syscall.SIGUSR2)
	successor, err := strconv.Atoi(d.said(`msg="upgraded: .* process=(\d+)`, nth))
	if err != nil || successor == pid {
		d.Fatalf("succeeded by %d, %v", successor, err)
	}
	return successor
}

// gone waits for the end of a process that is not the first.
func (d *dynasty) gone(pid int) {
	d.Helper()
	d.eventually("the end of a process", func() bool {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		_, state, _ := strings.Cut(string(stat), ") ")
		return err != nil && syscall.Kill(pid, 0) != nil || strings.HasPrefix(state, "Z")
	})
}

func (d *dynasty) pidFile() string {
	text, _ := os.ReadFile(d.path("pid"))
	return strings.TrimSpace(string(text))
}

// answer is the status of GET /readyz.
func (d *dynasty) answer(network, address string) string {
	d.Helper()
	conn, err := net.Dial(network, address)
	if err != nil {
		d.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	io.WriteString(conn, "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		d.Fatal(err)
	}
	defer answer.Body.Close()
	return answer.Status
}

// occupied is a target that accepts and says nothing.
func occupied(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().String()
}

const upgradeRequest = "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: h3aOngl22xTlrMuoCGC4+w==\r\n\r\n"

// resident opens a session.
func (d *dynasty) resident(port string) *bufio.Reader {
	d.Helper()
	conn, err := net.Dial("tcp", "127.0.0.1:"+port)
	if err != nil {
		d.Fatal(err)
	}
	d.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	io.WriteString(conn, upgradeRequest)
	in := bufio.NewReader(conn)
	if answer, err := http.ReadResponse(in, nil); err != nil || answer.StatusCode != http.StatusSwitchingProtocols {
		d.Fatalf("%v, %v", answer, err)
	}
	return in
}
