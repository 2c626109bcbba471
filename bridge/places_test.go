//go:build unix

package bridge

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// fewPlaces is a bridge for so many connections that are no session.
func fewPlaces(t *testing.T, n int, set func(*Server)) *rig {
	return startRig(t, func(s *Server) {
		s.Limits.connections = n
		s.Limits.SniffTimeout, s.Limits.HeaderTimeout = time.Hour, time.Hour
		s.TLS = &tls.Config{Certificates: []tls.Certificate{selfSigned(t)}, NextProtos: []string{"h2", "http/1.1"}}
		if set != nil {
			set(s)
		}
	})
}

// silentKinds are ways to take a place, and what such a client is told when it
// has to give way.
var silentKinds = []struct {
	name string
	come func(r *rig) net.Conn
	told string
}{
	{"without a byte", func(r *rig) net.Conn { return r.dialRaw() }, gaveWay},
	{"in the middle of a head", func(r *rig) net.Conn { return r.saying("GET / HTTP/1.1\r\nHo") }, gaveWay},
	{"in the middle of a hello", func(r *rig) net.Conn { return r.saying("\x16\x03\x01\x02\x00\x01\x00") }, ""},
	{"after the TLS handshake", func(r *rig) net.Conn { return r.handshaken("http/1.1").NetConn() }, ""},
	{"after HTTP/2's", func(r *rig) net.Conn { return r.handshaken("h2").NetConn() }, ""},
	{"after an answer", func(r *rig) net.Conn {
		c := r.saying("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		if answer, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || answer.StatusCode != http.StatusNotFound {
			r.t.Fatalf("%v %v", answer, err)
		}
		return c
	}, ""},
}

func (r *rig) saying(words string) net.Conn {
	r.t.Helper()
	c := r.dialRaw()
	io.WriteString(c, words)
	return c
}

func (r *rig) handshaken(protocol string) *tls.Conn {
	r.t.Helper()
	c := tls.Client(r.dialRaw(), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{protocol}})
	if err := c.Handshake(); err != nil {
		r.t.Fatal(err)
	}
	return c
}

// silent is how many connections keep the bridge waiting.
func (r *rig) silent() int {
	ps := &r.server.places
	ps.mu.Lock()
	defer ps.mu.Unlock()
	return ps.silent.Len()
}

// TestSilentConnectionsGiveWay: all places are taken by those who say nothing. Who
// comes gets in at once, over and over, and each time one of the silent has to go,
// with a word where there is a language for it.
func TestSilentConnectionsGiveWay(t *testing.T) {
	const places = 4
	for _, kind := range silentKinds {
		t.Run(kind.name, func(t *testing.T) {
			r := fewPlaces(t, places, nil)
			told := make(chan string, 3*places)
			come := func() {
				c := kind.come(r)
				go func() {
					text, _ := io.ReadAll(c)
					told <- string(text)
				}()
			}
			for i := range places {
				come()
				r.eventually("it is known to be silent", func() bool { return r.silent() == i+1 })
			}
			for i := range places {
				client, target := r.pair()
				client.send("hello")
				readN(t, target, 5)
				if got := <-told; !strings.Contains(got, kind.told) {
					t.Errorf("number %d was told %q", i, got)
				}
				if n := r.server.Stats().Refused[gaveWay]; n != i+1 {
					t.Errorf("%d gave way, want %d", n, i+1)
				}
				come()
				r.eventually("all places are taken", func() bool { return r.silent() == places })
			}
		})
	}
}

// TestLongestSilentFirst: who was heard of goes to the end of the line.
func TestLongestSilentFirst(t *testing.T) {
	var gone []string
	ps := places{gaveWay: func(client, _ string) { gone = append(gone, client) }}
	enter := func(name string) *place {
		p, _ := ps.enter(name, 3)
		p.waits(func(string) {})
		return p
	}
	ann := enter("ann")
	enter("bob")
	eve := enter("eve")
	ann.waits(func(string) {})
	if !eve.heard() {
		t.Error("eve came too late")
	}
	for _, name := range []string{"ida", "joe", "kim"} {
		enter(name)
	}
	if got := strings.Join(gone, " "); got != "bob ann ida" {
		t.Errorf("%s gave way", got)
	}
	if ann.heard() {
		t.Error("ann was heard, though she had to go")
	}
	called := false
	if ann.waits(func(string) { called = true }); !called {
		t.Error("ann was not sent away")
	}
}

// TestNobodyAnsweredGivesWay: of those with requests under way, and those with
// sessions over HTTP/2, none has to go; who comes then is told that there is no
// room.
func TestNobodyAnsweredGivesWay(t *testing.T) {
	come, answer := make(chan bool), make(chan bool)
	r := fewPlaces(t, 2, func(s *Server) {
		s.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			come <- true
			<-answer
			io.WriteString(w, "here you are")
		})
	})
	live, liveTarget := r.pair() // takes no place any more
	r.secure, r.http2 = true, true
	lane, laneTarget := r.pair()
	slow := r.saying("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	<-come
	for range 10 {
		c := r.saying(request())
		if got := readAll(t, c); !strings.Contains(got, "too many connections\n") {
			t.Errorf("one too many was told %q", got)
		}
		c.Close()
		r.eventually("the places of those", func() bool { return r.server.places.count() == 2 })
	}
	answer <- true
	if got := readAll(t, slow); !strings.HasSuffix(got, "here you are") {
		t.Errorf("the answer under way was %q", got)
	}
	for _, c := range []struct {
		client *peer
		target net.Conn
	}{{live, liveTarget}, {lane, laneTarget}} {
		c.client.send("still here")
		readN(t, c.target, 10)
	}
	if n := r.server.Stats().Refused[gaveWay]; n != 0 {
		t.Errorf("%d gave way", n)
	}
}

// TestPlacesAreGivenBack: whatever becomes of connections, none stays counted.
func TestPlacesAreGivenBack(t *testing.T) {
	r := fewPlaces(t, 8, nil)
	for i := range 200 {
		c := silentKinds[i%len(silentKinds)].come(r)
		if i%3 == 0 {
			c.Close()
		}
		defer c.Close()
	}
	client, _ := r.pair()
	client.conn.Close()
	r.eventually("no more than there are places", func() bool { return r.server.places.count() <= 8 })
	for r.silent() > 0 {
		r.server.places.makeRoom(1)
	}
	r.eventually("nobody", func() bool { return r.server.places.count() == 0 && r.server.Stats().Sessions == 0 })
}

// TestNoDescriptorLeft: when the system gives no more descriptors, the silent
// give theirs back.
func TestNoDescriptorLeft(t *testing.T) {
	r := fewPlaces(t, 100, nil)
	c := r.dialRaw()
	r.eventually("it is known to be silent", func() bool { return r.silent() == 1 })
	r.server.acceptFailed(0, fmt.Errorf("accept: %w", syscall.EMFILE))
	if got := readAll(t, c); !strings.Contains(got, gaveWay) {
		t.Errorf("told %q", got)
	}
}
