//go:build unix

package bridge

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// shedRig is a bridge whose memory the test looks at in its stead.
func shedRig(t *testing.T, set func(*Server)) (*rig, *shedder) {
	r := startRig(t, set)
	return r, &shedder{s: r.server}
}

// lookAt lets d find so much of the memory taken, so often.
func (d *shedder) lookAt(taken float64, times int) {
	for range times {
		d.look(taken)
	}
}

// wantLogged counts the lines that say something.
func (r *rig) wantLogged(words string, times int) {
	r.t.Helper()
	if n := strings.Count(r.log.String(), words); n != times {
		r.t.Errorf("%q was logged %d times, want %d", words, n, times)
	}
}

// TestShortOfMemory: first who comes is told to come later; when that is not
// enough, the sessions that carried nothing for longest are told to; who carries
// something goes on; and when there is memory again, everybody gets in.
func TestShortOfMemory(t *testing.T) {
	r, d := shedRig(t, nil)
	type pair struct {
		client *peer
		target halfConn
	}
	var idle []pair
	for range 25 {
		client, target := r.pair()
		idle = append(idle, pair{client, target})
		r.eventually("what pair said is counted", func() bool {
			n := r.server.Stats()
			return min(n.ToTarget, n.ToClient) >= int64(len(idle))
		})
		d.lookAt(.5, idleEvery) // each is idle for longer than the next
	}
	busy, busyTarget := r.pair()
	carry := func(looks int, taken float64) {
		for range looks {
			busy.send("still at it")
			readN(t, busyTarget, 11)
			d.look(taken)
		}
	}
	carry(1, .85)
	r.pair() // between the marks all is as it was
	carry(2, .92)
	r.wantRefused(http.StatusServiceUnavailable, shortOfMemory)
	if got := r.server.Shedding(); got != ShedNew {
		t.Errorf("it does %d", got)
	}
	carry(1, .85)
	r.wantRefused(http.StatusServiceUnavailable, shortOfMemory)
	if n := r.server.Stats().Sessions; n != 27 {
		t.Errorf("%d sessions are left of 27", n)
	}

	carry(1, .85) // one in ten and one, those who came first
	for _, p := range idle[:3] {
		p.client.wantClose(endMemory.code, "bridge short of memory")
		p.client.close(endMemory.code, "")
		readAll(t, p.target)
	}
	r.eventually("their end", func() bool { return r.server.Stats().Sessions == 24 })
	carry(3, .7)
	carry(3, .85)
	if n := r.server.Stats().Sessions; n != 24 {
		t.Errorf("%d sessions are left, though memory suffices", n)
	}
	r.pair()
	if n := r.server.Stats(); n.Refused[shortOfMemory] != 2 || n.Ended[EndedBy{"bridge", 1013}] != 3 {
		t.Errorf("%+v", n)
	}
	for words, times := range map[string]int{"memory is short": 1, "memory stays short": 1, "memory suffices again": 1} {
		r.wantLogged(words, times)
	}
}

// TestNoMemoryAtAll: whoever is left has to go in the end, in turns.
func TestNoMemoryAtAll(t *testing.T) {
	r, d := shedRig(t, nil)
	var clients []*peer
	for range 5 {
		client, _ := r.pair()
		clients = append(clients, client)
	}
	busy := clients[0]
	slices.Reverse(clients) // the newest go first, since all have been idle for as long, but one
	for i, client := range clients {
		busy.send("I am last")
		r.eventually("it is carried", func() bool { return r.server.Stats().ToTarget >= int64(9*(i+1)) })
		d.lookAt(1, 3) // of which all but the first wait for who has been told
		client.wantClose(endMemory.code, "bridge short of memory")
		client.close(endMemory.code, "")
		r.eventually("its end", func() bool { return r.server.Stats().Sessions == len(clients)-1-i })
	}
}

// TestWhoTakesNothingIsThrownOut: a client that reads nothing cannot be told, and
// what waits for it is thrown away soon, also what the system keeps.
func TestWhoTakesNothingIsThrownOut(t *testing.T) {
	r, d := shedRig(t, nil)
	client, target := r.pair()
	go io.Copy(target, zeros{})
	r.eventually("the client is full", func() bool {
		before := r.server.Stats().ToClient
		time.Sleep(50 * time.Millisecond)
		return before > 0 && r.server.Stats().ToClient == before
	})
	d.lookAt(.5, 3*idleEvery)
	d.lookAt(.95, shedPatience+1)
	r.wantLog("session ended", "code=1013", "bridge short of memory")
	if _, err := io.Copy(io.Discard, client.in); err == nil {
		t.Error("the client could read to a proper end: all was kept for it")
	}
}

// TestMessagesWhenShort: sessions of messages are told as those of bytes.
func TestMessagesWhenShort(t *testing.T) {
	parrots(t, parrot{}, nil, func(t *testing.T, r *rig) {
		d := &shedder{s: r.server}
		client := r.dial()
		r.eventually("it lives", func() bool { return len(r.server.Sessions()) == 1 })
		d.lookAt(.5, 3*idleEvery)
		d.lookAt(.95, shedPatience+1)
		client.wantClose(endMemory.code, "bridge short of memory")
		client.close(endMemory.code, "")
		r.wantLog("session ended", "code=1013", "bridge short of memory")
	})
}

// TestSilentConnectionsWhenShort: those who say nothing make room for who comes,
// and go before they are asked when it stays short.
func TestSilentConnectionsWhenShort(t *testing.T) {
	r, d := shedRig(t, func(s *Server) { s.Limits.SniffTimeout = time.Hour })
	first := r.dialRaw()
	for i := range 40 {
		r.eventually("it is known to be silent", func() bool { return r.silent() == i+1 })
		if i < 39 {
			r.dialRaw()
		}
	}
	d.look(.95)
	r.wantRefused(http.StatusServiceUnavailable, shortOfMemory)
	r.eventually("one gave way", func() bool { return r.server.Stats().Refused[shortOfMemory] == 2 })
	if got := readAll(t, first); !strings.Contains(got, shortOfMemory) || !strings.Contains(got, "Retry-After: 5\r\n") {
		t.Errorf("the longest silent was told %q", got)
	}
	for left := 39; left > 0; {
		d.lookAt(.95, shedPatience+1)
		r.eventually("fewer", func() bool { return r.silent() < left })
		left = r.silent()
	}
	d.look(.1)
	r.pair()
}

// TestMemoryIsWatched: a bridge that is given a measure looks at it, and leaves
// nobody behind who does.
func TestMemoryIsWatched(t *testing.T) {
	var taken atomic.Int64
	r := startRig(t, func(s *Server) { s.Memory = func() float64 { return float64(taken.Load()) / 100 } })
	r.pair()
	taken.Store(95)
	r.eventually("short of memory", func() bool { return r.server.Shedding() != ShedNothing })
	r.wantRefused(http.StatusServiceUnavailable, shortOfMemory)
	taken.Store(10)
	r.eventually("enough again", func() bool { return r.server.Shedding() == ShedNothing })
	r.pair()
}
