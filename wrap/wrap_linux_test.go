package wrap

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

const request = "GET / HTTP/1.0\r\n\r\n"

// TestRealPrograms: whatever serves a port serves it from loopback alone, while
// we hold the port itself.
func TestRealPrograms(t *testing.T) {
	port := strconv.Itoa(bridgePort(t))
	number, _ := strconv.Atoi(port)
	goserver := builtGo(t, "goserver", runtime.GOARCH)
	for name, test := range map[string]struct {
		command       []string
		request, want string
	}{
		"python":        {[]string{"/usr/bin/python3", "-m", "http.server", port}, request, "HTTP/1.0"},
		"python IPv6":   {[]string{"/usr/bin/python3", "-m", "http.server", "-b", "::1", port}, request, "HTTP/1.0"},
		"Go, both":      {[]string{goserver, "tcp", ":" + port}, request, "HTTP/1.0"},
		"Go, IPv4":      {[]string{goserver, "tcp4", ":" + port}, request, "HTTP/1.0"},
		"Go, IPv6":      {[]string{goserver, "tcp6", ":" + port}, request, "HTTP/1.0"},
		"Go, mapped":    {[]string{goserver, "tcp", "[::ffff:127.0.0.1]:" + port}, request, "HTTP/1.0"},
		"busybox httpd": {[]string{"busybox", "httpd", "-f", "-p", port}, request, "HTTP/1.1"},
		"forking C":     {[]string{builtC(t, "forker"), port}, "", "hello\n"},
		"below a shell": {[]string{"sh", "-c", "busybox httpd -f -p " + port + "; true"}, request, "HTTP/1.1"},
		"Xvnc": {[]string{"Xvnc", ":" + port, "-rfbport", port, "-nolisten", "local", "-nolock", "-SecurityTypes", "None"},
			"", "RFB 003.008\n"},
	} {
		t.Run(name, func(t *testing.T) {
			need(t, test.command[0])
			p := wrapped(t, Options{Command: test.command, Port: number})
			hears(t, p, test.request, test.want)
			hears(t, p, test.request, test.want)
			onlyLoopback(t, p)
		})
	}
}

// onlyLoopback reads in the kernel's table where p listens.
func onlyLoopback(t *testing.T, p *Program) {
	t.Helper()
	const listens = "0A"
	line := regexp.MustCompile(fmt.Sprintf(`(?m)^ *\d+: ([0-9A-F]+):%04X \S+ %s `, p.moved.Load(), listens))
	found := 0
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		text, _ := os.ReadFile(table)
		for _, match := range line.FindAllSubmatch(text, -1) {
			found++
			switch string(match[1]) {
			case "0100007F", "00000000000000000000000001000000", "0000000000000000FFFF00000100007F":
			default:
				t.Errorf("%s listens at %s", p, match[1])
			}
		}
	}
	if found == 0 {
		t.Errorf("%s listens nowhere", p)
	}
}

func TestOtherBindsAreLeftAlone(t *testing.T) {
	got := output(t, Options{Command: []string{self}, Env: playing("others")})
	if want := "true 0.0.0.0 true 0.0.0.0"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestPortIsHeldOnce: the program's sockets meet each other at the moved port
// as they would have at the port.
func TestPortIsHeldOnce(t *testing.T) {
	got := output(t, Options{Command: []string{self}, Env: playing("twice")})
	want := `while the first listens: address already in use
and with SO_REUSEADDR: address already in use
after its end: <nil>
the same socket again: <nil>
the same socket elsewhere: invalid argument
no socket: bad file descriptor`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestReusePortShares(t *testing.T) {
	lines := strings.Fields(output(t, Options{Command: []string{self}, Env: playing("together")}))
	if len(lines) != 2 || lines[0] != lines[1] || !strings.HasPrefix(lines[0], "[::1]:") {
		t.Errorf("sockets at %q, want both at one port of ::1", lines)
	}
}

// TestWithoutIPv6: where IPv6 is off, an IPv6 socket serves IPv4.
func TestWithoutIPv6(t *testing.T) {
	offline := exec.Command(self)
	offline.Env = append(playing("offline"), "REBIND_OLD_PORT=1")
	offline.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	if os.Getuid() != 0 {
		offline.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		offline.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
	}
	out, err := offline.Output()
	if errors.Is(err, syscall.EPERM) {
		without(t, "no network namespace: "+err.Error())
	}
	if err != nil || strings.Count(string(out), "[::ffff:127.0.0.1]:") != 2 {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestMovedPortIsReserved: the kernel gives the moved port to nobody else, for
// as long as the Program, whether the program listens or not.
func TestMovedPortIsReserved(t *testing.T) {
	p := wrapped(t, Options{Command: []string{"true"}, Mode: Ignore})
	await(t, p.over)
	port := int(p.moved.Load())
	for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
		if _, err := bound(family, unix.SOCK_STREAM, port); err != unix.EADDRINUSE {
			t.Errorf("a stranger's bind says %v", err)
		}
	}
	p.Stop(t.Context())
	fd, err := bound(unix.AF_INET, unix.SOCK_STREAM, port)
	if err != nil {
		t.Error(err)
	}
	unix.Close(fd)
}

func TestFiftyThreads(t *testing.T) {
	output(t, Options{Command: []string{self}, Env: playing("threads")})
}

func TestBindsAmongSignals(t *testing.T) {
	port := bridgePort(t)
	output(t, Options{Command: []string{builtC(t, "signals"), strconv.Itoa(port)}, Port: port})
}

// TestForeignArchitecture: a program of the machine's other architecture, which
// has bind(2) elsewhere, is moved too.
func TestForeignArchitecture(t *testing.T) {
	binder := builtGo(t, "binder", map[string]string{"amd64": "386", "arm64": "arm"}[runtime.GOARCH])
	if err := exec.Command(binder, "0").Run(); errors.Is(err, syscall.ENOEXEC) {
		t.Log("the kernel runs no programs of another architecture")
		return
	}
	port := bridgePort(t)
	var out bytes.Buffer
	p := wrapped(t, Options{Command: []string{binder, strconv.Itoa(port)}, Port: port, Stdout: &out})
	await(t, p.Done())
	if want := strconv.Itoa(int(p.moved.Load())); out.String() != want {
		t.Errorf("bound to port %s, want the moved %s", out.String(), want)
	}
}

func TestEnvironmentAndPlaceholder(t *testing.T) {
	port := bridgePort(t)
	env := output(t, Options{Command: []string{"sh", "-c", "echo $REBIND_OLD_PORT $REBIND_NEW_PORT"}, Port: port})
	var old, moved int
	fmt.Sscan(env, &old, &moved)
	if old != port || moved == 0 || moved == port {
		t.Errorf("environment says %q", env)
	}
	var said string
	fmt.Sscan(output(t, Options{Command: []string{"sh", "-c", "echo {port}-$REBIND_NEW_PORT"}}), &said)
	if a, b, _ := strings.Cut(said, "-"); a != b || a == placeholder {
		t.Errorf("placeholder and environment are %q", said)
	}
}

// TestPlaceholderIsServed: with {port} the program binds by itself.
func TestPlaceholderIsServed(t *testing.T) {
	p := wrapped(t, Options{Command: []string{"busybox", "httpd", "-f", "-p", "127.0.0.1:{port}"}})
	hears(t, p, request, "HTTP/1.1")
}

func TestPlaceholderNeedsNoFilter(t *testing.T) {
	got := output(t, Options{Command: []string{"sh", "-c", "grep ^Seccomp: /proc/self/status; : {port}"}})
	if want := "Seccomp:\t0"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestInheritsOnlyStdio: neither our files nor those that we inherited reach
// the program. The fourth is that of the directory being read.
func TestInheritsOnlyStdio(t *testing.T) {
	need(t, "busybox")
	stray, err := unix.FcntlInt(0, unix.F_DUPFD, 20) // not close-on-exec
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(stray)
	got := strings.Fields(output(t, Options{Command: []string{"busybox", "ls", "/proc/self/fd"}}))
	if diff := cmp.Diff([]string{"0", "1", "2", "3"}, got); diff != "" {
		t.Error(diff)
	}
}

// BenchmarkBind is a socket, a bind and a close in a wrapped program: ns/op
// with the port that moves, other-ns/op with one that does not.
func BenchmarkBind(b *testing.B) {
	var moved, other float64
	for b.Loop() {
		fmt.Sscan(output(b, Options{Command: []string{self}, Env: playing("bench")}), &moved, &other)
	}
	b.ReportMetric(moved, "ns/op")
	b.ReportMetric(other, "other-ns/op")
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("\x02\x00\x07\xe7\x7f\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00"))
	f.Add([]byte("\x0a\x00\x07\xe7\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) < smallestAddress {
			return // the filter lets none through
		}
		got := parse(raw)
		if port := uint16(raw[2])<<8 | uint16(raw[3]); got.Addr().IsValid() != (got.Port() == port && got != netip.AddrPort{}) {
			t.Errorf("%x: %v", raw, got)
		}
	})
}

func TestParseAddress(t *testing.T) {
	four := "\x07\xe7\x7f\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00"
	six := "\x07\xe7\x00\x00\x00\x00" + strings.Repeat("\x00", 15) + "\x01"
	for raw, want := range map[string]netip.AddrPort{
		"\x02\x00" + four: netip.MustParseAddrPort("127.0.0.1:2023"),
		"\x00\x00" + four: {},
		"\x00\x00\x07\xe7" + strings.Repeat("\x00", 12): netip.MustParseAddrPort("0.0.0.0:2023"),
		"\x0a\x00" + six:      netip.MustParseAddrPort("[::1]:2023"),
		"\x0a\x00" + six[:20]: {},
		"\x01\x00" + six:      {},
	} {
		if got := parse([]byte(raw)); got != want {
			t.Errorf("%x: %v, want %v", raw, got, want)
		}
	}
}
