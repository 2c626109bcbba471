package bridge

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// A target that takes nothing for a while gets all that was sent, though the
// client says nothing more: records that were read meanwhile are not forgotten.
func TestSecureClientOfASlowTarget(t *testing.T) {
	r := startRigFor(t, "tls", nil)
	client, target := r.pair()
	unhurried(client.conn, target)
	target.(*net.TCPConn).SetReadBuffer(32 << 10)
	data := string(stream(7, 6<<20)) // more than the system holds
	sent := make(chan error, 1)
	go func() {
		var err error
		for left := data; len(left) > 0 && err == nil; {
			n := min(len(left), 30_000)
			_, err = io.WriteString(client.conn, masked(ws.OpBinary, true, left[:n]))
			left = left[n:]
		}
		sent <- err
	}()
	r.eventually("a client that is not read", func() bool { return r.waits() })
	if got := readN(t, target, len(data)); got != data {
		t.Error("bytes differ")
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
	client.close(1000, "")
	readAll(t, target)
	target.Close()
	client.wantClose(1000, "")
}

// unhurried gives connections the time that much work takes a slow machine.
func unhurried(conns ...net.Conn) {
	for _, c := range conns {
		c.SetDeadline(time.Now().Add(time.Minute))
	}
}

// waits tells whether a session waits for its target.
func (r *rig) waits() (waits bool) {
	r.server.sessions.each(func(l live) { waits = waits || l.(*session).writing.Load() })
	return waits
}
