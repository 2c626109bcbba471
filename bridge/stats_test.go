//go:build unix

package bridge

import (
	"runtime"
	"testing"

	"github.com/gobwas/ws"
)

// TestAnAdministratorSeesAndEndsSessions of every kind and pump.
func TestAnAdministratorSeesAndEndsSessions(t *testing.T) {
	everyWay(t, nil, func(t *testing.T, r *rig) {
		client, target := r.pair()
		client.send("hello")
		readN(t, target, 5)
		target.Write([]byte("yes"))
		client.read(3)
		r.eventually("the session is seen", func() bool {
			all := r.server.Sessions()
			return len(all) == 1 && (all[0].RTT > 0 || runtime.GOOS != "linux") && all[0].ToTarget == 6 && all[0].ToClient == 4 && all[0].Path == "/websockify" && !all[0].Start.IsZero()
		})
		id := r.server.Sessions()[0].ID
		if r.server.Kill("no such id") || !r.server.Kill(id) {
			t.Error("the wrong one was ended, or none")
		}
		client.wantClose(1001, "ended by the administrator")
		client.close(1001, "")
		target.Close()
		r.eventually("it is gone, and counted", func() bool {
			s := r.server.Stats()
			return len(r.server.Sessions()) == 0 && s.Begun == 1 && s.ToTarget == 6 && s.ToClient == 4 && s.Ended[EndedBy{"bridge", 1001}] == 1
		})
		if r.server.Kill(id) {
			t.Error("it was ended twice")
		}
	})
}

func TestMessageSessionsAreSeenToo(t *testing.T) {
	parrots(t, parrot{}, nil, func(t *testing.T, r *rig) {
		c := r.dial()
		c.send("hello")
		c.read(5)
		all := r.server.Sessions()
		if len(all) != 1 || all[0].Target != "parrot:" || all[0].User != "ann" || all[0].Subprotocol != "parrot" || all[0].ToTarget != 5 {
			t.Fatalf("%+v", all)
		}
		r.server.Kill(all[0].ID)
		c.wantClose(1001, "ended by the administrator")
		c.raw(masked(ws.OpClose, true, closeBody(1001, "")))
	})
}
