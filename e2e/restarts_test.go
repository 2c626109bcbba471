//go:build linux

package e2e

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// targetRole, set, makes the test binary a target that echoes at that address.
const targetRole = "E2E_TARGET"

// beTarget serves until it is killed.
func beTarget(address string) int {
	l, err := net.Listen("tcp", address)
	if err != nil {
		os.Stderr.WriteString(err.Error() + "\n")
		return 1
	}
	acceptAll(l, echo)
	return 0
}

// startTarget starts a target in a process of its own, and waits until it listens.
func startTarget(t *testing.T, address string) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := start(t, func(c *exec.Cmd) { c.Env = append(os.Environ(), targetRole+"="+address) }, self)
	eventually(t, "the target listens", func() bool { return answers(address) })
	return p
}

// TestTargetRestarts: a target is killed under load and started again, many times.
// Sessions end by the close table, and none otherwise; who comes while nobody listens
// is told so; and once somebody does, the next client is served.
func TestTargetRestarts(t *testing.T) {
	const restarts = 20
	for _, by := range carriers {
		t.Run(by.name, func(t *testing.T) {
			t.Parallel()
			address := net.JoinHostPort("127.0.0.1", quietPort(t))
			p := startTarget(t, address)
			b := serve(t, address, append(certify(t, t.TempDir(), "localhost").options(), by.options...)...)

			ctx, cancel := context.WithCancel(t.Context())
			var load sync.WaitGroup
			defer load.Wait()
			defer cancel()
			var said atomic.Int64
			for range 4 {
				load.Go(func() { b.talkOn(t, ctx, by.secure, &said) })
			}
			for n := range restarts {
				if err := b.visit(by.secure, nil); err != nil {
					t.Fatalf("life %d of the target: %v", n, err)
				}
				so := said.Load()
				eventually(t, "there is load", func() bool { return said.Load() > so })
				p.signal(syscall.SIGKILL)
				p.wait()
				if err := b.visit(by.secure, nil); err == nil || !strings.Contains(err.Error(), "closed 1011 target refused the connection") {
					t.Fatalf("after life %d of the target: %v", n, err)
				}
				p = startTarget(t, address)
			}
			cancel()
			load.Wait()
			eventually(t, "no connection is left of it", func() bool { return links(t, b.process.cmd.Process.Pid) == nil })
		})
	}
}

// talkOn has one session after the other, each until it ends; said counts what
// was echoed.
func (b bridge) talkOn(t *testing.T, ctx context.Context, secure bool, said *atomic.Int64) {
	ends := []goodbye{{1000, "target closed"}, {1011, "target reset"}, {1011, "target refused the connection"}}
	for ctx.Err() == nil {
		err := b.talk(ctx, secure, said)
		var end goodbye
		if err != nil && !(errors.As(err, &end) && (end == ends[0] || end == ends[1] || end == ends[2])) {
			t.Errorf("a session ended thus: %v", err)
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(5 * time.Millisecond): // nobody may be there
		}
	}
}

func (b bridge) talk(ctx context.Context, secure bool, said *atomic.Int64) error {
	v, err := enter(b.address(), secure)
	if err != nil {
		return err
	}
	defer v.conn.Close()
	for text := noise(20_000); ctx.Err() == nil; said.Add(1) {
		if err := v.chat(text); err != nil {
			return err
		}
	}
	return v.leave()
}

// TestTargetMoves: the address of the target's name changes. Who was there stays
// there; who comes then gets to the new one.
func TestTargetMoves(t *testing.T) {
	needRoot(t)
	need(t, "unshare", "mount")
	port := quietPort(t)
	old, hosts := sayingTarget(t, "127.0.9.1:"+port, "old"), filepath.Join(t.TempDir(), "hosts")
	sayingTarget(t, "127.0.9.2:"+port, "new")
	put(t, hosts, "127.0.9.1 moving.test\n")
	own := []string{"--mount", "sh", "-c", `mount --bind "$0" /etc/hosts && exec "$@"`, hosts, os.Getenv("E2E_WSBRIDGE")}
	p := start(t, nil, "unshare", append(own, "127.0.0.1:0", "moving.test:"+port)...)
	t.Cleanup(p.sound)
	b := bridge{p, p.await(`Listen on 127\.0\.0\.1:([1-9]\d*)`)[1]}

	first := b.arrive(t, "old")
	old.Close() // nobody else gets in there
	put(t, hosts, "127.0.9.2 moving.test\n")
	eventually(t, "the new address is used", func() bool {
		v, err := enter(b.address(), false)
		if err != nil {
			t.Fatal(err)
		}
		defer v.conn.Close()
		words, err := v.data()
		return err == nil && string(words) == "new"
	})
	if err := first.chat(noise(10_000)); err != nil {
		t.Errorf("who came before: %v", err)
	}
	if err := first.leave(); err != nil {
		t.Error(err)
	}
}

// sayingTarget says a word to each, and then echoes.
func sayingTarget(t *testing.T, address, word string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go acceptAll(l, func(c net.Conn) {
		c.Write([]byte(word))
		echo(c)
	})
	return l
}

// arrive opens a session whose target says this.
func (b bridge) arrive(t *testing.T, word string) *visitor {
	t.Helper()
	v, err := enter(b.address(), false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.conn.Close() })
	if words, err := v.data(); err != nil || !bytes.Equal(words, []byte(word)) {
		t.Fatalf("the target says %q, %v; want %q", words, err, word)
	}
	return v
}
