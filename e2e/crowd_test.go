//go:build linux

package e2e

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
)

const (
	halfOpen       = 5000
	fewDescriptors = 2000
)

// TestHalfOpenConnections: five thousand connections that go no further — silent,
// in the middle of a request's head, in the middle of a TLS hello. Sessions that
// live go on as if nothing were, and new ones are opened at once, also where there
// are descriptors for a small part of the crowd only: the longest silent give way.
// Afterwards nothing is left of it.
func TestHalfOpenConnections(t *testing.T) {
	t.Run("as many descriptors as there are", func(t *testing.T) { crowdOut(t) })
	t.Run("few descriptors", func(t *testing.T) {
		crowdOut(t, "sh", "-c", fmt.Sprintf(`ulimit -n %d && exec "$0" "$@"`, fewDescriptors))
	})
}

// crowdOut tries to keep everybody out of a bridge that is started by a program.
func crowdOut(t *testing.T, by ...string) {
	c := certify(t, t.TempDir(), "localhost")
	argv := append(append(by, os.Getenv("E2E_WSBRIDGE")), append(c.options(), "127.0.0.1:0", target(t, echo))...)
	p := start(t, nil, argv[0], argv[1:]...)
	t.Cleanup(p.sound)
	b := bridge{p, p.await(`Listen on 127\.0\.0\.1:([1-9]\d*)`)[1]}
	if n := room(t, p); len(by) > 0 && n != fewDescriptors {
		t.Fatalf("it may have %d descriptors", n)
	}
	first, err := enter(b.address(), false) // after it, what is opened at need is open
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(first.echo(noise(1000)), first.leave()); err != nil {
		t.Fatal(err)
	}
	before := len(descriptors(t, b.process.cmd.Process.Pid))
	early, err := enter(b.address(), true)
	if err != nil {
		t.Fatal(err)
	}
	defer early.conn.Close()
	crowd := gatherHalfOpen(t, b.address())
	for i := range 20 {
		if err := early.echo(noise(10_000 + i)); err != nil {
			t.Fatalf("a session that was there before: %v", err)
		}
		late, err := enter(b.address(), i%2 == 1)
		if err != nil {
			t.Fatalf("a new client: %v", err)
		}
		if err := errors.Join(late.echo(noise(1000)), late.leave()); err != nil {
			t.Fatalf("a new client's session: %v", err)
		}
	}
	for _, conn := range crowd {
		conn.Close()
	}
	if err := early.leave(); err != nil {
		t.Error(err)
	}
	eventually(t, fmt.Sprintf("%d descriptors again", before), func() bool { return len(descriptors(t, b.process.cmd.Process.Pid)) <= before+2 })
}

// room is how many descriptors p may have.
func room(t *testing.T, p *process) int {
	t.Helper()
	text, err := os.ReadFile("/proc/" + strconv.Itoa(p.cmd.Process.Pid) + "/limits")
	if err != nil {
		t.Fatal(err)
	}
	_, line, _ := strings.Cut(string(text), "Max open files")
	n, err := strconv.Atoi(strings.Fields(line)[0])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func gatherHalfOpen(t *testing.T, address string) (crowd []net.Conn) {
	t.Helper()
	beginnings := []string{"", "GET / HTTP/1.1\r\nHost: x\r\nUpgr", "\x16\x03\x01\x02\x00\x01\x00"}
	for i := range halfOpen {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatalf("after %d: %v", i, err)
		}
		t.Cleanup(func() { conn.Close() })
		io.WriteString(conn, beginnings[i%len(beginnings)])
		crowd = append(crowd, conn)
	}
	return crowd
}
