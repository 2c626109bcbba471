//go:build unix

//lint:file-ignore SA1019 net/http offers a client no extended CONNECT

package bridge

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// echoes is a target without a socket.
type echoes struct{}

func (echoes) String() string { return "echo" }

func (echoes) Dial(context.Context) (net.Conn, error) {
	far, near := net.Pipe()
	go func() {
		io.Copy(far, far)
		far.Close()
	}()
	return near, nil
}

// A thousand sessions on one connection: those whose client or target takes
// nothing hold up nobody, and hold no more than is theirs.
func TestManySessionsOnOneConnection(t *testing.T) {
	sessions := 1000
	if raceDetector { // which cannot follow more than 8,128 goroutines
		sessions = 300
	}
	const stuck = 20
	deaf, heard := net.Pipe()
	defer deaf.Close()
	r := startRig2(t, func(s *Server) {
		s.Limits.Sessions = sessions
		s.Route = func(r *http.Request) (Route, error) {
			if r.Header.Get("X-Deaf") != "" {
				return Route{Target: already{heard}}, nil
			}
			return Route{Target: echoes{}}, nil
		}
	})
	flood := masked(2, true, string(stream(7, 64<<10)))
	var floods sync.WaitGroup
	var taken atomic.Int64 // of what the deaf are sent
	for range stuck {
		c := r.dialHTTP2("X-Deaf: yes")
		floods.Go(func() {
			for err := error(nil); err == nil; {
				var n int
				n, err = io.WriteString(c.conn, flood)
				taken.Add(int64(n))
			}
		})
		defer c.conn.Close()
	}
	var all sync.WaitGroup
	limit := make(chan struct{}, 50)
	for i := range sessions - stuck {
		limit <- struct{}{}
		c := r.dialHTTP2()
		all.Go(func() {
			defer func() { <-limit }()
			data := stream(uint64(i), i*17)
			c.raw(masked(2, true, string(data)))
			if got := c.read(len(data)); got != string(data) {
				t.Errorf("session %d: bytes differ", i)
			}
		})
	}
	all.Wait()
	if got := r.server.Stats(); got.Sessions != sessions || got.Connections != 1 {
		t.Errorf("%+v", got)
	}
	const fromClient = 1 << 20 // a session's, in the client's own hands
	if most := int64(stuck * (streamBuffer + bufferSize + fromClient)); taken.Load() > most {
		t.Errorf("%d bytes were taken for nobody, want at most %d", taken.Load(), most)
	}
	r.shared.Close()
	deaf.Close()
	floods.Wait()
	r.eventually("all have ended", func() bool { return r.server.Stats().Sessions == 0 })
	r.wantLog("session ended", "http=2")
}

// already is a target that is there already.
type already struct{ net.Conn }

func (f already) String() string                         { return "deaf" }
func (f already) Dial(context.Context) (net.Conn, error) { return f.Conn, nil }

// Over HTTP/2 too the client hears why there is no target.
func TestNoTargetOverHTTP2(t *testing.T) {
	closed := nobody(t)
	r := startRig2(t, func(s *Server) { s.Route = to(dialTo{closed}) })
	client := r.dial()
	client.wantClose(1011, "target refused the connection")
	client.close(1011, "")
	r.wantLog("session ended", "code=1011", "by=target", "target refused the connection", "http=2")
}

// A client that resets its stream while it takes nothing has its session end.
func TestResetOfAStreamThatIsNotRead(t *testing.T) {
	r := startRig2(t, nil)
	other, otherTarget := r.pair()
	client, target := r.pair()
	flooded := make(chan struct{})
	go func() {
		defer close(flooded)
		for err := error(nil); err == nil; {
			_, err = target.Write(make([]byte, 1<<20))
		}
	}()
	r.eventually("the client's window is full", r.stalled)
	other.send("others go on")
	readN(t, otherTarget, 12)
	client.reset()
	r.wantLog("session ended", "code=1006", "by=client", `reason="client reset"`)
	<-flooded
}

// stalled tells that nothing moves to any client for a while.
func (r *rig) stalled() bool {
	carried := func() (n int64) {
		for _, s := range r.server.Sessions() {
			n += s.ToClient
		}
		return n
	}
	before := carried()
	time.Sleep(100 * time.Millisecond)
	return before > 1<<20 && carried() == before
}

// A connection that is lost ends its sessions, and those alone.
func TestALostConnectionEndsItsSessions(t *testing.T) {
	r := startRig2(t, nil)
	first, firstTarget := r.pair()
	second, secondTarget := r.pair()
	lost := r.shared
	r.shared = nil
	_, thirdTarget := r.pair()
	lost.Close()
	for _, target := range []halfConn{firstTarget, secondTarget} {
		readAll(t, target)
		target.Close()
	}
	r.eventually("two have ended", func() bool { return r.server.Stats().Ended[EndedBy{"client", 1006}] == 2 })
	if got := r.server.Stats(); got.Sessions != 1 || got.Connections != 1 {
		t.Errorf("%+v", got)
	}
	thirdTarget.Close()
	first.conn.Close()
	second.conn.Close()
}

// openStream asks for a session, frame by frame.
func openStream(f *http2.Framer, id uint32) {
	var head bytes.Buffer
	encoder := hpack.NewEncoder(&head)
	for _, field := range [][2]string{
		{":method", "CONNECT"}, {":protocol", "websocket"}, {":scheme", "https"}, {":authority", "bridge"}, {":path", "/websockify"}, {"sec-websocket-version", "13"},
	} {
		encoder.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]})
	}
	f.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: head.Bytes(), EndHeaders: true})
}

// Every session is told 1001, and only then the connection.
func TestShutdownOverHTTP2(t *testing.T) {
	r := startRig2(t, nil)
	f, _ := r.framer2()
	openStream(f, 1)
	target := r.accept()
	done := make(chan error, 1)
	go func() { done <- r.server.Shutdown(t.Context()) }()
	var order []string
	for {
		got, err := f.ReadFrame()
		if err != nil {
			break
		}
		switch got := got.(type) {
		case *http2.DataFrame:
			switch {
			case bytes.HasPrefix(got.Data(), []byte{0x88}):
				order = append(order, "1001")
				f.WriteData(1, false, []byte(masked(8, true, closeBody(1001, ""))))
				readAll(t, target)
				target.Close()
			case got.StreamEnded():
				order = append(order, "end of stream") // before GOAWAY or after it
			}
		case *http2.GoAwayFrame:
			order = append(order, "GOAWAY "+got.ErrCode.String())
		}
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	slices.Sort(order[1:])
	if diff := cmp.Diff([]string{"1001", "GOAWAY NO_ERROR", "end of stream"}, order); diff != "" {
		t.Error(diff)
	}
	r.wantLog("session ended", "code=1001", "by=bridge")
}

// A client that does not even read its connection cannot hold up the end.
func TestShutdownOfAClientThatReadsNothing(t *testing.T) {
	r := startRig2(t, nil)
	f, _ := r.framer2()
	f.WriteWindowUpdate(0, 1<<30)
	f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 30})
	openStream(f, 1)
	target := r.accept()
	flooded := make(chan struct{})
	go func() {
		defer close(flooded)
		for err := error(nil); err == nil; {
			_, err = target.Write(make([]byte, 1<<20))
		}
	}()
	r.eventually("the connection is full", r.stalled)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.server.Shutdown(ctx); err != context.Canceled {
		t.Error(err)
	}
	<-flooded
	r.wantLog("session ended", "by=bridge", "bridge shutting down")
}

// While the bridge drains, clients are sent elsewhere: their live sessions stay.
func TestDrainOverHTTP2(t *testing.T) {
	r := startRig2(t, nil)
	client, target := r.pair()
	drained := make(chan error, 1)
	go func() { drained <- r.server.Drain(t.Context()) }()
	r.eventually("no more sessions", func() bool { return r.server.Draining() })
	answer, _ := r.ask2(r.shared, nil)
	if answer.StatusCode != http.StatusServiceUnavailable {
		t.Error(answer.Status)
	}
	r.eventually("a GOAWAY", func() bool { return r.shared.State().Closing })
	client.send("still here")
	readN(t, target, 10)
	target.Close()
	client.wantClose(1000, "target closed")
	client.close(1000, "")
	if err := <-drained; err != nil {
		t.Error(err)
	}
}

// A process with a successor serves the connection it has, and sends it away.
func TestRetireOverHTTP2(t *testing.T) {
	r := startRig2(t, nil)
	client, target := r.pair()
	retired := make(chan error, 1)
	go func() { retired <- r.server.Retire(t.Context()) }()
	r.eventually("no more connections", func() bool { return r.server.open.Err() != nil })
	late, lateTarget := r.pair()
	r.eventually("a GOAWAY", func() bool { return !r.shared.CanTakeNewRequest() })
	client.send("still here")
	readN(t, target, 10)
	for _, end := range []struct {
		client *peer
		target halfConn
	}{{client, target}, {late, lateTarget}} {
		end.target.Close()
		end.client.wantClose(1000, "target closed")
		end.client.close(1000, "")
	}
	if err := <-retired; err != nil {
		t.Error(err)
	}
}

// A proxy in front may speak HTTP/2 without TLS, where it is let.
func TestCleartextHTTP2(t *testing.T) {
	for _, on := range []bool{true, false} {
		r := startRig(t, func(s *Server) { s.CleartextHTTP2 = on })
		c := r.dialRaw()
		if !on {
			io.WriteString(c, http2.ClientPreface)
			if got := readAll(t, c); !strings.HasPrefix(got, "HTTP/1.1 505 ") {
				t.Errorf("%q", got)
			}
			continue
		}
		client, err := (&http2.Transport{AllowHTTP: true}).NewClientConn(c)
		if err != nil {
			t.Fatal(err)
		}
		r.http2, r.shared = true, client
		r.pair()
		client.Close()
		r.eventually("nobody is left", func() bool { return r.server.Stats().Connections == 0 })
	}
}

// Streams of a plain client that begin at once share nothing that was meant for
// one request after the other.
func TestManyAskAtOnceOverCleartextHTTP2(t *testing.T) {
	r := startRig(t, func(s *Server) {
		s.CleartextHTTP2 = true
		s.Route = to(echoes{})
	})
	client, err := (&http2.Transport{AllowHTTP: true}).NewClientConn(r.dialRaw())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			body, _ := io.Pipe()
			answer, err := client.RoundTrip(request2(t.Context(), body))
			if err != nil || answer.StatusCode != http.StatusOK {
				t.Errorf("%v, %v", answer, err)
			}
		})
	}
	all.Wait()
	if got := r.server.Stats(); got.Sessions != 50 || got.Connections != 1 {
		t.Errorf("%+v", got)
	}
}

func TestARelayOverHTTP2(t *testing.T) {
	relay := mirror{make(chan struct{})}
	r := startRig2(t, func(s *Server) {
		s.Route = func(*http.Request) (Route, error) { return Route{Relay: relay}, nil }
	})
	answer, c := r.ask2(r.connect2(), nil)
	if answer.StatusCode != http.StatusOK || answer.Header.Get("X-Mirror") != "yes" {
		t.Errorf("%s %v", answer.Status, answer.Header)
	}
	<-relay.started
	c.down.Close()
	r.wantLog("session ended", "target=mirror:", "to_target=7 to_client=8")
}

// brokenOff is a relay whose answer never comes to its end.
type brokenOff struct{ mirror }

func (brokenOff) Relay(w http.ResponseWriter, r *http.Request) Ending {
	w.WriteHeader(http.StatusBadGateway)
	io.WriteString(w, "the beginning of ")
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return Ending{Reason: err.Error()}
	}
	conn.Close()
	return Ending{By: "target", Reason: "broke off"}
}

func TestABrokenAnswerIsNotTakenForWhole(t *testing.T) {
	r := startRig2(t, func(s *Server) {
		s.Route = func(*http.Request) (Route, error) { return Route{Relay: brokenOff{}}, nil }
	})
	client := r.connect2()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	body, _ := io.Pipe()
	answer, err := client.RoundTrip(request2(ctx, body))
	if err == nil {
		_, err = io.ReadAll(answer.Body)
	}
	if err == nil {
		t.Error("the answer seems whole")
	}
}
