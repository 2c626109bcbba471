//go:build linux

package e2e

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wsbridge/wsbridge/internal/freeport"
)

// TestWrapDesktop: tigervncserver starts a desktop and goes to the background;
// the port it took has moved there with it. A person works on that desktop by
// noVNC, on the port that the desktop thinks is its own. SIGTERM ends it.
func TestWrapDesktop(t *testing.T) {
	need(t, "node", modules, "chromium", novnc+"/vnc.html", "tigervncserver", "xsetroot", "xterm")
	home, port := t.TempDir(), freeport.Port(t)
	t.Setenv("HOME", home)
	session := write(t, home, "xstartup", []byte("#!/bin/sh\nexec sleep 1000\n"))
	if err := os.Chmod(session, 0o700); err != nil {
		t.Fatal(err)
	}
	b := wrap(t, port, []string{"--web", novnc, "--wrap-mode", "ignore"},
		"tigervncserver", "-rfbport", port, "-SecurityTypes", "None", "-localhost", "yes", "-ac",
		"-geometry", fmt.Sprintf("%dx%d", screen.Dx(), screen.Dy()), "-depth", "24", "-xstartup", session)
	display := b.await(`for display (:\d+)`)[1]
	b.await(`msg="program ended".* status=0`) // it went to the background
	useDesktop(t, desktop{t, b.address(), display}, b.url("http"), "wrapped")
	b.signal(syscall.SIGTERM)
	b.succeed()
	if left := b.family(); left != nil {
		t.Errorf("these are left: %q", left)
	}
}

// TestWrapTelnet: people log in through a telnet server. It is killed, and the
// next one logs in all the same: the server has respawned.
func TestWrapTelnet(t *testing.T) {
	need(t, "node", modules, "/bin/login")
	needApplet(t, "telnetd")
	needRoot(t) // as login does
	port := freeport.Port(t)
	b := wrap(t, port, []string{"--wrap-mode", "respawn"}, busybox, "telnetd", "-F", "-p", port, "-l", "/bin/login")
	for life := 1; life <= 2; life++ {
		client := connect(t, b.url("ws"))
		client.await(`login: `)
		client.say("nobody-at-all\r\n")
		client.await(`nobody-at-all\r\n.*Password: `)
		client.stdin.Close()
		client.wait()
		kill(t, b.program(life))
		b.program(life + 1)
	}
}

// TestWrapWebServers: a GET through a session, and through another one.
func TestWrapWebServers(t *testing.T) {
	need(t, "node", modules, python)
	needApplet(t, "httpd")
	for name, server := range map[string]func(dir, port string) []string{
		"Python":  func(dir, port string) []string { return []string{python, "-m", "http.server", "-d", dir, port} },
		"busybox": func(dir, port string) []string { return []string{busybox, "httpd", "-f", "-h", dir, "-p", port} },
		"told its port": func(dir, _ string) []string {
			return []string{busybox, "httpd", "-f", "-h", dir, "-p", "127.0.0.1:{port}"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			port := freeport.Port(t)
			b := wrap(t, port, nil, server(site(t), port)...)
			fetchBy(t, b.url("ws"))
			fetchBy(t, b.url("ws"))
		})
	}
}

// TestWrapEndsWithItsProgram: the program is killed under a session; the client
// is told, and the exit code is the one that a shell would give.
func TestWrapEndsWithItsProgram(t *testing.T) {
	need(t, "node", modules, python)
	port := freeport.Port(t)
	b := wrap(t, port, nil, python, "-m", "http.server", port)
	client := connect(t, b.url("ws"))
	client.say("GET / ")
	eventually(t, "the session is there", func() bool { return b.toProgram() == 1 })
	kill(t, b.program(1))
	client.await(`closed (1000 target closed|1001 bridge shutting down|1011 target reset)`)
	if code := b.wait(); code != 128+9 {
		t.Errorf("exit code %d, want 137", code)
	}
}

// TestWrapClientComesFirst: the program takes its time to bind. A client that
// came before waits, and loses nothing of what it said.
func TestWrapClientComesFirst(t *testing.T) {
	need(t, "node", modules)
	needApplet(t, "httpd")
	port, dir := freeport.Port(t), site(t)
	b := wrap(t, port, nil, "sh", "-c",
		`until test -e "$1/gate"; do sleep .02; done; exec busybox httpd -f -h "$1" -p "$2"`, "sh", dir, port)
	client := connect(t, b.url("ws"))
	client.say("GET /hello.txt HTTP/1.0\r\n\r\n")
	eventually(t, "the client is connected", func() bool { return b.clients() == 1 })
	write(t, dir, "gate", nil)
	client.await(`(?s)^HTTP/1\.[01] 200 .*` + page)
}

// TestWrapNobodyServes: the program never binds. The client is told so, in
// words that are not those for a refused connection, and so is the log.
func TestWrapNobodyServes(t *testing.T) {
	need(t, "node", modules)
	b := wrap(t, freeport.Port(t), []string{"--wrap-wait", "1"}, "sleep", "1000")
	connect(t, b.url("ws")).await(`closed 1011 program does not serve its port\n`)
	b.await(`msg="session ended".* code=1011 by=target reason="program does not serve its port"`)
}

// TestWrapLeavesNobodyBehind: the program has children in groups and sessions
// of their own. Whether the bridge is asked to end or is killed, they are gone
// with it; and they had nothing of the bridge but standard input and output.
func TestWrapLeavesNobodyBehind(t *testing.T) {
	need(t, "node", modules, "setsid")
	needApplet(t, "httpd")
	for _, end := range []struct {
		by    syscall.Signal
		heard string // by the client
		code  int
	}{
		{syscall.SIGTERM, `closed 1001 bridge shutting down`, 0},
		{syscall.SIGKILL, `closed 1006`, -1},
	} {
		t.Run(end.by.String(), func(t *testing.T) {
			port := freeport.Port(t)
			b := wrap(t, port, nil,
				"sh", "-c", `setsid sh -c "sleep 1001; :" & (setsid sleep 1002 &) & busybox httpd -f -p "127.0.0.1:$1"; :`, "sh", port)
			client := connect(t, b.url("ws"))
			client.say("GET ")
			eventually(t, "the session is there", func() bool { return b.toProgram() == 1 })
			eventually(t, "all children are there", func() bool {
				all := b.family()
				return slices.Contains(all, "sleep 1001 ") && slices.Contains(all, "sleep 1002 ")
			})
			stdio := []string{"0", "1", "2"}
			if d := cmp.Diff(slices.Sorted(maps.Keys(files(t, b.program(1)))), stdio); d != "" {
				t.Errorf("open files of the program (-got +want):\n%s", d)
			}

			b.signal(end.by)
			client.await(end.heard)
			if code := b.wait(); code != end.code {
				t.Errorf("exit code %d, want %d", code, end.code)
			}
			if left := b.family(); left != nil && end.by == syscall.SIGTERM { // it waits for them
				t.Errorf("these are left: %q", left)
			}
		})
	}
}

// TestWrapBehindUnixSocket: clients come by a unix socket; the port is only the
// one that the program thinks it has.
func TestWrapBehindUnixSocket(t *testing.T) {
	need(t, "node", modules, python)
	port, socket := freeport.Port(t), filepath.Join(t.TempDir(), "s")
	wrapBy(t, port, os.Getenv("E2E_WSBRIDGE"), "--unix-listen", socket, port,
		"--", python, "-m", "http.server", "-d", site(t), port)
	fetchBy(t, "ws+unix:"+socket+":/")
	if answers("127.0.0.1:" + port) {
		t.Errorf("somebody listens on port %s, which is nobody's", port)
	}
}

// TestWrapUnprivileged: no rights are needed for any of it.
func TestWrapUnprivileged(t *testing.T) {
	need(t, "node", modules, python, "setpriv")
	port, dir := freeport.Port(t), site(t)
	binary := filepath.Join(dir, "wsbridge") // where nobody may go
	if err := os.WriteFile(binary, read(t, os.Getenv("E2E_WSBRIDGE")), 0o755); err != nil {
		t.Fatal(err)
	}
	argv := []string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", binary}
	if os.Getuid() != 0 { // we are as poor as that
		argv = argv[4:]
	}
	b := wrapBy(t, port, append(argv, "127.0.0.1:"+port, "--", python, "-m", "http.server", "-d", dir, port)...)
	fetchBy(t, b.url("ws"))
	b.signal(syscall.SIGTERM)
	b.succeed()
}

// TestWrapCarriesBulk: 10 MB there and back. The session's way to the program
// is one plain TCP connection; nobody stands between.
func TestWrapCarriesBulk(t *testing.T) {
	need(t, "node", modules, python)
	port := freeport.Port(t)
	b := wrap(t, port, nil, python, "echo_server.py", port)
	client := connect(t, b.url("ws"))
	client.say("here\n")
	client.await("here")
	if n := b.toProgram(); n != 1 {
		t.Errorf("the bridge has %d connections to the program, want 1", n)
	}

	sent := noise(10 << 20)
	var got bytes.Buffer
	start(t, func(c *exec.Cmd) {
		c.Stdin, c.Stdout = bytes.NewReader(sent), &got
	}, "node", "echo.mjs", b.url("ws"), strconv.Itoa(len(sent))).succeed()
	if !bytes.Equal(got.Bytes(), sent) {
		t.Errorf("%d bytes came back of %d; the first difference is at byte %d",
			got.Len(), len(sent), firstDifference(got.Bytes(), sent))
	}
}
