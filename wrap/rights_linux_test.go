package wrap

import (
	"bytes"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

func TestCannotStart(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	os.WriteFile(file, []byte("\x7fELF nonsense"), 0o755)
	for _, test := range []struct {
		o    Options
		want string
	}{
		{Options{Port: 1}, "no command"},
		{Options{Command: []string{"true"}, Port: 65536}, "port 65536 is not in the range"},
		{Options{Command: []string{"no-such-program"}, Port: 1}, "not found"},
		{Options{Command: []string{"/no/such/program"}, Port: 1}, "no such file"},
		{Options{Command: []string{dir}, Port: 1}, "is a directory"},
		{Options{Command: []string{file}, Port: 1}, "exec format error"},
		{Options{Command: []string{"true"}, Port: 1, Dir: file}, "not a directory"},
	} {
		p, err := Start(t.Context(), test.o)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: %v, want %q", test.o.Command, err, test.want)
		}
		if p != nil {
			p.Stop(t.Context())
		}
	}
	if left := descendants(os.Getpid()); len(left) > 0 {
		t.Errorf("processes left: %+v", left)
	}
}

// TestRefusedBySystem: where binds cannot be moved, Start says so, why, and
// what to do instead.
func TestRefusedBySystem(t *testing.T) {
	nested := output(t, Options{Command: []string{self}, Env: playing("nested")})
	if !strings.HasPrefix(nested, "true ") || !strings.Contains(nested, "a wrap around this one") {
		t.Errorf("nested: %q", nested)
	}
	contained := exec.Command(self)
	contained.Env = append(playing("contained"), "REBIND_OLD_PORT=1")
	out, err := contained.CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "true ") ||
		!strings.Contains(string(out), "pidfd_getfd: operation not permitted") {
		t.Errorf("contained: %v, %q", err, out)
	}
	hint := (&failure{Text: "x", Unsupported: true}).err().(*UnsupportedError).Hint
	if !strings.Contains(hint, placeholder) {
		t.Errorf("hint is %q", hint)
	}
}

// TestRights: root's programs keep their way to more rights, others lose it.
func TestRights(t *testing.T) {
	got := output(t, Options{Command: []string{"grep", "NoNewPrivs", "/proc/self/status"}})
	want := "NoNewPrivs:\t0"
	if os.Getuid() != 0 {
		want = "NoNewPrivs:\t1"
	}
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestBlindBindIsLogged: a program that may not be looked into gets what the
// kernel says, which is never a wrong port, and we say why. Root may look into
// everything.
func TestBlindBindIsLogged(t *testing.T) {
	want, logged := syscall.EADDRINUSE.Error(), true
	if os.Getuid() == 0 {
		want, logged = "<nil>", false
	}
	var log bytes.Buffer
	got := output(t, Options{Command: []string{self}, Env: playing("private"),
		Log: slog.New(slog.NewTextHandler(&log, nil))})
	if got != want {
		t.Errorf("the program heard %q, want %q", got, want)
	}
	if strings.Contains(log.String(), "not moved") != logged {
		t.Errorf("a warning in the log, want %v:\n%s", logged, &log)
	}
}

// TestUnprivileged runs all other tests as nobody.
func TestUnprivileged(t *testing.T) {
	if os.Getuid() != 0 {
		t.Log("all the other tests are unprivileged as it is")
		return
	}
	setpriv := need(t, "setpriv")
	dir := t.TempDir()
	for _, path := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, program := range []string{builtC(t, "forker"), builtC(t, "signals"),
		builtGo(t, "goserver", runtime.GOARCH), builtGo(t, "binder", "386")} {
		if err := exec.Command("cp", program, dir).Run(); err != nil {
			t.Fatal(err)
		}
	}
	binary, err := os.Open(self)
	if err != nil {
		t.Fatal(err)
	}
	defer binary.Close()
	tests := exec.Command(setpriv, "--reuid="+nobody, "--regid="+nobody, "--clear-groups",
		"/proc/self/fd/3", "-test.v", "-test.skip=^TestUnprivileged$")
	tests.ExtraFiles = []*os.File{binary}
	tests.Env = append(os.Environ(), builtName+"="+dir, "HOME=/nonexistent")
	tests.Dir = "/"
	if out, err := tests.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// confine puts program on this thread and what it forks.
func confine(program []unix.SockFilter) error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	prog := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	if _, errno := seccomp(unix.SECCOMP_SET_MODE_FILTER, 0, unsafe.Pointer(&prog)); errno != 0 {
		return errno
	}
	return nil
}
