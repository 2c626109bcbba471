//go:build linux

package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

const busybox = "busybox"

// wrap starts wsbridge on port, where command believes to be.
func wrap(t *testing.T, port string, options []string, command ...string) bridge {
	t.Helper()
	argv := slices.Concat([]string{os.Getenv("E2E_WSBRIDGE")}, options, []string{"127.0.0.1:" + port, "--"}, command)
	return wrapBy(t, port, argv...)
}

// wrapBy starts a wsbridge that wraps a program, by any command line. When the
// test is over nobody may be left of it.
func wrapBy(t *testing.T, port string, argv ...string) bridge {
	t.Helper()
	p := start(t, func(c *exec.Cmd) { c.Env = append(os.Environ(), mark(port)) }, argv[0], argv[1:]...)
	b := bridge{p, port}
	t.Cleanup(func() {
		p.sound()
		eventually(t, "all that the program started has ended", func() bool { return b.family() == nil })
	})
	p.await(`proxying from`)
	return b
}

// mark is in the environment of a bridge and of all that descends from it.
func mark(port string) string { return "E2E_WRAPPED=" + port + ";" }

// family is the bridge and all that descends from it, by command lines.
func (b bridge) family() (found []string) {
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, file := range files {
		environ, err := os.ReadFile(file) // a zombie has none
		if err == nil && bytes.Contains(environ, []byte(mark(b.port))) {
			command, _ := os.ReadFile(filepath.Join(filepath.Dir(file), "cmdline"))
			found = append(found, strings.ReplaceAll(string(command), "\x00", " "))
		}
	}
	return found
}

// program is the process id of the wrapped program, in its nth life.
func (b bridge) program(nth int) int {
	b.t.Helper()
	pattern := strings.Repeat(`(?s:msg="program started".*?)`, nth-1) + `msg="program started"[^\n]* pid=(\d+)`
	var pid int
	fmt.Sscan(b.await(pattern)[1], &pid)
	return pid
}

// moved is the loopback port where the wrapped program really is.
func (b bridge) moved() string {
	b.t.Helper()
	return b.await(`msg="program's port moved".* to=127\.0\.0\.1:(\d+)`)[1]
}

// needApplet is need for a part of busybox, which may be built without it.
func needApplet(t *testing.T, applet string) {
	t.Helper()
	need(t, busybox)
	list, err := exec.Command(busybox, "--list").Output()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(strings.Fields(string(list)), applet) {
		leaveOut(t, "busybox has no "+applet+"; that of busybox-static has")
	}
}

// needRoot leaves the test out where it cannot do what it tells.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		leaveOut(t, "it takes root")
	}
}

func leaveOut(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(why + ", and CI leaves no test out")
	}
	t.Skip(why)
}

// page is what a wrapped web server serves as hello.txt.
const page = "hello from a wrapped server"

// site is a folder with a page, for every user to read.
func site(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil { // the testing package's, which is private
		t.Fatal(err)
	}
	if err := os.Chmod(write(t, dir, "hello.txt", []byte(page+"\n")), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// fetchBy gets the page through a session.
func fetchBy(t *testing.T, url string) {
	t.Helper()
	client := connect(t, url)
	client.say("GET /hello.txt HTTP/1.0\r\n\r\n")
	client.await(`(?s)^HTTP/1\.[01] 200 .*` + page)
}

// files are the open files of a process: what each descriptor leads to.
func files(t *testing.T, pid int) map[string]string {
	t.Helper()
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	open := map[string]string{}
	for _, entry := range entries {
		open[entry.Name()], _ = os.Readlink(filepath.Join(dir, entry.Name())) // may be closed by now
	}
	return open
}

// link is an established TCP connection over 127.0.0.1, by its ports.
type link struct{ local, remote string }

// established is a line of /proc/net/tcp: addresses, state, five fields, inode.
var established = regexp.MustCompile(`(?m)^ *\d+: 0100007F:(\w{4}) 0100007F:(\w{4}) 01 (?:\S+ +){5}(\d+) `)

// links are those of a process, as the kernel knows them.
func links(t *testing.T, pid int) (all []link) {
	t.Helper()
	owned := map[string]bool{}
	for _, file := range files(t, pid) {
		owned[file] = true
	}
	for _, line := range established.FindAllStringSubmatch(string(read(t, fmt.Sprintf("/proc/%d/net/tcp", pid))), -1) {
		if owned["socket:["+line[3]+"]"] {
			all = append(all, link{decimal(line[1]), decimal(line[2])})
		}
	}
	return all
}

func decimal(hex string) string {
	n, _ := strconv.ParseUint(hex, 16, 16) // the pattern has read it
	return strconv.FormatUint(n, 10)
}

// toProgram counts the connections that the bridge has to the wrapped program.
func (b bridge) toProgram() (count int) {
	b.t.Helper()
	moved := b.moved()
	for _, c := range links(b.t, b.cmd.Process.Pid) {
		if c.remote == moved {
			count++
		}
	}
	return count
}

// clients counts the connections that the bridge has on its port.
func (b bridge) clients() (count int) {
	b.t.Helper()
	for _, c := range links(b.t, b.cmd.Process.Pid) {
		if c.local == b.port {
			count++
		}
	}
	return count
}

// kill ends a process at once.
func kill(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatalf("kill -9 %d: %v", pid, err)
	}
}
