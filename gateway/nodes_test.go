package gateway_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/wsbridge/wsbridge/gateway"
	"github.com/wsbridge/wsbridge/hub"
	"github.com/wsbridge/wsbridge/hub/nats"
	"github.com/wsbridge/wsbridge/message"
)

// TestWSO12BroadcastOverNodes: what the target of a client on one machine says
// reaches the clients of the same route and path on another.
func TestWSO12BroadcastOverNodes(t *testing.T) {
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(s.WaitForShutdown)
	t.Cleanup(s.Shutdown)
	if !s.ReadyForConnections(patience) {
		t.Fatal("NATS does not start")
	}
	node := func() *rig {
		h := &hub.Hub{Engine: &nats.Engine{URL: "nats://" + s.Addr().String(), Hub: "broadcast"}}
		if err := h.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(h.Close)
		return newRig(t, echo, func(rt *gateway.Route) { rt.Broadcast, rt.Hub = gateway.Others, h })
	}
	here, there := node(), node()
	speaker, near, far, elsewhere := here.connect("/p"), here.connect("/p"), there.connect("/p"), there.connect("/q")
	heard := make(chan string, 100)
	go func() {
		for {
			m, err := far.Read()
			if err != nil {
				return
			}
			heard <- string(m.Data)
		}
	}()
	last := untilHeard(t, speaker, heard)
	near.hear("0")
	for n := 1; n <= last; n++ {
		near.hear(strconv.Itoa(n))
	}
	for _, c := range []*client{speaker, elsewhere} { // nothing was on its way to them
		c.Close(1000, "")
		c.wantClose(1000, "")
	}
}

// untilHeard says numbers until one arrives on the other machine, which takes
// word of the membership there; it returns the last number said.
func untilHeard(t *testing.T, speaker *client, heard <-chan string) (last int) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); last++ {
		if err := speaker.Write(message.Message{Text: true, Data: []byte(strconv.Itoa(last))}); err != nil {
			t.Fatal(err)
		}
		select {
		case <-heard:
			return last
		case <-time.After(20 * time.Millisecond):
		}
	}
	t.Fatal("nothing crosses")
	return 0
}
