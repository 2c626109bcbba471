//go:build linux

package e2e

import (
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

const (
	python  = "/usr/bin/python3" // Debian's, which has Debian's modules
	modules = "node_modules"     // what npm ci installs
)

// need skips the test when a program (a name) or a file (a path) is missing,
// and fails it where CI=true: there nothing may be left out.
func need(t *testing.T, things ...string) {
	t.Helper()
	for _, thing := range things {
		if have(thing) {
			continue
		}
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is missing, and CI leaves no test out", thing)
		}
		t.Skipf("%s is missing: `make install` as root brings it", thing)
	}
}

func have(thing string) bool {
	if strings.Contains(thing, "/") || thing == modules {
		_, err := os.Stat(thing)
		return err == nil
	}
	_, err := exec.LookPath(thing)
	return err == nil
}

// bridge is a running wsbridge.
type bridge struct {
	*process
	port string
}

// serve starts wsbridge in front of target on a port the system chooses.
func serve(t *testing.T, target string, options ...string) bridge {
	t.Helper()
	args := append(options, "127.0.0.1:0", target)
	p := start(t, nil, os.Getenv("E2E_WSBRIDGE"), args...)
	t.Cleanup(p.sound)
	return bridge{p, p.await(`(?:Listen on |"listen":\[")127\.0\.0\.1:([1-9]\d*)`)[1]}
}

// unsound is what Go programs say of faults in themselves; of data races only
// those built with -race.
var unsound = regexp.MustCompile(`DATA RACE|panic|fatal error:`)

// sound waits for the end and fails the test if the program found a fault in
// itself.
func (p *process) sound() {
	<-p.exited
	if fault := unsound.FindString(p.out.String()); fault != "" {
		p.t.Errorf("%s speaks of %q", p.name, fault)
	}
}

// url is the bridge's address in one of the schemes http, https, ws, wss.
func (b bridge) url(scheme string) string { return scheme + "://" + b.address() + "/" }

func (b bridge) address() string { return net.JoinHostPort("127.0.0.1", b.port) }

// target serves TCP on a port the system chooses, one goroutine a connection,
// and returns its address. The connection is closed when talk returns.
func target(t *testing.T, talk func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go acceptAll(l, talk)
	return l.Addr().String()
}

func acceptAll(l net.Listener, talk func(net.Conn)) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			talk(c)
		}()
	}
}

// echo says back whatever it hears.
func echo(c net.Conn) { io.Copy(c, c) }

// eventually polls until done.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never happened: %s", what)
		}
	}
}

// answers reports whether somebody listens on address.
func answers(address string) bool {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return false
	}
	c.Close()
	return true
}

// noise is n bytes that look random and are the same in every run.
func noise(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte([]byte("wsbridge carries every last byte"))).Read(b)
	return b
}

// write puts a file into dir and returns its path.
func write(t *testing.T, dir, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// read returns a file's content.
func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
