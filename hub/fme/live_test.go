package fme

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"

	"github.com/wsbridge/wsbridge/frame"
	"github.com/wsbridge/wsbridge/hub"
	"github.com/wsbridge/wsbridge/message"
)

// TestFME14SlowConsumer: one of four reads nothing while 10 MB are sent.
func TestFME14SlowConsumer(t *testing.T) {
	const messages, size = 160, 64 << 10
	r := startRig(t, nil)
	sender, stalled := r.opened("a"), r.opened("a")
	stalled.raw.(*net.TCPConn).SetReadBuffer(64 << 10)
	var readers sync.WaitGroup
	for range 3 {
		reader := r.opened("a")
		readers.Go(func() {
			for i := range messages {
				if got := reader.hear(); !strings.HasPrefix(got, fmt.Sprintf("%d ", i)) || len(got) != size {
					t.Errorf("message %d: %d bytes: %.20q", i, len(got), got)
				}
			}
		})
	}
	for i := range messages {
		head := fmt.Sprintf("%d ", i)
		sender.send(head + strings.Repeat("x", size-len(head)))
	}
	readers.Wait()
	eventually(t, "the stalled one to be given up", func() bool { return r.service.Stats().Slow == 1 })
	stalled.wantClose(frame.StatusTryAgainLater, "slow consumer")
	if got := r.service.Stats(); got.Dropped > 1024 {
		t.Errorf("%d messages waited", got.Dropped)
	}
}

// TestFME14SlowMayMiss: a member that may miss messages stays.
func TestFME14SlowMayMiss(t *testing.T) {
	for name, slow := range map[string]hub.Slow{"oldest": hub.DropOldest, "newest": hub.DropNewest} {
		t.Run(name, func(t *testing.T) {
			r := startRig(t, &Service{Hub: &hub.Hub{Queue: hub.Queue{Slow: slow}}})
			sender, stalled := r.opened("a"), r.opened("a")
			last := 0
			eventually(t, "messages to be dropped", func() bool {
				last++
				sender.send(fmt.Sprintf("%8d ", last) + strings.Repeat("x", 256<<10))
				sender.nothing()
				return r.service.Stats().Dropped > 3
			})
			heard, previous := 0, 0
			for missed := r.service.Stats().Dropped; heard < last-int(missed); heard++ {
				var n int
				fmt.Sscan(stalled.hear()[:9], &n)
				if n <= previous {
					t.Fatalf("%d after %d", n, previous)
				}
				previous = n
			}
			if slow == hub.DropOldest && previous != last || slow == hub.DropNewest && previous == last {
				t.Errorf("the last heard is %d of %d", previous, last)
			}
			stalled.nothing()
		})
	}
}

func TestFME16Probes(t *testing.T) {
	r := startRig(t, nil)
	for path, want := range map[string]int{"/": 200, "/websocket": 400, "/x": 400} {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			req, _ := http.NewRequest(method, r.server.URL+path, nil)
			answer, err := r.server.Client().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(answer.Body)
			answer.Body.Close()
			if answer.StatusCode != want || method == http.MethodGet && !strings.Contains(string(body), "WebSocket") {
				t.Errorf("%s %s: %d %s", method, path, answer.StatusCode, body)
			}
		}
	}
}

func TestFME17Keepalive(t *testing.T) {
	r := startRig(t, nil)
	pongs := make(chan string, 1)
	a := r.dialWith("/", message.Options{FromServer: true, Control: func(op ws.OpCode, payload []byte) {
		if op == ws.OpPong {
			pongs <- string(payload)
		}
	}})
	if err := a.Pong([]byte("nobody asked")); err != nil {
		t.Fatal(err)
	}
	if err := a.Ping([]byte("there?")); err != nil {
		t.Fatal(err)
	}
	a.nothing()
	if got := <-pongs; got != "there?" {
		t.Errorf("pong %q", got)
	}
}

// TestFME17DeadPeersAreReaped, and their streams with them, within the 65 s of
// row FME-09. Time is the test's own.
func TestFME17DeadPeersAreReaped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Service{Hub: &hub.Hub{}}
		near, far := net.Pipe()
		visit, err := s.Admit(&http.Request{RemoteAddr: "192.0.2.7:5"})
		if err != nil {
			t.Fatal(err)
		}
		go io.Copy(io.Discard, far) // takes everything, answers nothing
		end := make(chan Ending)
		go func() { end <- carry(visit, message.New(near, visit.Options())) }()
		dead := message.New(far, message.Options{FromServer: true})
		dead.Write(message.Message{Text: true, Data: []byte(`{"ws_op":"open","ws_stream_id":"a"}`)})
		start := time.Now()
		synctest.Wait()
		if got := s.Stats().Groups; got != 1 {
			t.Fatalf("%d streams", got)
		}
		time.Sleep(65 * time.Second)
		synctest.Wait()
		if got := s.Stats(); got.Groups != 0 || got.Members != 0 {
			t.Errorf("after %v: %+v", time.Since(start), got)
		}
		far.Close()
		if got := <-end; got.By != "bridge" || got.Code != 1011 {
			t.Errorf("ended %+v", got)
		}
	})
}

// TestIdleUnopenedIsAMinute by default.
func TestIdleUnopenedIsAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Service{Hub: &hub.Hub{}}
		near, far := net.Pipe()
		visit, err := s.Admit(&http.Request{})
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		go carry(visit, message.New(near, visit.Options()))
		c := message.New(far, message.Options{FromServer: true})
		_, err = c.Read()
		if closed, ok := err.(*message.CloseError); !ok || closed.Code != 1000 || time.Since(start) != time.Minute {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
		far.Close()
	})
}
