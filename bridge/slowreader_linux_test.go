package bridge

import (
	"io"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/wsbridge/wsbridge/frame"
)

// TestHeartbeatOfASlowReader: pings wait in the system behind megabytes, and the
// client answers each as it comes to it. It is slow, and not gone.
func TestHeartbeatOfASlowReader(t *testing.T) {
	for _, kind := range []string{"plain", "tls", "h2"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			slowReader(t, kind)
		})
	}
}

func slowReader(t *testing.T, kind string) {
	const (
		size  = 10 << 20
		pause = 30 * time.Millisecond // for every 64 KiB
	)
	r := startRigFor(t, kind, func(s *Server) { s.Heartbeat = 500 * time.Millisecond })
	client, target := r.dial(), r.accept()
	unhurried(client.conn, target)
	go func() {
		io.CopyN(target, zeros{}, size)
		target.Close()
	}()
	for got, paid := 0, 0; ; {
		ev, err := client.event()
		if err != nil {
			t.Fatalf("after %d of %d bytes: %v", got, size, err)
		}
		switch ev.Kind {
		case frame.Ping:
			client.raw(masked(ws.OpPong, true, ""))
		case frame.Data:
			got += len(ev.Payload)
		case frame.Close:
			if ev.Reason != "target closed" || got != size {
				t.Errorf("%d of %d bytes, then %d %q", got, size, ev.Code, ev.Reason)
			}
			return
		}
		for ; paid+64<<10 <= got; paid += 64 << 10 {
			time.Sleep(pause)
		}
	}
}

// TestHeartbeatOfAStuckReader: a client takes nothing any more, and no ping reaches
// it. It counts as one that answers none, and its target is let go.
func TestHeartbeatOfAStuckReader(t *testing.T) {
	for _, kind := range []string{"plain", "tls", "h2"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			r := startRigFor(t, kind, func(s *Server) { s.Heartbeat = 300 * time.Millisecond })
			r.dial()
			if n, err := io.Copy(r.accept(), zeros{}); err == nil {
				t.Errorf("the target said %d bytes and was done", n)
			}
			r.wantLog("session ended", "code=1011", "by=bridge", `reason="client answered none of two pings"`)
		})
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
