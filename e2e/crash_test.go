//go:build linux

package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// kills is how often a bridge is killed: a short form, unless E2E_KILLS says more.
func kills(t *testing.T) int {
	const short = 40
	text := os.Getenv("E2E_KILLS")
	if text == "" {
		return short
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("E2E_KILLS is %q, not a number of kills", text)
	}
	return n
}

// TestKilledUnderLoad: a bridge is killed again and again, while it starts and while
// it works, with sessions over TCP and over its unix socket, all recorded. Each
// time the next one starts at once with the same command line, and serves; what was
// recorded can be read before that and after; and nothing is left lying about.
func TestKilledUnderLoad(t *testing.T) {
	dir, to := t.TempDir(), target(t, echo)
	address := net.JoinHostPort("127.0.0.1", quietPort(t))
	socket, pidFile, record := filepath.Join(dir, "bridge.sock"), filepath.Join(dir, "bridge.pid"), filepath.Join(dir, "session")
	argv := []string{"--listen", address, "--unix-listen", socket, "--pid-file", pidFile, "--record", record, to}

	ctx, cancel := context.WithCancel(t.Context())
	var load sync.WaitGroup
	defer load.Wait()
	defer cancel()
	for i := range 4 {
		network, place := "tcp", address
		if i%2 == 1 {
			network, place = "unix", socket
		}
		load.Go(func() { work(t, ctx, network, place) })
	}
	seen := map[string]bool{}
	var fresh []string // recordings of the last life
	for n := range kills(t) {
		early := live(t, argv...)
		time.Sleep(rand.N(30 * time.Millisecond)) // until any moment of a start
		early.kill()

		b := live(t, argv...)
		b.await("proxying from")
		if got := strings.TrimSpace(string(read(t, pidFile))); got != strconv.Itoa(b.cmd.Process.Pid) {
			t.Fatalf("life %d: the pid file has %q, want %d", n, got, b.cmd.Process.Pid)
		}
		for network, place := range map[string]string{"tcp": address, "unix": socket} {
			if err := once(ctx, network, place); err != nil {
				t.Fatalf("life %d over %s: %v; it said:\n%s", n, network, err, b.said())
			}
		}
		time.Sleep(rand.N(150 * time.Millisecond)) // until any moment of the work
		b.kill()
		fresh = unseen(t, record, seen)
		export(t, fresh)
	}

	last := live(t, argv...)
	last.await("proxying from")
	cancel()
	load.Wait()
	export(t, fresh) // as the start has made them
	last.end(syscall.SIGTERM)
	for _, file := range children(t, dir) {
		if !regexp.MustCompile(`^session\.\d+$`).MatchString(file) {
			t.Errorf("%s is left", file)
		}
	}
}

// TestKilledWhileWrapping: a wrapped program and all it started go with the bridge,
// at whatever moment that is killed, and the next one has the port.
func TestKilledWhileWrapping(t *testing.T) {
	needApplet(t, "nc")
	port := quietPort(t)
	program := []string{"127.0.0.1:" + port, "--", "sh", "-c", "sleep 1000 & setsid sleep 1000 & exec busybox nc -ll -p " + port + " -e cat"}
	for n := range kills(t) {
		b := live(t, program...)
		if n%2 == 0 {
			b.await("proxying from")
			if err := once(t.Context(), "tcp", "127.0.0.1:"+port); err != nil {
				t.Fatalf("life %d: %v; it said:\n%s", n, err, b.said())
			}
		}
		time.Sleep(rand.N(60 * time.Millisecond)) // until any moment
		b.kill()
		b.alone()
	}
	b := live(t, program...)
	b.await("proxying from")
	b.end(syscall.SIGTERM)
	b.alone()
}

// life is a bridge that may be killed. Unlike a process it takes nobody along, and
// its end is not waited for by way of what its children hold open.
type life struct {
	t    *testing.T
	cmd  *exec.Cmd
	log  string
	mark string // in the environment of all that descends from it
}

func live(t *testing.T, argv ...string) *life {
	t.Helper()
	log, err := os.CreateTemp(t.TempDir(), "log")
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	l := &life{t: t, cmd: exec.Command(os.Getenv("E2E_WSBRIDGE"), argv...), log: log.Name()}
	l.mark = fmt.Sprintf("E2E_LIFE=%s/%s;", filepath.Base(filepath.Dir(l.log)), filepath.Base(l.log))
	l.cmd.Env = append(os.Environ(), l.mark)
	l.cmd.Stdout, l.cmd.Stderr = log, log
	if err := l.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.cmd.Process.Kill() })
	return l
}

func (l *life) said() string { return string(read(l.t, l.log)) }

// await waits for words of the bridge, which may not end before.
func (l *life) await(words string) {
	l.t.Helper()
	eventually(l.t, words, func() bool {
		if syscall.Kill(l.cmd.Process.Pid, 0) != nil || l.zombie() {
			l.t.Fatalf("it did not start; it said:\n%s", l.said())
		}
		return strings.Contains(l.said(), words)
	})
}

func (l *life) zombie() bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", l.cmd.Process.Pid))
	return err == nil && bytes.Contains(stat, []byte(") Z "))
}

func (l *life) kill() { l.t.Helper(); l.end(syscall.SIGKILL) }

// end ends the bridge, which may not have ended by itself.
func (l *life) end(sig syscall.Signal) {
	l.t.Helper()
	if l.zombie() {
		l.t.Fatalf("it ended by itself; it said:\n%s", l.said())
	}
	l.cmd.Process.Signal(sig)
	err := l.cmd.Wait()
	if fault := unsound.FindString(l.said()); fault != "" {
		l.t.Errorf("it speaks of %q:\n%s", fault, l.said())
	}
	if sig == syscall.SIGTERM && err != nil {
		l.t.Errorf("%v; it said:\n%s", err, l.said())
	}
}

// alone waits until nobody is left of a bridge that has ended.
func (l *life) alone() {
	l.t.Helper()
	eventually(l.t, "all that the bridge started has ended", func() bool { return l.kin() == nil })
}

// kin are the bridge and the processes that descend from it, by their numbers.
func (l *life) kin() (found []string) {
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, file := range files {
		if environ, err := os.ReadFile(file); err == nil && bytes.Contains(environ, []byte(l.mark)) {
			found = append(found, filepath.Base(filepath.Dir(file)))
		}
	}
	return found
}

// once has one session that hears its echo.
func once(ctx context.Context, network, place string) error {
	return chatOver(ctx, network, place, 1)
}

// work has one session after the other, each until it is cut. What is echoed
// before is what was said.
func work(t *testing.T, ctx context.Context, network, place string) {
	for ctx.Err() == nil {
		if err := chatOver(ctx, network, place, 1<<30); errors.Is(err, errOtherBytes) {
			t.Error(err)
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Millisecond): // nobody may be there
		}
	}
}

var errOtherBytes = errors.New("other bytes came back than were sent")

// chatOver has a session of so many rounds.
func chatOver(ctx context.Context, network, place string, rounds int) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	dialer := ws.Dialer{NetDial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, place)
	}}
	conn, early, _, err := dialer.Dial(ctx, "ws://bridge/")
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if early != nil {
		return errors.New("bytes before any were sent")
	}
	conn.SetDeadline(time.Now().Add(patience))
	said := noise(1000)
	for range rounds {
		if rounds > 1 {
			time.Sleep(time.Millisecond) // for recordings of a size that can be read again
		}
		if err := wsutil.WriteClientBinary(conn, said); err != nil {
			return err
		}
		heard, err := hear(conn, len(said))
		if err != nil {
			return err
		}
		if !bytes.Equal(heard, said) {
			return errOtherBytes
		}
	}
	return nil
}

// unseen are the recordings that were not in seen, and are now.
func unseen(t *testing.T, prefix string, seen map[string]bool) (fresh []string) {
	t.Helper()
	files, err := filepath.Glob(prefix + ".*[0-9]")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !seen[file] {
			fresh = append(fresh, file)
		}
		seen[file] = true
	}
	return fresh
}

// export reads recordings as a person would.
func export(t *testing.T, files []string) {
	t.Helper()
	for _, file := range files {
		out, err := exec.Command(os.Getenv("E2E_WSBRIDGE"), "export", file, "--to", "text", "-o", os.DevNull).CombinedOutput()
		if err != nil {
			t.Errorf("export of %s, %d bytes: %v: %s", filepath.Base(file), len(read(t, file)), err, out)
		}
	}
}

// children are the names in a folder.
func children(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}
