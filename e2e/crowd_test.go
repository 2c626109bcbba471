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

const halfOpen = 5000

// TestHalfOpenConnections: five thousand connections that go no further — silent,
// in the middle of a request's head, in the middle of a TLS hello. Sessions that
// live go on as if nothing were. Where there are descriptors for so many (eight
// for each), new ones are opened meanwhile; otherwise who comes is told so at
// once, and gets in when the first of the crowd have had their time. Afterwards
// nothing is left of it.
func TestHalfOpenConnections(t *testing.T) {
	c := certify(t, t.TempDir(), "localhost")
	b := serve(t, target(t, echo), c.options()...)
	before := len(descriptors(t, b.process.cmd.Process.Pid))
	early, err := enter(b.address(), true)
	if err != nil {
		t.Fatal(err)
	}
	defer early.conn.Close()
	crowd := gatherHalfOpen(t, b.address())
	mayAllStay := room(t, b.process) >= 8*halfOpen
	for i := range 20 {
		if err := early.echo(noise(10_000 + i)); err != nil {
			t.Fatalf("a session that was there before: %v", err)
		}
		late, err := enter(b.address(), false)
		if err != nil {
			if mayAllStay || !strings.Contains(err.Error(), "503") {
				t.Fatalf("a new client: %v", err)
			}
			continue
		}
		if err := errors.Join(late.echo(noise(1000)), late.leave()); err != nil {
			t.Fatalf("a new client's session: %v", err)
		}
	}
	eventually(t, "a new client gets in", func() bool {
		late, err := enter(b.address(), true)
		return err == nil && errors.Join(late.echo(noise(1000)), late.leave()) == nil
	})
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
