package fme

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestFME19TwoNodes(t *testing.T) {
	s := serveNATS(t, 0)
	one, two := startOn(t, s), startOn(t, s)
	eventually(t, "both nodes", func() bool { return s.NumClients() == 2 })
	s.subscribed(t, 4)
	a, b := one.opened("x", "y"), two.opened("y", "x", "z")
	s.subscribed(t, 9)
	for i := range 500 {
		a.send(fmt.Sprint("from a ", i))
		b.send(fmt.Sprint("from b ", i))
	}
	for i := range 500 {
		a.wantHear(fmt.Sprint("from b ", i))
		b.wantHear(fmt.Sprint("from a ", i))
	}
	a.nothing()
	b.nothing()
}

func TestFME20AdminOfAllNodes(t *testing.T) {
	t.Parallel() // it waits
	s := serveNATS(t, 0)
	one, two := startOn(t, s), startNode(t, s)
	a, b := one.opened("x"), two.dial().open("x", "y")
	const both = `{"numchannels":"3","streams":[{"stream":"x","numchannels":"2"},{"stream":"y","numchannels":"1"}]}`
	eventually(t, "the nodes to meet", func() bool { return a.ask(askCounts) == both })
	if got := b.ask(askCounts); got != both {
		t.Errorf("asked on the other node: %s", got)
	}
	if got := a.ask(askChannels); !strings.Contains(got, `"port":"`+port(b)+`","stream":"y"`) {
		t.Errorf("b is not in the table: %s", got)
	}
	two.kill()
	if got, want := a.ask(askCounts), `{"numchannels":"1","streams":[{"stream":"x","numchannels":"1"}],"partial":"true"}`; got != want {
		t.Errorf("right after: %s", got)
	}
	alone := `{"numchannels":"1","streams":[{"stream":"x","numchannels":"1"}]}`
	eventually(t, "the node to be forgotten", func() bool { return a.ask(askCounts) == alone })
}

func TestFME21EngineOutage(t *testing.T) {
	s := serveNATS(t, 0)
	port := s.port()
	one, two := startOn(t, s), startOn(t, s)
	a, near, far := one.opened("x"), one.opened("x"), two.opened("x")
	s.subscribed(t, 6)
	n := 0
	send := func() {
		a.send(fmt.Sprint(n))
		n++
	}
	send()
	far.wantHear("0")
	s.Shutdown()
	s.WaitForShutdown()
	down := func(r *rig) func() bool { return func() bool { return !r.service.Hub.Engine.Up() } }
	eventually(t, "the loss to be seen", down(one))
	eventually(t, "the loss to be seen", down(two))
	for range 2000 {
		send()
	}
	a.wantFault(engineDown)
	a.say(askCounts) // and no second one within 10 s
	a.wantHear(`{"numchannels":"2","streams":[{"stream":"x","numchannels":"2"}],"partial":"true"}`)
	for i := range n {
		near.wantHear(fmt.Sprint(i))
	}
	s = serveNATS(t, port)
	s.subscribed(t, 6)
	a.send("back")
	far.wantHear("back")
	near.wantHear("back")
}

// TestFME19ExactDelivery: 10,000 messages from 5 senders on 20 streams to 100
// receivers on 3 nodes, one of which is killed half way and comes back.
func TestFME19ExactDelivery(t *testing.T) {
	s := serveNATS(t, 0)
	one, two, three := startOn(t, s), startOn(t, s), startNode(t, s)
	x := &exact{t: t}
	for range 34 {
		x.receiver(one.dial(), 0, perSender)
	}
	for range 33 {
		x.receiver(two.dial(), 0, perSender)
		x.receiver(three.dial(), 0, 0)
	}
	for i := range 5 {
		x.sender([]*rig{one, two}[i%2].dial(), i)
	}
	s.subscribed(t, 3*22)
	go func() {
		eventually(t, "a part to be sent", func() bool { return x.sent.Load() > 5*perSender/4 })
		three.kill()
	}()
	x.send(0, perSender/2)
	eventually(t, "the node's death", func() bool { return s.NumClients() == 2 })

	again := startNode(t, s)
	for range 33 {
		x.receiver(again.dial(), perSender/2, perSender)
	}
	s.subscribed(t, 3*22)
	x.send(perSender/2, perSender)
	x.heard.Wait()
}

const perSender = 2000

// exact is senders, and receivers that know what they must hear.
type exact struct {
	t         *testing.T
	senders   []*client
	receivers int
	sent      atomic.Int64
	heard     sync.WaitGroup
}

// sender has the streams i, i+5, i+10 and i+15.
func (x *exact) sender(c *client, i int) {
	x.senders = append(x.senders, c.open(stream(i), stream(i+5), stream(i+10), stream(i+15)))
}

func stream(i int) string { return fmt.Sprintf("stream %d", i%20) }

// streamsOf are those of message n of sender i: one, two or four.
func streamsOf(i, n int) []string {
	switch n % 3 {
	case 0:
		return []string{stream(i + 5*(n%4))}
	case 1:
		return []string{stream(i), stream(i + 10)}
	}
	return []string{stream(i), stream(i + 5), stream(i + 10), stream(i + 15)}
}

func (x *exact) send(from, to int) {
	var senders sync.WaitGroup
	for i, c := range x.senders {
		senders.Go(func() {
			for n := from; n < to; n++ {
				c.say(fmt.Sprintf(`{ws_op: send, ws_stream_ids: ["%s"], ws_msg: "%d %d"}`, strings.Join(streamsOf(i, n), `","`), i, n))
				x.sent.Add(1)
			}
		})
	}
	senders.Wait()
}

// receiver must hear all messages numbered from on and below to that are for
// one of its three streams, each once and in order of each sender. When to is
// 0, its node dies: then it may have heard only the first of them.
func (x *exact) receiver(c *client, from, to int) {
	r := x.receivers
	x.receivers++
	mine := []string{stream(r), stream(r + 7), stream(r + 13)}
	c.say(fmt.Sprintf(`{"ws_op":"open","ws_stream_ids":["%s"]}`, strings.Join(mine, `","`)))
	c.say(askCounts)
	for !strings.HasPrefix(c.hear(), `{"numchannels":`) { // perhaps what was on its way
	}
	c.Expect(time.Now().Add(6 * patienceOfTests))
	x.heard.Go(func() {
		next := [5]int{from, from, from, from, from}
		for i := range next {
			next[i] = following(i, next[i], mine)
		}
		left := func() bool { return slices.Min(next[:]) < to }
		for left() || to == 0 {
			m, err := c.Read()
			if err != nil {
				if to > 0 {
					x.t.Errorf("receiver %d: %v, waiting for %v", r, err, next)
				}
				return
			}
			var i, n int
			if fmt.Sscan(string(m.Data), &i, &n); n < from {
				continue // was on its way when the receiver came
			}
			if n != next[i] {
				x.t.Errorf("receiver %d heard message %d of sender %d, want %d", r, n, i, next[i])
				return
			}
			next[i] = following(i, n+1, mine)
		}
	})
}

// following is the first message of sender i, from n on, for one of streams.
func following(i, n int, streams []string) int {
	for ; n < perSender; n++ {
		if slices.ContainsFunc(streamsOf(i, n), func(s string) bool { return slices.Contains(streams, s) }) {
			return n
		}
	}
	return n
}
