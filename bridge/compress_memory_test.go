//go:build unix

package bridge

import (
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/gobwas/ws"

	"github.com/wsbridge/wsbridge/message"
)

// A bomb for a target that reads nothing is back-pressure: it waits, taking no
// more than its share, and every byte of it arrives once it is read.
func TestBombIsBackPressure(t *testing.T) {
	const zeros = 16 << 20
	bomb := newSqueezer(true).squeeze(strings.Repeat("\x00", zeros))
	r := startCompressing(t, CompressOn, nil)
	c := r.dial(offer)
	target := r.accept()
	before := heapNow()
	sent := make(chan struct{})
	go func() {
		io.WriteString(c.conn, marked(2, true, bomb))
		close(sent)
	}()
	for read := 0; read < zeros; read += zeros / 4 {
		if n, err := io.CopyN(io.Discard, target, zeros/4); err != nil {
			t.Fatalf("%d bytes of the bomb came: %v", read+int(n), err)
		}
		if took := int(heapNow()) - int(before); took > 2<<20 {
			t.Errorf("after %d bytes %d bytes of memory are taken", read, took)
		}
	}
	<-sent
	c.close(1000, "")
	readAll(t, target)
	target.Close()
	c.wantClose(1000, "")
}

func heapNow() uint64 {
	for range 3 {
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// A client that reads late gets all there is.
func TestCompressedForASlowReader(t *testing.T) {
	r := startCompressing(t, CompressOn, nil)
	c := inflatingPeer(r.dial(offer))
	target := r.accept()
	text := payloads()
	want := strings.Join(text, "")
	var writing sync.WaitGroup
	writing.Go(func() {
		io.WriteString(target, want)
		target.CloseWrite()
	})
	c.raw(masked(ws.OpPing, true, "there?"))
	if got := c.readAll(len(want)); got != want {
		t.Error("bytes differ")
	}
	writing.Wait()
	if _, end := c.message(); end == nil || end.Code != 1000 {
		t.Errorf("%+v", end)
	}
	c.close(1000, "")
}

// A session that waits holds what docs/compression.md says, and its goroutines.
func TestCompressedSessionsAtRest(t *testing.T) {
	const n = 100
	text := strings.Repeat("all work and no play makes jack a dull boy; ", 2000)
	for offer, most := range map[string]int{
		"permessage-deflate": 41 << 10,
		"permessage-deflate; server_no_context_takeover; client_no_context_takeover": 0,
	} {
		t.Run(offer, func(t *testing.T) {
			r := startCompressing(t, CompressOn, nil)
			packed := newSqueezer(true).squeeze(text)
			var clients []*peer
			var targets []net.Conn
			open := func() {
				clients = append(clients, r.dial("Sec-WebSocket-Extensions: "+offer))
				targets = append(targets, r.accept())
			}
			for range n {
				open()
			}
			atRest := heapNow()
			for i, c := range clients {
				c.raw(marked(2, true, packed))
				readN(t, targets[i], len(text))
				io.WriteString(targets[i], text)
				p := inflatingPeer(c)
				p.readAll(len(text))
				p.in, c.unread = nil, nil
			}
			each := (int(heapNow()) - int(atRest)) / n
			if each > most+3<<10 {
				t.Errorf("%d bytes a session, want %d at most", each, most)
			}
			t.Logf("%d bytes a session", each)
		})
	}
}

// Messages of a service are compressed both ways, and bounded as they come out.
func TestCompressedMessages(t *testing.T) {
	r := startCompressing(t, CompressAuto, func(s *Server) {
		route := s.Route
		s.Route = func(r *http.Request) (Route, error) {
			got, err := route(r)
			got.Target, got.Service = nil, parrot{options: message.Options{MaxBytes: 1 << 20}}
			return got, err
		}
	})
	c := inflatingPeer(r.dial(offer))
	squeezer := newSqueezer(true)
	for i, m := range payloads() {
		go io.WriteString(c.conn, marked(ws.OpBinary, true, squeezer.squeeze(m)))
		if got, _ := c.message(); got != m {
			t.Fatalf("message %d of %d bytes came back as %d", i, len(m), len(got))
		}
	}
	if c.compressed < 8 {
		t.Errorf("%d messages were compressed", c.compressed)
	}
	c.raw(marked(ws.OpBinary, true, newSqueezer(true).squeeze(strings.Repeat("\x00", 2<<20))))
	if _, end := c.message(); end == nil || end.Code != 1009 {
		t.Errorf("%+v, want 1009", end)
	}
}
