//go:build linux

package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// TestLikeTheOriginal runs the same command lines and the same clients against
// websockify and against wsbridge. What the client hears, what the target
// hears and how the program ends must be the same, but for the differences.
func TestLikeTheOriginal(t *testing.T) {
	t.Logf("the original is websockify %s", originalVersion(t))
	cert := read(t, selfSigned(t))
	for _, s := range scenarios {
		compare(t, s.name, func(t *testing.T, program contender) string { return s.run(t, program, cert) })
	}
	for _, args := range commandLines {
		compare(t, args, func(t *testing.T, program contender) string { return exits(t, program, args) })
	}
}

// TestDifferencesAreOfScenarios: the list names nothing that is not tried.
func TestDifferencesAreOfScenarios(t *testing.T) {
	names := map[string]bool{}
	for _, s := range scenarios {
		names[s.name] = true
	}
	for _, args := range commandLines {
		names[args] = true
	}
	for _, d := range differences {
		if !names[d.scenario] {
			t.Errorf("%q is no scenario", d.scenario)
		}
		if d.original == d.ours || d.why == "" {
			t.Errorf("%q: no difference, or no reason", d.scenario)
		}
	}
}

// compare runs a scenario with both programs.
func compare(t *testing.T, name string, outcome func(*testing.T, contender) string) {
	t.Run(name, func(t *testing.T) {
		// SIGTERM sent to the original while it starts a child is lost.
		original := outcome(t, contender{[]string{python, "-m", "websockify"}, syscall.SIGKILL})
		ours := outcome(t, contender{[]string{os.Getenv("E2E_WSBRIDGE")}, syscall.SIGTERM})
		for _, d := range differences {
			if d.scenario != name {
				continue
			}
			if original != d.original || ours != d.ours {
				t.Errorf("original: %s\n    want: %s\n    ours: %s\n    want: %s", original, d.original, ours, d.ours)
			}
			return
		}
		if original != ours {
			t.Errorf("original: %s\n    ours: %s", original, ours)
		}
	})
}

// originalVersion is that of the installed websockify; without one the test
// is skipped, but not in CI.
func originalVersion(t *testing.T) string {
	need(t, python, "openssl")
	script := "import importlib.metadata, websockify; print(importlib.metadata.version('websockify'))"
	version, err := exec.Command(python, "-c", script).Output()
	if err == nil {
		return strings.TrimSpace(string(version))
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("websockify is missing, and CI leaves no test out: ", err)
	}
	t.Skip("websockify is missing: `make install` as root brings it")
	return ""
}

// selfSigned is one file with a certificate and its key.
func selfSigned(t *testing.T) string {
	dir := t.TempDir()
	c := certify(t, dir, "localhost")
	return write(t, dir, "self.pem", append(read(t, c.key), read(t, c.cert)...))
}

// scenario is a command line, a client and a target.
type scenario struct {
	name    string
	options string // with {dir}, {target} and {port}; without {port} they stand before both positionals
	target  func(net.Conn) (report string)
	client  func(*talker)
	ends    bool // by itself: nobody sends SIGTERM
}

// run gives the outcome with one program.
func (s scenario) run(t *testing.T, program contender, cert []byte) string {
	dir, port, to := stage(t, cert), quietPort(t), &targets{talk: s.target}
	address := to.listen(t, "tcp", "127.0.0.1:0")
	desks(t, dir, address)
	to.listen(t, "unix", dir+"/socket")
	options := s.options
	if !strings.Contains(options, "{port}") {
		options += " 127.0.0.1:{port} {target}"
	}
	words := strings.NewReplacer("{dir}", dir, "{target}", address, "{port}", port,
		"{secure}", to.listenTLS(t, dir), "{api}", tokenServer(t, address)).Replace(options)
	p := program.start(t, dir, words)
	p.await("proxying from")
	eventually(t, "the program listens", func() bool { return answers("127.0.0.1:" + port) })

	c := &talker{t: t, program: p, address: "127.0.0.1:" + port, dir: dir}
	s.client(c)
	if c.conn != nil {
		c.conn.Close()
	}
	reports := to.all(t, address)
	if !s.ends {
		p.signal(program.stop)
	}
	if code := p.wait(); code > 0 {
		c.note("exit status %d", code)
	}
	return strings.Join(append(c.heard, reports...), ", ")
}

// contender is one of the two programs.
type contender struct {
	command []string
	stop    syscall.Signal
}

func (c contender) start(t *testing.T, dir, words string) *process {
	args := append(c.command[1:len(c.command):len(c.command)], strings.Fields(words)...)
	return start(t, func(cmd *exec.Cmd) {
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "WSBRIDGE_TARGET_RULES=127.0.0.0/8,::1") // the ancestor lets tokens lead anywhere
	}, c.command[0], args...)
}

// exits is the exit status of a command line that is over soon.
func exits(t *testing.T, program contender, line string) string {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	line = strings.NewReplacer("{port}", quietPort(t), "{busy}", busy.Addr().String()).Replace(line)
	return fmt.Sprint("exit status ", program.start(t, t.TempDir(), line).wait())
}
