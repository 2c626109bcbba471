//go:build unix

package bridge

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
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

	"github.com/wsbridge/wsbridge/frame"
)

// stream2 is a client's stream of HTTP/2, after an extended CONNECT.
type stream2 struct {
	net.Conn // nil: what tests do not use
	up       *io.PipeWriter
	down     io.ReadCloser
	cancel   context.CancelFunc
}

func (c *stream2) Read(p []byte) (int, error)  { return c.down.Read(p) }
func (c *stream2) Write(p []byte) (int, error) { return c.up.Write(p) }
func (c *stream2) CloseWrite() error           { return c.up.Close() }

func (c *stream2) Close() error {
	c.up.Close()
	c.cancel()
	return c.down.Close()
}

// connect2 is a connection that speaks HTTP/2.
func (r *rig) connect2() *http2.ClientConn {
	r.t.Helper()
	secure := tls.Client(r.dialRaw(), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	if err := secure.Handshake(); err != nil {
		r.t.Fatal(err)
	}
	if got := secure.ConnectionState().NegotiatedProtocol; got != "h2" {
		r.t.Fatalf("ALPN gave %q", got)
	}
	secure.SetDeadline(time.Time{})
	client, err := new(http2.Transport).NewClientConn(secure)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { client.Close() })
	return client
}

// request2 is a good extended CONNECT.
func request2(ctx context.Context, body io.Reader, header ...string) *http.Request {
	r, _ := http.NewRequestWithContext(ctx, http.MethodConnect, "https://bridge/websockify", body)
	r.Header = http.Header{":protocol": {"websocket"}, "Sec-Websocket-Version": {"13"}}
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	return r
}

// ask2 sends an extended CONNECT.
func (r *rig) ask2(client *http2.ClientConn, change func(*http.Request), header ...string) (*http.Response, *stream2) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	down, up := io.Pipe()
	request := request2(ctx, down, header...)
	if change != nil {
		change(request)
	}
	answer, err := client.RoundTrip(request)
	if err != nil {
		cancel()
		r.t.Fatalf("extended CONNECT: %v", err)
	}
	c := &stream2{up: up, down: answer.Body, cancel: cancel}
	r.t.Cleanup(func() { c.Close() })
	return answer, c
}

func (r *rig) dialHTTP2(header ...string) *peer {
	r.t.Helper()
	if r.shared == nil {
		r.shared = r.connect2()
	}
	answer, c := r.ask2(r.shared, nil, header...)
	if answer.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(answer.Body)
		r.t.Fatalf("extended CONNECT: %s: %s", answer.Status, body)
	}
	return &peer{t: r.t, conn: c, in: bufio.NewReader(c), decoder: frame.Decoder{FromServer: true}, answer: answer}
}

// startRig2 is a bridge that offers HTTP/2 to clients that speak it.
func startRig2(t *testing.T, set func(*Server)) *rig {
	t.Helper()
	r := startRig(t, func(s *Server) {
		s.TLS = &tls.Config{Certificates: []tls.Certificate{selfSigned(t)}, NextProtos: []string{"h2", "http/1.1"}}
		if set != nil {
			set(s)
		}
	})
	r.http2 = true
	return r
}

// framer2 is a connection that has seen the bridge's SETTINGS, frame by frame.
func (r *rig) framer2() (*http2.Framer, *http2.SettingsFrame) {
	r.t.Helper()
	secure := tls.Client(r.dialRaw(), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	framer := http2.NewFramer(secure, secure)
	io.WriteString(secure, http2.ClientPreface)
	framer.WriteSettings()
	frame, err := framer.ReadFrame()
	settings, ok := frame.(*http2.SettingsFrame)
	if !ok {
		r.t.Fatalf("first frame: %v, %v", frame, err)
	}
	return framer, settings
}

// What the bridge offers: WebSockets, many of them, with room for each.
func TestHTTP2Settings(t *testing.T) {
	_, settings := startRig2(t, nil).framer2()
	for id, want := range map[http2.SettingID]uint32{
		http2.SettingEnableConnectProtocol: 1,
		http2.SettingMaxConcurrentStreams:  maxStreams,
		http2.SettingInitialWindowSize:     streamBuffer,
	} {
		if got, ok := settings.Value(id); !ok || got != want {
			t.Errorf("%v is %d (%v), want %d", id, got, ok, want)
		}
	}
}

// What a client of RFC 8441 is answered: no more than it may be.
func TestExtendedConnectIsAnswered(t *testing.T) {
	r := startRig2(t, nil)
	client := r.dial("Sec-WebSocket-Protocol: chat, binary")
	r.accept()
	got := client.answer.Header.Clone()
	got.Del("Date")
	if diff := cmp.Diff(http.Header{"Sec-Websocket-Protocol": {"binary"}}, got); diff != "" {
		t.Error(diff)
	}
}

// Who decides sees an upgrade as ever, of the client that asks.
func TestExtendedConnectIsAnUpgradeToPolicy(t *testing.T) {
	seen := make(chan *http.Request, 1)
	r := startRig2(t, nil)
	route := r.server.now().Route
	rules := *r.server.now()
	rules.Route = func(r *http.Request) (Route, error) {
		seen <- r
		return route(r)
	}
	r.server.Use(rules)
	r.ask2(r.connect2(), func(r *http.Request) { r.URL.RawQuery = "token=a%20b" }, "Origin: https://page", "Cookie: a=b")
	got := <-seen
	if got.Method != "GET" || !isUpgrade(got) || got.TLS == nil || !strings.HasPrefix(got.RemoteAddr, "127.0.0.1:") || got.Host != "bridge" ||
		got.RequestURI != "/websockify?token=a%20b" || got.URL.Query().Get("token") != "a b" || got.Header.Get("Origin") != "https://page" || got.Header.Get("Cookie") != "a=b" {
		t.Errorf("%+v", got)
	}
	if got.Header[protocolHeader] != nil || !validKey(got.Header.Get("Sec-WebSocket-Key")) {
		t.Errorf("%v", got.Header)
	}
}

// A refusal says why in its own stream, and costs the others nothing.
func TestExtendedConnectRefusals(t *testing.T) {
	r := startRig2(t, func(s *Server) {
		s.Limits.Sessions = 1
		s.Subprotocols = []string{"binary"}
		route := s.Route
		s.Route = func(r *http.Request) (Route, error) {
			if r.URL.Path == "/forbidden" {
				return Route{}, &Refusal{Status: 403, Reason: "not for you", Header: http.Header{"X-Why": {"because"}}}
			}
			return route(r)
		}
	})
	first, target := r.pair()
	for _, tc := range []struct {
		name   string
		change func(*http.Request)
		status int
		reason string
	}{
		{"another protocol", func(r *http.Request) { r.Header.Set(protocolHeader, "webtransport") }, 501, "the only :protocol"},
		{"a length", func(r *http.Request) { r.ContentLength, r.Body = 1, io.NopCloser(strings.NewReader("x")) }, 400, "length"},
		{"nothing to come", func(r *http.Request) { r.Body = nil }, 400, "open"},
		{"no version", func(r *http.Request) { r.Header.Del("Sec-Websocket-Version") }, 400, "Sec-WebSocket-Version"},
		{"version 8", func(r *http.Request) { r.Header.Set("Sec-Websocket-Version", "8") }, 426, "version 13"},
		{"the wrong subprotocol", func(r *http.Request) { r.Header.Set("Sec-Websocket-Protocol", "chat") }, 400, "allowed: binary"},
		{"policy", func(r *http.Request) { r.URL.Path = "/forbidden" }, 403, "not for you"},
		{"one too many", nil, 503, "too many sessions"},
	} {
		answer, c := r.ask2(r.shared, tc.change)
		if body, err := io.ReadAll(c); answer.StatusCode != tc.status || !strings.Contains(string(body), tc.reason) || err != nil {
			t.Errorf("%s: %s %q, %v", tc.name, answer.Status, body, err)
		}
		if answer.Header["Connection"] != nil || answer.Header["Upgrade"] != nil {
			t.Errorf("%s: %v", tc.name, answer.Header)
		}
	}
	if state := r.shared.State(); state.Closing || state.Closed {
		t.Errorf("%+v", state)
	}
	first.send("still here")
	readN(t, target, 10)
}

// What has no upgrade needs none: pages come over the same connection, and what
// a client sends along with a GET is not kept.
func TestPagesOverHTTP2(t *testing.T) {
	r := startRig2(t, func(s *Server) {
		s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			said, _ := io.ReadAll(r.Body)
			io.WriteString(w, r.Proto+" "+string(said))
		})
	})
	r.pair()
	for method, want := range map[string]string{"GET": "HTTP/2.0 ", "POST": "HTTP/2.0 hello"} {
		request, _ := http.NewRequest(method, "https://bridge/", strings.NewReader("hello"))
		answer, err := r.shared.RoundTrip(request)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := io.ReadAll(answer.Body); string(got) != want {
			t.Errorf("%s: %q, want %q", method, got, want)
		}
	}
}

// recorded notes the last deadline.
type recorded struct {
	http.ResponseWriter
	deadline time.Time
}

func (w *recorded) Write(p []byte) (int, error)        { return len(p), nil }
func (w *recorded) FlushError() error                  { return nil }
func (w *recorded) SetWriteDeadline(t time.Time) error { w.deadline = t; return nil }

// A page that says something now and then has no deadline to meet in between:
// net/http would reset its stream.
func TestNoDeadlineBetweenTwoWritesOverHTTP2(t *testing.T) {
	for _, shared := range []bool{true, false} {
		w := &recorded{}
		p := &patient{w, http.NewResponseController(w), shared}
		p.Write([]byte("now"))
		http.NewResponseController(p).Flush()
		if w.deadline.IsZero() != shared {
			t.Errorf("over HTTP/2 %v: %v", shared, w.deadline)
		}
	}
}

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
	closed := listenTCP(t)
	closed.Close()
	r := startRig2(t, func(s *Server) { s.Route = to(dialTo{closed.Addr()}) })
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
