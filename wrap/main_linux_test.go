package wrap

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// self is this test binary, which plays many programs.
const self = "/proc/self/exe"

// The environment of what the tests start.
const (
	roleName  = "WRAP_TEST_ROLE"  // what to play instead of running tests
	builtName = "WRAP_TEST_BUILT" // where the programs of testdata are
	nobody    = "65534"
)

func TestMain(m *testing.M) {
	if status, child := Child(); child {
		os.Exit(status)
	}
	if role := roles[os.Getenv(roleName)]; role != nil {
		port, _ := strconv.Atoi(os.Getenv("REBIND_OLD_PORT"))
		os.Exit(role(port))
	}
	os.Setenv("GORACE", "atexit_sleep_ms=0") // under -race, keepers would end a second late
	goleak.VerifyTestMain(m)
}

// playing is the environment in which self plays role.
func playing(role string) []string { return append(os.Environ(), roleName+"="+role) }

// bridgePort is a port that we listen to ourselves, on all addresses: nobody
// else can bind it.
func bridgePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().(*net.TCPAddr).Port
}

// wrapped starts what o says. Nothing of it is left when the test ends.
func wrapped(t testing.TB, o Options) *Program {
	t.Helper()
	p, err := start(t.Context(), prepared(t, o), clock{time.Now, time.After})
	if err != nil {
		t.Fatal(err)
	}
	ends(t, p)
	return p
}

func prepared(t testing.TB, o Options) Options {
	if o.Port == 0 {
		o.Port = bridgePort(t)
	}
	if o.Stdout == nil {
		o.Stdout = t.Output()
	}
	if o.Stderr == nil {
		o.Stderr = t.Output()
	}
	if o.Log == nil {
		o.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	return o
}

// ends stops p after the test and holds it to leaving no process behind.
func ends(t testing.TB, p *Program) {
	t.Cleanup(func() {
		p.Stop(context.Background())
		if left := descendants(os.Getpid()); len(left) > 0 {
			t.Errorf("processes left: %+v", left)
		}
	})
}

// output runs o to its end and gives its standard output, trimmed.
func output(t testing.TB, o Options) string {
	t.Helper()
	var out bytes.Buffer
	o.Stdout = &out
	p := wrapped(t, o)
	await(t, p.Done())
	if code := p.ExitCode(); code != 0 {
		t.Fatalf("%s: status %d, said %q", p, code, out.String())
	}
	return strings.TrimSpace(out.String())
}

// patience bounds what must happen soon.
const patience = 30 * time.Second

func await(t testing.TB, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatal("waited in vain")
	}
}

// eventually polls until ok.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
	}
}

func dial(t testing.TB, p *Program) net.Conn {
	t.Helper()
	conn, err := p.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	return conn
}

// hears says request on a connection to p and reads the answer's beginning.
func hears(t testing.TB, p *Program, request, want string) {
	t.Helper()
	conn := dial(t, p)
	io.WriteString(conn, request)
	got := make([]byte, len(want))
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != want {
		t.Fatalf("%s said %q (%v), want %q", p, got, err, want)
	}
}

// need skips t without the program, and gives its path. CI must have it.
func need(t testing.TB, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		without(t, err.Error())
	}
	return path
}

func without(t testing.TB, reason string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(reason)
	}
	t.Skip(reason)
}

// builtC is a program of testdata, compiled.
func builtC(t testing.TB, name string) string {
	t.Helper()
	return built(t, name, func(to string) *exec.Cmd {
		return exec.Command(need(t, "gcc"), "-o", to, filepath.Join("testdata", name+".c"))
	})
}

// builtGo is a static program of testdata, compiled for an architecture.
func builtGo(t testing.TB, name, arch string) string {
	t.Helper()
	return built(t, name+"-"+arch, func(to string) *exec.Cmd {
		build := exec.Command(need(t, "go"), "build", "-o", to, "./testdata/"+name)
		build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOARCH="+arch)
		return build
	})
}

func built(t testing.TB, name string, build func(to string) *exec.Cmd) string {
	t.Helper()
	if dir := os.Getenv(builtName); dir != "" {
		return filepath.Join(dir, name)
	}
	to := filepath.Join(t.TempDir(), name)
	if out, err := build(to).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return to
}
