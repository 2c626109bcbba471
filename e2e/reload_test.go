//go:build linux

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

const (
	reloadSessions = 1000
	reloadEvery    = 100 * time.Millisecond
	reloadFor      = 30 * time.Second
)

// TestReloadsUnderLoad: a thousand people work while somebody reloads ten times
// a second. Nobody notices, and nothing of the three hundred reloads is left.
func TestReloadsUnderLoad(t *testing.T) {
	file := filepath.Join(t.TempDir(), "bridge.yaml")
	put(t, file, fmt.Sprintf("listen: 127.0.0.1:0\nadmin: \"0\"\nweb: %s\nmax-sessions: %d\nlog-format: text\ntarget: %s\n",
		filepath.Dir(file), 2*reloadSessions, target(t, echo)))
	p := start(t, nil, os.Getenv("E2E_WSBRIDGE"), "--config", file)
	t.Cleanup(p.sound)
	b := bridge{p, p.await(`Listen on 127\.0\.0\.1:([1-9]\d*)`)[1]}
	admin := p.await(`Administration on (127\S*)`)[1]

	crowd := make([]net.Conn, reloadSessions)
	for i := range crowd {
		crowd[i] = join(t, b)
	}
	before := resources(t, p, admin)
	over := time.After(reloadFor)
	var talk sync.WaitGroup
	done := make(chan struct{})
	for i, conn := range crowd {
		talk.Go(func() { chat(t, i, conn, done) })
	}
	tick := time.NewTicker(reloadEvery)
	defer tick.Stop()
	for reloads := 0; ; reloads++ {
		select {
		case <-tick.C:
			p.signal(syscall.SIGHUP)
			continue
		case <-over:
		}
		break
	}
	close(done)
	talk.Wait()
	if n := strings.Count(p.out.String(), "msg=reloaded"); n < int(reloadFor/reloadEvery)/2 {
		t.Errorf("only %d reloads", n)
	}
	if strings.Contains(p.out.String(), "session ended") {
		t.Error("a session has ended")
	}
	eventually(t, fmt.Sprintf("about %+v again", before), func() bool {
		after := resources(t, p, admin)
		return after.files <= before.files+2 && after.goroutines <= before.goroutines+5
	})
}

func join(t *testing.T, b bridge) net.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, _, _, err := ws.Dial(ctx, b.url("ws"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// chat says something now and then, and hears it again.
func chat(t *testing.T, i int, conn net.Conn, done <-chan struct{}) {
	for n := 0; ; n++ {
		text := fmt.Appendf(nil, "%d says %d", i, n)
		conn.SetDeadline(time.Now().Add(patience))
		if err := wsutil.WriteClientBinary(conn, text); err != nil {
			t.Errorf("session %d: %v", i, err)
			return
		}
		if heard, err := hear(conn, len(text)); err != nil || !bytes.Equal(heard, text) {
			t.Errorf("session %d: %q, %v", i, heard, err)
			return
		}
		select {
		case <-done:
			return
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// hear reads n bytes, in however many frames.
func hear(conn net.Conn, n int) (all []byte, err error) {
	for len(all) < n && err == nil {
		var part []byte
		part, err = wsutil.ReadServerBinary(conn)
		all = append(all, part...)
	}
	return all, err
}

// held is what a process holds.
type held struct{ files, goroutines int }

func resources(t *testing.T, p *process, admin string) held {
	t.Helper()
	fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	head, _, _ := strings.Cut(get("http://"+admin+"/debug/pprof/goroutine?debug=1"), "\n")
	words := strings.Fields(head) // goroutine profile: total 12
	n, err := strconv.Atoi(words[len(words)-1])
	if err != nil {
		t.Fatalf("%q: %v", head, err)
	}
	return held{len(fds), n}
}
