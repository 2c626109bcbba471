package gateway_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/wsbridge/wsbridge/gateway"
	"github.com/wsbridge/wsbridge/message"
	"github.com/wsbridge/wsbridge/target"
)

func TestWSO04ToAWebSocketAndBack(t *testing.T) {
	r := newRig(t, echo, nil)
	c := r.connect("/websocket")
	c.say(`{"sample message":"test"}`)
	c.hear(`{"sample message":"test"}`)
	if q := r.asked(0); q.URL.RequestURI() != "/up?secret=1" || r.route.String() != strings.Replace(r.up.URL, "http", "ws", 1)+"/up" {
		t.Errorf("the target was asked for %s, the log says %s", q.URL, r.route)
	}
	c.Close(ws.StatusNormalClosure, "bye")
	c.wantClose(1000, "")
	r.wantEnding(gateway.Ending{By: "client", Code: 1000, Reason: "client closed"})
}

// TestMessagesCrossUnchanged: of any size and kind, in order, both ways at once.
func TestMessagesCrossUnchanged(t *testing.T) {
	r := newRig(t, echo, nil)
	c := r.connect("/")
	random := rand.New(rand.NewPCG(5, 6))
	sizes := []int{0, 1, 125, 126, 65535, 65536, 1 << 20}
	for range 200 {
		sizes = append(sizes, random.IntN(20_000))
	}
	var sums [][sha256.Size]byte
	sent := make(chan struct{})
	var data [][]byte
	for i, size := range sizes {
		data = append(data, bytes.Repeat([]byte{'a' + byte(i%26)}, size))
		sums = append(sums, sha256.Sum256(data[i]))
	}
	go func() {
		defer close(sent)
		for i := range data {
			c.Write(message.Message{Text: i%2 == 0, Data: data[i]})
		}
	}()
	for i, sum := range sums {
		m, err := c.Read()
		if err != nil || m.Text != (i%2 == 0) || sha256.Sum256(m.Data) != sum {
			t.Fatalf("message %d of %d bytes: text %v, %d bytes, %v", i, sizes[i], m.Text, len(m.Data), err)
		}
	}
	<-sent
}

func TestWSO16CloseCodesCross(t *testing.T) {
	for _, code := range []int{1000, 1001, 1002, 1003, 1005, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 4000, 4999} {
		reason := "why"
		if code == 1005 {
			reason = ""
		}
		heard := make(chan *message.CloseError, 1)
		r := newRig(t, func(c *message.Conn) {
			_, err := c.Read()
			var closed *message.CloseError
			errors.As(err, &closed)
			heard <- closed
			c.Close(closed.Code, "")
		}, nil)
		c := r.connect("/")
		c.Close(ws.StatusCode(code), reason)
		if closed := <-heard; int(closed.Code) != code || closed.Reason != reason {
			t.Errorf("the target heard %+v, want %d %q", closed, code, reason)
		}
		c.wantClose(code, "")

		r = newRig(t, func(c *message.Conn) { c.Close(ws.StatusCode(code), reason) }, nil)
		r.connect("/").wantClose(code, reason)
		r.wantEnding(gateway.Ending{By: "target", Code: code, Reason: reason})
	}
}

// TestNothingIsLostAtTheEnd: what either side said before its Close arrives.
func TestNothingIsLostAtTheEnd(t *testing.T) {
	var heard []string
	r := newRig(t, func(c *message.Conn) {
		for {
			m, err := c.Read()
			if err != nil {
				c.Write(message.Message{Text: true, Data: []byte("last words")})
				c.Close(ws.StatusNormalClosure, "")
				return
			}
			heard = append(heard, string(m.Data))
		}
	}, nil)
	c := r.connect("/")
	for _, text := range []string{"one", "two", "three"} {
		c.say(text)
	}
	c.Close(ws.StatusNormalClosure, "")
	c.hear("last words")
	c.wantClose(1000, "")
	r.wantEnding(gateway.Ending{By: "client", Code: 1000, Reason: "client closed"})
	if !slices.Equal(heard, []string{"one", "two", "three"}) {
		t.Errorf("the target heard %q", heard)
	}
}

func TestTheTargetVanishes(t *testing.T) {
	r := newRig(t, func(c *message.Conn) { c.Cut() }, nil)
	r.connect("/").wantClose(1001, "target closed without a Close frame")
}

func TestTheClientVanishes(t *testing.T) {
	for reason, leave := range map[string]func(*client){
		"client vanished": func(c *client) { c.Cut() },
		"client reset":    func(c *client) { c.up.Conn.(*net.TCPConn).SetLinger(0); c.Cut() },
	} {
		heard := make(chan error, 1)
		r := newRig(t, func(c *message.Conn) {
			_, err := c.Read()
			heard <- err
		}, nil)
		leave(r.connect("/"))
		r.wantEnding(gateway.Ending{By: "client", Code: 1006, Reason: reason})
		if err := <-heard; err == nil || err.Error() != "closed with 1001: "+reason {
			t.Errorf("the target heard %v", err)
		}
	}
}

func TestATargetThatBreaksTheProtocol(t *testing.T) {
	r := newRig(t, func(c *message.Conn) { c.WriteFrames([]byte{0x83, 0}, 1, 0) }, nil)
	r.connect("/").wantClose(1014, "target: ")
}

func TestMessagesTooLarge(t *testing.T) {
	for name, story := range map[string]struct {
		serve func(*message.Conn)
		by    string
	}{
		"from the client": {echo, "client"},
		"from the target": {func(c *message.Conn) {
			c.Read()
			c.Write(message.Message{Data: make([]byte, 11)})
			c.Read()
		}, "target"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, story.serve, func(rt *gateway.Route) { rt.MaxBytes = 10 })
			c := r.connect("/")
			if story.by == "client" {
				c.Write(message.Message{Data: make([]byte, 11)})
			} else {
				c.say("go")
			}
			c.wantClose(1009, "message is larger than 10 bytes")
			r.wantEnding(gateway.Ending{By: story.by, Code: 1009, Reason: "message is larger than 10 bytes"})
		})
	}
}

// TestASlowClientSlowsTheTarget instead of filling memory.
func TestASlowClientSlowsTheTarget(t *testing.T) {
	const total = 64 << 20
	wrote := make(chan int, 1)
	r := newRig(t, func(c *message.Conn) {
		c.Expect(time.Now().Add(patience))
		n := 0
		for ; n < total; n += 1 << 20 {
			if c.Write(message.Message{Data: make([]byte, 1<<20)}) != nil {
				break
			}
			select {
			case wrote <- n:
			default:
			}
		}
		c.Close(ws.StatusNormalClosure, "")
		c.Read()
	}, nil)
	c := r.connect("/")
	<-wrote
	for got := 0; got < total; {
		m, err := c.Read()
		if err != nil {
			t.Fatal(err)
		}
		got += len(m.Data)
	}
	c.wantClose(1000, "")
}

func TestWSO15BackendDown(t *testing.T) {
	l, _ := net.Listen("tcp", "127.0.0.1:0")
	l.Close()
	down, _ := target.ParseWebSocket("ws://"+l.Addr().String(), target.Options{})
	silent, _ := net.Listen("tcp", "127.0.0.1:0")
	defer silent.Close()
	mute, _ := target.ParseWebSocket("ws://"+silent.Addr().String(), target.Options{Timeout: 50 * time.Millisecond})
	for name, story := range map[string]struct {
		to     target.WebSocket
		status int
		words  string
	}{
		"refused": {down, http.StatusBadGateway, "target refused the connection"},
		"silent":  {mute, http.StatusGatewayTimeout, "target did not answer in time"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, echo, func(rt *gateway.Route) { rt.Target = story.to })
			_, err := r.dial("/", nil)
			wantRefusal(t, err, story.status, story.words)
			r = newRig(t, echo, func(rt *gateway.Route) { rt.Target, rt.AcceptFirst = story.to, true })
			r.connect("/").wantClose(1014, story.words)
		})
	}
}

func TestABackendThatRefuses(t *testing.T) {
	plain := http.NewServeMux()
	r := newRig(t, echo, nil)
	r.handler = plain.ServeHTTP // 404
	_, err := r.dial("/", nil)
	wantRefusal(t, err, http.StatusBadGateway, "404")
}

func TestWSO17OnlyListedHeadersCross(t *testing.T) {
	r := newRig(t, echo, func(rt *gateway.Route) {
		rt.ForwardHeaders = []string{"authorization", "Cookie", "Origin", "Sec-WebSocket-Key", "Connection"}
		rt.SetHeaders = http.Header{"X-From": {"bridge"}}
		rt.Forwarded = true
	})
	c, err := r.dial("/", func(to *target.WebSocket) {
		to.Header = http.Header{"Authorization": {"Bearer x"}, "Cookie": {"a=b", "c=d"}, "X-Other": {"no"}, "Origin": {"https://o"}}
	})
	if err != nil {
		t.Fatal(err)
	}
	c.say("x")
	c.hear("x")
	h := r.asked(0).Header
	for name, want := range map[string]string{"Authorization": "Bearer x", "Cookie": "a=b;c=d", "X-Other": "", "Origin": "https://o", "X-From": "bridge", "X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "http", "X-Forwarded-Host": strings.TrimPrefix(r.door.URL, "http://")} {
		if got := strings.Join(h.Values(name), ";"); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestSubprotocols(t *testing.T) {
	for name, story := range map[string]struct {
		set     func(*gateway.Route)
		offered []string
		choose  string // the target's
		onward  string
		answer  string
	}{
		"none":                       {nil, nil, "", "", ""},
		"the target chooses":         {nil, []string{"a", "b"}, "b", "a, b", "b"},
		"the target chooses none":    {nil, []string{"a"}, "", "a", ""},
		"only some may pass":         {func(rt *gateway.Route) { rt.Subprotocols = []string{"b", "c"} }, []string{"a", "b"}, "b", "b", "b"},
		"accept first":               {func(rt *gateway.Route) { rt.AcceptFirst = true }, []string{"a", "b"}, "a", "a, b", "a"},
		"no token at all, as WSO2's": {nil, []string{"synapse(contentType='application/json')"}, "synapse(contentType='application/json')", "synapse(contentType='application/json')", "synapse(contentType='application/json')"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, echo, story.set)
			r.choose = story.choose
			q := make(chan string, 1)
			r.handler = func(w http.ResponseWriter, req *http.Request) {
				q <- strings.Join(req.Header.Values("Sec-WebSocket-Protocol"), ", ")
				r.target(w, req)
			}
			c := r.connect("/", story.offered...)
			c.say("x")
			c.hear("x")
			if onward := <-q; onward != story.onward || c.up.Subprotocol != story.answer {
				t.Errorf("the target was offered %q, the client got %q", onward, c.up.Subprotocol)
			}
		})
	}
}

func TestStrictSubprotocol(t *testing.T) {
	r := newRig(t, echo, func(rt *gateway.Route) { rt.StrictSubprotocol = true })
	_, err := r.dial("/", func(to *target.WebSocket) { to.Subprotocols = []string{"a"} })
	wantRefusal(t, err, http.StatusBadGateway, "none of the offered")
}

func wantRefusal(t *testing.T, err error, status int, words string) {
	t.Helper()
	var refused *target.HandshakeError
	if !errors.As(err, &refused) || refused.Status != status || !strings.Contains(string(refused.Body), words) {
		t.Errorf("%v; want %d and %q", err, status, words)
	}
}

func TestWSO19ControlFramesCrossWhenAsked(t *testing.T) {
	pings := make(chan string, 10)
	serve := func(c *message.Conn) { echo(c) }
	r := newRig(t, serve, func(rt *gateway.Route) { rt.PassControl = true })
	r.handler = func(w http.ResponseWriter, q *http.Request) {
		conn, early := upgraded(t, w, q, "")
		var c *message.Conn
		c = message.New(conn, message.Options{Early: early, Control: func(op ws.OpCode, p []byte) {
			pings <- string(p)
			c.Pong(p)
		}})
		r.serving.Go(func() { echo(c); c.Finish(time.Now().Add(time.Second)) })
	}
	c := r.connect("/")
	c.Ping([]byte("across"))
	c.say("x")
	c.hear("x")
	if got := <-pings; got != "across" {
		t.Errorf("the target was pinged with %q", got)
	}
}

// TestShutdownIsToldToTheTarget: the bridge gives the client up, the target
// hears why.
func TestShutdownIsToldToTheTarget(t *testing.T) {
	heard := make(chan error, 1)
	r := newRig(t, func(c *message.Conn) { _, err := c.Read(); heard <- err }, nil)
	admitted := make(chan *message.Conn, 1)
	r.door.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		visit, err := r.route.Admit(q)
		if err != nil {
			t.Error(err)
			return
		}
		conn, _ := upgraded(t, w, q, "")
		c := message.New(conn, visit.Options())
		admitted <- c
		r.serving.Go(func() { r.ended <- visit.Serve(c); c.Cut() })
	})
	r.connect("/")
	(<-admitted).GiveUp(errors.New("bridge shutting down"), time.Now().Add(time.Second))
	r.wantEnding(gateway.Ending{By: "bridge", Code: 1001, Reason: "bridge shutting down"})
	if err := <-heard; err == nil || err.Error() != "closed with 1001: bridge shutting down" {
		t.Errorf("the target heard %v", err)
	}
}

// TestAClientThatLeavesEarly costs the target nothing.
func TestAClientThatLeavesEarly(t *testing.T) {
	heard := make(chan error, 1)
	r := newRig(t, func(c *message.Conn) { _, err := c.Read(); heard <- err }, nil)
	q, _ := http.NewRequest(http.MethodGet, r.door.URL, nil)
	visit, err := r.route.Admit(q)
	if err != nil {
		t.Fatal(err)
	}
	visit.Leave()
	if err := <-heard; err == nil || err.Error() != "closed with 1001: client left" {
		t.Errorf("the target heard %v", err)
	}
}

// TestEarlyBytesOfTheTarget: what it says along with its 101 arrives.
func TestEarlyBytesOfTheTarget(t *testing.T) {
	r := newRig(t, echo, nil)
	r.handler = func(w http.ResponseWriter, q *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
			target.Accept(q.Header.Get("Sec-WebSocket-Key")) + "\r\n\r\n\x81\x05early\x88\x02\x03\xe8")
		rw.Flush()
		rw.ReadByte() // the answer to the Close
	}
	c := r.connect("/")
	c.hear("early")
	c.wantClose(1000, "")
}
