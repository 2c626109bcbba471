package systemd

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// childEnv makes the test binary a service that tells what it was given.
const childEnv = "SYSTEMD_TEST_SERVICE"

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		report()
		return
	}
	os.Exit(m.Run())
}

// given is what a service finds.
type given struct {
	Err       string
	Names     []string
	Addresses []string
	Watchdog  time.Duration
	Left      []string // of systemd's variables
	Inherits  bool     // programs that it starts get the sockets
}

func report() {
	var g given
	m, err := Meet(os.Environ())
	if err != nil {
		g.Err = err.Error()
	}
	for _, s := range m.Sockets() {
		g.Names = append(g.Names, s.Name)
		flags, _ := unix.FcntlInt(s.File.Fd(), unix.F_GETFD, 0)
		g.Inherits = g.Inherits || flags&unix.FD_CLOEXEC == 0
		if l, err := net.FileListener(s.File); err == nil {
			g.Addresses = append(g.Addresses, l.Addr().String())
		}
	}
	g.Watchdog = m.Watchdog()
	for _, line := range os.Environ() {
		if name, _, _ := strings.Cut(line, "="); slices.Contains(variables, name) {
			g.Left = append(g.Left, line)
		}
	}
	json.NewEncoder(os.Stdout).Encode(g)
}

// service starts the service as systemd does: only the new process knows its
// own number, so a shell sets what has it.
func service(t *testing.T, own string, environ []string, files ...*os.File) (g given) {
	t.Helper()
	child := exec.Command("sh", "-c", own+` exec "$0"`, os.Args[0])
	child.Env = append(append(os.Environ(), childEnv+"=1", "GORACE=atexit_sleep_ms=0"), environ...)
	child.ExtraFiles = files
	out, err := child.Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out, &g); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return g
}

func TestSockets(t *testing.T) {
	var files []*os.File
	var addresses []string
	for range 2 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		f, err := l.(*net.TCPListener).File()
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		files, addresses = append(files, f), append(addresses, l.Addr().String())
	}
	const ours = "LISTEN_PID=$$"
	for _, tt := range []struct {
		name, own string
		environ   []string
		want      given
	}{
		{"two with names", ours, []string{"LISTEN_FDS=2", "LISTEN_FDNAMES=web:admin"}, given{Names: []string{"web", "admin"}, Addresses: addresses}},
		{"without names", ours, []string{"LISTEN_FDS=2"}, given{Names: []string{"unknown", "unknown"}, Addresses: addresses}},
		{"too few names", ours, []string{"LISTEN_FDS=2", "LISTEN_FDNAMES=web"}, given{Names: []string{"unknown", "unknown"}, Addresses: addresses}},
		{"an empty name", ours, []string{"LISTEN_FDS=2", "LISTEN_FDNAMES=:admin"}, given{Names: []string{"unknown", "admin"}, Addresses: addresses}},
		{"of another process", "LISTEN_PID=1", []string{"LISTEN_FDS=2", "LISTEN_FDNAMES=web:admin"}, given{}},
		{"of nobody", "", []string{"LISTEN_FDS=2"}, given{}},
		{"none", ours, []string{"LISTEN_FDS=0"}, given{}},
		{"nonsense", ours, []string{"LISTEN_FDS=many"}, given{Err: `LISTEN_FDS="many" in the environment is no number of sockets`}},
		{"too many", ours, []string{"LISTEN_FDS=1000000000"}, given{Err: `LISTEN_FDS="1000000000" in the environment is no number of sockets`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if d := cmp.Diff(tt.want, service(t, tt.own, tt.environ, files...)); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
}

func TestWatchdog(t *testing.T) {
	for _, tt := range []struct {
		own     string
		environ []string
		want    given
	}{
		{"WATCHDOG_PID=$$", []string{"NOTIFY_SOCKET=/x", "WATCHDOG_USEC=30000000"}, given{Watchdog: 30 * time.Second}},
		{"", []string{"NOTIFY_SOCKET=/x", "WATCHDOG_USEC=30000000"}, given{Watchdog: 30 * time.Second}},
		{"WATCHDOG_PID=1", []string{"NOTIFY_SOCKET=/x", "WATCHDOG_USEC=30000000"}, given{}},
		{"", []string{"WATCHDOG_USEC=30000000"}, given{}},
		{"", []string{"NOTIFY_SOCKET=/x"}, given{}},
		{"", []string{"NOTIFY_SOCKET=/x", "WATCHDOG_USEC=soon"}, given{Err: `WATCHDOG_USEC="soon" in the environment is no time`}},
		{"", []string{"NOTIFY_SOCKET=/x", "WATCHDOG_USEC=-1"}, given{Err: `WATCHDOG_USEC="-1" in the environment is no time`}},
	} {
		if d := cmp.Diff(tt.want, service(t, tt.own, tt.environ)); d != "" {
			t.Errorf("%s %q: -want +got:\n%s", tt.own, tt.environ, d)
		}
	}
}

// boss is systemd, as far as a notification goes.
func boss(t *testing.T, name string) (said func() string) {
	t.Helper()
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return func() string {
		b := make([]byte, 4096)
		c.SetReadDeadline(time.Now().Add(time.Minute))
		n, err := c.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		return string(b[:n])
	}
}

func TestNotifications(t *testing.T) {
	for _, name := range []string{filepath.Join(t.TempDir(), "notify"), fmt.Sprintf("@wsbridge-test-%d", os.Getpid())} {
		said := boss(t, name)
		m, err := Meet([]string{"NOTIFY_SOCKET=" + name})
		if err != nil {
			t.Fatal(err)
		}
		for _, tt := range []struct {
			tell func() error
			want string
		}{
			{func() error { return m.Ready("proxying\nto x") }, "READY=1\nSTATUS=proxying to x"},
			{m.Alive, "WATCHDOG=1"},
			{func() error { return m.MainPID(4711) }, "MAINPID=4711"},
			{m.Stopping, "STOPPING=1"},
		} {
			if err := tt.tell(); err != nil {
				t.Error(err)
			}
			if got := said(); got != tt.want {
				t.Errorf("said %q, want %q", got, tt.want)
			}
		}
		testReloading(t, m, said)
		m.Leave()
		if err := m.Ready(""); err != nil {
			t.Error(err)
		}
		if err := (&Manager{address: name}).Alive(); err != nil {
			t.Error(err)
		}
		if got := said(); got != "WATCHDOG=1" {
			t.Errorf("after Leave: said %q", got)
		}
	}
}

// The time of a reload is between the times before and after it.
func testReloading(t *testing.T, m *Manager, said func() string) {
	before := monotonic().Microseconds()
	if err := m.Reloading(); err != nil {
		t.Error(err)
	}
	got, after := said(), monotonic().Microseconds()
	var at int64
	if _, err := fmt.Sscanf(got, "RELOADING=1\nMONOTONIC_USEC=%d", &at); err != nil || at < before || at > after || before == 0 {
		t.Errorf("said %q at a time from %d to %d: %v", got, before, after, err)
	}
}

// Where there is no systemd, or it is not interested, everything goes well.
func TestNobodyListens(t *testing.T) {
	for _, environ := range [][]string{nil, {"HOME=/"}, {"WATCHDOG_USEC=5"}} {
		m, err := Meet(environ)
		if m != nil || err != nil {
			t.Errorf("%q: %v, %v", environ, m, err)
		}
		m.Leave()
		for _, tell := range []func() error{m.Reloading, m.Stopping, m.Alive, func() error { return m.Ready("x") }, func() error { return m.MainPID(1) }} {
			if err := tell(); err != nil {
				t.Error(err)
			}
		}
		if m.Sockets() != nil || m.Watchdog() != 0 {
			t.Error("something of nothing")
		}
	}
	m, err := Meet([]string{"NOTIFY_SOCKET=" + filepath.Join(t.TempDir(), "gone")})
	if err != nil || m.Stopping() == nil {
		t.Errorf("a manager that is gone: no error (%v)", err)
	}
}

// A successor finds what systemd has for it, and nothing of this process alone.
func TestSuccessor(t *testing.T) {
	environ := []string{"HOME=/", "NOTIFY_SOCKET=/run/x", "WATCHDOG_USEC=5000000", "WATCHDOG_PID=" + fmt.Sprint(os.Getpid()),
		"LISTEN_PID=1", "LISTEN_FDS=3", "LISTEN_FDNAMES=a:b:c", "LISTENER=x"}
	m, err := Meet(environ)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"HOME=/", "LISTENER=x", "NOTIFY_SOCKET=/run/x", "WATCHDOG_USEC=5000000"}
	if d := cmp.Diff(want, m.Successor(environ)); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	m = nil
	if d := cmp.Diff([]string{"HOME=/"}, m.Successor([]string{"HOME=/", "LISTEN_FDS=1"})); d != "" {
		t.Errorf("without systemd: -want +got:\n%s", d)
	}
}
