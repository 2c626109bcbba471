//go:build linux

package pages

import (
	"context"
	"crypto/des"
	"math/bits"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wsbridge/wsbridge/internal/freeport"
)

const (
	patience = time.Minute
	password = "sesame"
)

// need leaves the test out when a program (a name) or a file (a path) is
// missing.
func need(t *testing.T, things ...string) {
	t.Helper()
	for _, thing := range things {
		_, err := os.Stat(thing)
		if !strings.Contains(thing, "/") {
			_, err = exec.LookPath(thing)
		}
		if err != nil {
			leaveOut(t, thing+" is missing: `make install ui` as root brings it")
		}
	}
}

// run runs a program until the test ends and waits until it listens on
// address. It returns where what it says is kept, which is shown when the test
// fails.
func run(t *testing.T, address, name string, args ...string) (said string) {
	t.Helper()
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := command(t, name, args...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Wait()
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // children it left behind
		if said, _ := os.ReadFile(log.Name()); t.Failed() {
			t.Logf("%s said:\n%s", filepath.Base(name), said)
		}
		log.Close()
	})
	await(t, name, address)
	return log.Name()
}

// command is a program that ends, with all that it started, a little before go
// test would cut the test off and leave it behind.
func command(t *testing.T, name string, args ...string) *exec.Cmd {
	ctx := t.Context()
	if end, ok := t.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, end.Add(-20*time.Second))
		t.Cleanup(cancel)
	}
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

func await(t *testing.T, name, address string) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s does not listen on %s", filepath.Base(name), address)
		}
	}
}

// desktop is an Xvnc that wants a password.
type desktop struct{ address, display string }

func startDesktop(t *testing.T, dir string) desktop {
	t.Helper()
	file := filepath.Join(dir, "vncpasswd")
	write(t, file, obscured(t, password), 0o600)
	address := freeport.Address(t)
	_, port, _ := net.SplitHostPort(address)
	said := run(t, address, "Xvnc", "-displayfd", "1", "-ac", "-nolisten", "tcp", "-localhost", "-desktop", "a desk",
		"-SecurityTypes", "VncAuth", "-PasswordFile", file, "-geometry", "640x480", "-depth", "24", "-rfbport", port)
	return desktop{address, ":" + awaitLine(t, said, `(?m)^(\d+)$`)}
}

// awaitLine waits until a file has a line like pattern, and returns its group.
func awaitLine(t *testing.T, file, pattern string) string {
	t.Helper()
	like := regexp.MustCompile(pattern)
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if found := like.FindSubmatch(text); found != nil {
			return string(found[1])
		}
		if time.Now().After(end) {
			t.Fatalf("no %s in %q", pattern, text)
		}
	}
}

// obscured is a password as VNC servers keep it: in DES, with a key that all
// of them have, the bits of which are in reverse.
func obscured(t *testing.T, password string) string {
	t.Helper()
	key := []byte{23, 82, 107, 6, 35, 78, 88, 7}
	for i := range key {
		key[i] = bits.Reverse8(key[i])
	}
	block, err := des.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	var out [8]byte
	copy(out[:], password)
	block.Encrypt(out[:], out[:])
	return string(out[:])
}

func write(t *testing.T, name, content string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
}

func mkdir(t *testing.T, name string) {
	t.Helper()
	if err := os.MkdirAll(name, 0o700); err != nil {
		t.Fatal(err)
	}
}
