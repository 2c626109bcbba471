package passthrough

import (
	"bufio"
	"crypto/tls"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	python     = "/usr/bin/python3" // Debian's, which has Debian's modules
	websockets = "/usr/lib/python3/dist-packages/websockets"
	modules    = "../e2e/node_modules" // what npm ci installs
)

// need skips the test when a file or program is missing, and fails it where
// CI=true: there nothing may be left out.
func need(t *testing.T, things ...string) {
	t.Helper()
	for _, thing := range things {
		_, err := os.Stat(thing)
		if !strings.Contains(thing, "/") {
			_, err = exec.LookPath(thing)
		}
		if err == nil {
			continue
		}
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is missing, and CI leaves no test out", thing)
		}
		t.Skipf("%s is missing: `make install` as root brings it", thing)
	}
}

// serverOf starts a server program and returns the first line it prints. It
// ends with the test.
func serverOf(t *testing.T, command ...string) string {
	t.Helper()
	server := exec.Command(command[0], command[1:]...)
	server.Stderr = t.Output()
	in, err := server.StdinPipe()
	check(t, err)
	out, err := server.StdoutPipe()
	check(t, err)
	check(t, server.Start())
	t.Cleanup(func() {
		in.Close()
		server.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	check(t, err)
	return strings.TrimSpace(line)
}

func runClient(t *testing.T, args ...string) {
	t.Helper()
	out, err := exec.Command(python, append([]string{"testdata/client.py"}, args...)...).CombinedOutput()
	if err != nil {
		t.Errorf("client: %v\n%s", err, out)
	}
}

// HIA-02, HIA-05: real servers do their own handshake behind the bridge, with
// TLS on either side, both or none.
func TestRealServers(t *testing.T) {
	ours := issue(t, "localhost", nil, nextYear())
	cert, key := ours.files(t)
	servers := map[string]struct{ needs, command []string }{
		"Python websockets": {nil, []string{python, "testdata/server.py", "0"}},
		"Node ws":           {[]string{"node", modules}, []string{"node", "testdata/server.mjs", modules, "0"}},
	}
	for name, server := range servers {
		for schemes, secure := range map[string][2]bool{"ws to ws": {false, false}, "ws to wss": {false, true}, "wss to ws": {true, false}, "wss to wss": {true, true}} {
			t.Run(name+", "+schemes, func(t *testing.T) {
				need(t, append(server.needs, python, websockets)...)
				command, to := slices.Clone(server.command), &Target{Network: "tcp"}
				if secure[1] {
					command, to.TLS = append(command, cert, key), trusting(ours)
				}
				to.Address = net.JoinHostPort("127.0.0.1", serverOf(t, command...))
				front := startFront(t, to)
				args := []string{"ws://" + front.address + "/chat?x=1"}
				if secure[0] {
					front = startTLSFront(t, to, ours)
					args = []string{"wss://" + front.address + "/chat?x=1", cert}
				}
				runClient(t, args...)
				wantEchoed(t, front.outcome())
			})
		}
	}
}

// wantEchoed: the client's messages are of two megabytes, and most of them
// cannot be compressed.
func wantEchoed(t *testing.T, o Outcome) {
	t.Helper()
	if o.Status != 101 || o.ToTarget < 1<<20 || o.ToClient < 1<<20 || o.Reason != o.By+" closed" {
		t.Errorf("outcome %+v", o)
	}
}

func TestRealServerOnSocket(t *testing.T) {
	need(t, python, websockets)
	path := serverOf(t, python, "testdata/server.py", filepath.Join(t.TempDir(), "s"))
	front := startFront(t, &Target{Network: "unix", Address: path})
	runClient(t, "ws://"+front.address)
	wantEchoed(t, front.outcome())
}

// HIA-05: wss to real servers that speak plain HTTP.
func TestRealServersWithoutTLS(t *testing.T) {
	need(t, python, websockets, "node", modules)
	for _, command := range [][]string{{python, "testdata/server.py", "0"}, {"node", "testdata/server.mjs", modules, "0"}} {
		to := tcp(net.JoinHostPort("127.0.0.1", serverOf(t, command...)))
		to.TLS = &tls.Config{}
		front := startFront(t, to)
		status, _, body := front.send(upgradeHead("/")).answer()
		if status != 502 || body != "target does not speak TLS\n" {
			t.Errorf("%s: answer %d %q", command[0], status, body)
		}
		front.wantLog("backend does not speak TLS (got 'HTTP/')")
	}
}
