package wrap

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestExitStatus(t *testing.T) {
	for command, want := range map[string]int{
		"exit 0": 0, "exit 7": 7, "kill -9 $$": 128 + 9, "kill -15 $$": 128 + 15,
	} {
		p := wrapped(t, Options{Command: []string{"sh", "-c", command}})
		await(t, p.Done())
		if got := p.ExitCode(); got != want {
			t.Errorf("%s: status %d, want %d", command, got, want)
		}
		if _, err := p.Dial(t.Context()); err == nil || !strings.Contains(err.Error(), "has ended with status") {
			t.Errorf("%s: Dial says %v", command, err)
		}
	}
}

// TestDialWaits: a client that comes before the program has bound is served.
func TestDialWaits(t *testing.T) {
	in, out := io.Pipe()
	p := wrapped(t, Options{Command: []string{self}, Env: playing("late"), Stdin: in})
	go out.Close()
	hears(t, p, "", "hello\n")
}

func TestDialGivesUp(t *testing.T) {
	p := wrapped(t, Options{Command: []string{"sleep", "1000"}, Wait: time.Millisecond})
	if _, err := p.Dial(t.Context()); err == nil || !strings.Contains(err.Error(), "has not bound port") {
		t.Errorf("Dial says %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Dial(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Dial says %v", err)
	}
}

// TestStoppedStart: whoever gives up during the start leaves nothing.
func TestStoppedStart(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := Start(ctx, prepared(t, Options{Command: []string{"sleep", "1000"}}))
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestModes: a program that goes to the background is served in mode Ignore,
// and ended in the others.
func TestModes(t *testing.T) {
	forker := builtC(t, "forker")
	port := bridgePort(t)
	o := Options{Command: []string{forker, "-d", strconv.Itoa(port)}, Port: port}

	var log bytes.Buffer
	o.Log = slog.New(slog.NewTextHandler(&log, nil))
	p := wrapped(t, o)
	await(t, p.Done())
	if !strings.Contains(log.String(), "mode ignore") {
		t.Errorf("the log gives no hint:\n%s", &log)
	}

	o.Mode, o.Log = Ignore, nil
	p = wrapped(t, o)
	hears(t, p, "", "hello\n")
	eventually(t, "only the daemon is left", func() bool { return len(descendants(os.Getpid())) == 2 })
	hears(t, p, "", "hello\n")
	daemon := descendants(os.Getpid())[1]
	syscall.Kill(daemon.pid, syscall.SIGKILL)
	await(t, p.over)
	if _, err := p.Dial(t.Context()); err == nil || !strings.Contains(err.Error(), "has gone") {
		t.Errorf("Dial says %v", err)
	}
	select {
	case <-p.Done():
		t.Error("mode Ignore is done before Stop")
	default:
	}
}

// TestStopEndsAll: also what ignores SIGTERM, what stopped and what left the
// group; a program that tidies up has the time for it.
func TestStopEndsAll(t *testing.T) {
	tidy := filepath.Join(t.TempDir(), "tidy")
	for name, script := range map[string]string{
		"deaf":    "trap '' TERM; echo ready; while :; do sleep 1000; done",
		"stopped": "trap 'exit 3' TERM; echo ready; kill -STOP $$; sleep 1000",
		"session": "setsid sh -c 'trap \"\" TERM; echo ready; sleep 1000'",
		"tidy":    "trap 'echo done >" + tidy + "; exit 4' TERM; echo ready; while :; do sleep 0.01; done",
	} {
		t.Run(name, func(t *testing.T) {
			out, in, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer out.Close()
			p := wrapped(t, Options{Command: []string{"sh", "-c", script}, Stdout: in, Grace: 200 * time.Millisecond})
			in.Close()
			if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
				t.Fatal(line, err)
			}
			p.Stop(t.Context())
			await(t, p.Done())
		})
	}
	if text, err := os.ReadFile(tidy); string(text) != "done\n" {
		t.Errorf("the tidy program left %q, %v", text, err)
	}
}

// TestStopInHaste: when ctx ends, the grace does too.
func TestStopInHaste(t *testing.T) {
	p := wrapped(t, Options{Command: []string{"sh", "-c", "trap '' TERM; while :; do sleep 1000; done"}, Grace: time.Hour})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p.Stop(ctx)
	await(t, p.Done())
}

// TestKeeperKilled: without its keeper the program ends, and we know.
func TestKeeperKilled(t *testing.T) {
	p := wrapped(t, Options{Command: []string{"sleep", "1000"}})
	keeper := descendants(os.Getpid())[0]
	syscall.Kill(keeper.pid, syscall.SIGKILL)
	await(t, p.Done())
	if code := p.ExitCode(); code != 128+9 {
		t.Errorf("status %d, want that of SIGKILL", code)
	}
	eventually(t, "nothing is left", func() bool { return len(descendants(os.Getpid())) == 0 })
}

// TestBridgeKilled: what is wrapped does not outlive us, in its group or not.
func TestBridgeKilled(t *testing.T) {
	bridge := exec.Command(self)
	bridge.Env = append(playing("bridge"), fmt.Sprint("REBIND_OLD_PORT=", bridgePort(t)))
	out, err := bridge.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := bridge.Start(); err != nil {
		t.Fatal(err)
	}
	var inGroup, outside int
	if _, err := fmt.Fscan(out, &inGroup, &outside); err != nil {
		t.Fatal(err)
	}
	bridge.Process.Kill()
	bridge.Wait()
	for _, pid := range []int{inGroup, outside} {
		eventually(t, "what was wrapped ends", func() bool { return syscall.Kill(pid, 0) == syscall.ESRCH })
	}
}

// leaping is a clock that a pause takes no time on: it leaps.
type leaping struct {
	now    time.Time
	pauses []time.Duration
}

func (l *leaping) clock() clock {
	return clock{
		now: func() time.Time { return l.now },
		after: func(d time.Duration) <-chan time.Time {
			l.now = l.now.Add(d)
			l.pauses = append(l.pauses, d)
			c := make(chan time.Time, 1)
			c <- l.now
			return c
		},
	}
}

// started is a log that hands on the pid of each life.
type started struct{ pids chan<- int }

func (s started) Enabled(context.Context, slog.Level) bool { return true }
func (s started) WithAttrs([]slog.Attr) slog.Handler       { return s }
func (s started) WithGroup(string) slog.Handler            { return s }

func (s started) Handle(ctx context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "pid" {
			s.pids <- int(a.Value.Int64())
		}
		return true
	})
	return nil
}

// TestRespawnAHundredTimes: a program that is killed and killed comes back,
// braked, and costs neither files nor processes.
func TestRespawnAHundredTimes(t *testing.T) {
	const lives = 100
	pids := make(chan int, 1)
	time := &leaping{now: time.Unix(0, 0)}
	o := prepared(t, Options{Command: []string{"sleep", "1000"}, Mode: Respawn})
	o.Log = slog.New(started{pids})
	p, err := start(t.Context(), o, time.clock())
	if err != nil {
		t.Fatal(err)
	}
	ends(t, p)
	files := 0
	for life := range lives {
		pid := <-pids
		eventually(t, "the last keeper has gone", func() bool { return len(descendants(os.Getpid())) == 2 })
		if life == 1 {
			files = openFiles(t)
		}
		syscall.Kill(pid, syscall.SIGKILL)
	}
	<-pids
	eventually(t, "no file leaks", func() bool { return openFiles(t) <= files })
	if want := lives - 2; len(time.pauses) != want {
		t.Fatalf("braked %d times, want %d: %v", len(time.pauses), want, time.pauses)
	}
	for i, pause := range time.pauses {
		if want := min(brakeFirst<<min(i, 10), brakeMost); pause != want {
			t.Fatalf("pause %d is %v, want %v", i, pause, want)
		}
	}
}

func openFiles(t *testing.T) int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// TestOneClientPerLife: a program that serves one connection and ends, as
// telnetd -debug does, serves one after the other.
func TestOneClientPerLife(t *testing.T) {
	need(t, "busybox")
	port := bridgePort(t)
	o := prepared(t, Options{Command: []string{"busybox", "nc", "-l", "-p", strconv.Itoa(port), "-e", "cat"}, Port: port, Mode: Respawn})
	p, err := start(t.Context(), o, (&leaping{now: time.Unix(0, 0)}).clock())
	if err != nil {
		t.Fatal(err)
	}
	ends(t, p)
	for i := range 5 {
		conn := dial(t, p)
		fmt.Fprintf(conn, "client %d", i)
		conn.(*net.TCPConn).CloseWrite()
		if got, err := io.ReadAll(conn); err != nil || string(got) != fmt.Sprintf("client %d", i) {
			t.Fatalf("client %d heard %q, %v", i, got, err)
		}
	}
}
