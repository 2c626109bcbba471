//go:build unix

package bridge

import (
	"crypto/tls"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/wsbridge/wsbridge/frame"
	"github.com/wsbridge/wsbridge/message"
)

// parrot is a service that says every message again; "leave" makes it end the
// session.
type parrot struct {
	refusal error
	options message.Options
}

func (p parrot) Admit(*http.Request) (Visit, error) { return p, p.refusal }
func (p parrot) Subprotocol() string                { return "parrot" }
func (p parrot) Options() message.Options           { return p.options }
func (p parrot) Leave()                             {}
func (p parrot) String() string                     { return "parrot:" }

func (p parrot) Serve(c *message.Conn) Ending {
	for {
		m, err := c.Read()
		var closed *message.CloseError
		switch {
		case errors.As(err, &closed):
			return Ending{By: "client", Code: int(closed.Code), Reason: "client closed", Dial: time.Millisecond}
		case err != nil:
			code, reason := message.CloseCode(err)
			return Ending{By: "client", Code: int(code), Reason: reason}
		case string(m.Data) == "leave":
			return Ending{By: "target", Code: 4001, Reason: "as you wish"}
		}
		c.Write(m)
	}
}

// parrots is a bridge to one: plain, over TLS, over HTTP/2.
func parrots(t *testing.T, p parrot, set func(*Server), story func(t *testing.T, r *rig)) {
	for _, kind := range []string{"plain", "tls", "h2"} {
		t.Run(kind, func(t *testing.T) {
			r := startRig(t, func(s *Server) {
				s.Route = func(*http.Request) (Route, error) { return Route{Service: p, User: "ann"}, nil }
				s.TLS = &tls.Config{Certificates: []tls.Certificate{selfSigned(t)}, NextProtos: []string{"h2", "http/1.1"}}
				if set != nil {
					set(s)
				}
			})
			r.secure, r.http2 = kind == "tls", kind == "h2"
			story(t, r)
		})
	}
}

func TestMessagesReachAService(t *testing.T) {
	parrots(t, parrot{}, nil, func(t *testing.T, r *rig) {
		c := r.dial("Sec-WebSocket-Protocol: other, parrot")
		if got := c.answer.Header.Get("Sec-WebSocket-Protocol"); got != "parrot" {
			t.Errorf("subprotocol %q", got)
		}
		c.raw(masked(ws.OpText, false, "in two ") + masked(ws.OpContinuation, true, "pieces") + masked(ws.OpBinary, true, strings.Repeat("x", 100_000)))
		if ev, err := c.event(); err != nil || !ev.Text || !ev.Last || string(ev.Payload) != "in two pieces" {
			t.Errorf("%+v, %v", ev, err)
		}
		if got := c.read(100_000); got != strings.Repeat("x", 100_000) {
			t.Error("bytes differ")
		}
		c.close(3000, "enough")
		c.wantClose(3000, "")
		r.wantLog("session ended", "user=ann", "target=parrot:", "subprotocol=parrot", "to_target=100013 to_client=100013", "dial=1ms", "code=3000 by=client", "client closed")
	})
}

func TestAServiceEndsASession(t *testing.T) {
	parrots(t, parrot{}, nil, func(t *testing.T, r *rig) {
		c := r.dial()
		c.send("leave")
		c.wantClose(4001, "as you wish")
		c.close(4001, "")
		r.wantLog("session ended", "code=4001 by=target", "as you wish")
		r.eventually("the slot is free", func() bool { return r.server.Stats().Sessions == 0 })
	})
}

func TestAServiceRefuses(t *testing.T) {
	r := startRig(t, func(s *Server) {
		refusal := &Refusal{Status: http.StatusBadGateway, Reason: "no parrot today"}
		s.Route = func(*http.Request) (Route, error) { return Route{Service: parrot{refusal: refusal}}, nil }
	})
	answer, body := r.ask(request())
	if answer.StatusCode != http.StatusBadGateway || !strings.Contains(body, "no parrot today") {
		t.Errorf("%d %q", answer.StatusCode, body)
	}
	r.eventually("the slot is free", func() bool { return r.server.Stats().Sessions == 0 })
}

func TestABreachInAMessageSession(t *testing.T) {
	parrots(t, parrot{options: message.Options{MaxBytes: 10}}, nil, func(t *testing.T, r *rig) {
		c := r.dial()
		c.send("12345678901")
		c.wantClose(ws.StatusMessageTooBig, "message is larger than 10 bytes")
	})
}

func TestAMessageClientThatVanishes(t *testing.T) {
	parrots(t, parrot{}, nil, func(t *testing.T, r *rig) {
		c := r.dial()
		c.send("hello")
		c.read(5)
		c.conn.Close()
		r.wantLog("session ended", "by=client")
		r.eventually("the slot is free", func() bool { return r.server.Stats().Sessions == 0 })
	})
}

func TestShutdownReachesMessageSessions(t *testing.T) {
	parrots(t, parrot{}, nil, func(t *testing.T, r *rig) {
		c := r.dial()
		done := make(chan error, 1)
		go func() { done <- r.server.Shutdown(t.Context()) }()
		c.wantClose(1001, "bridge shutting down")
		c.close(1001, "")
		if err := <-done; err != nil {
			t.Error(err)
		}
		r.wantLog("session ended", "code=1001 by=bridge")
	})
}

func TestHeartbeatOfAMessageSession(t *testing.T) {
	parrots(t, parrot{}, func(s *Server) { s.Heartbeat = 10 * time.Millisecond }, func(t *testing.T, r *rig) {
		c := r.dial()
		for range 3 {
			if ev, err := c.event(); err != nil || ev.Kind != frame.Ping && ev.Kind != frame.Close {
				t.Fatalf("%+v, %v", ev, err)
			}
		}
		r.wantLog("session ended", "answered none of two pings")
	})
}

// mirror is a relay that answers the handshake and says all bytes again.
type mirror struct{ started chan struct{} }

func (m mirror) String() string { return "mirror:" }

func (m mirror) Relay(w http.ResponseWriter, r *http.Request) Ending {
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return Ending{By: "bridge", Reason: err.Error()}
	}
	defer conn.Close()
	rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nX-Mirror: yes\r\n\r\n")
	rw.Flush()
	close(m.started)
	<-r.Context().Done()
	return Ending{By: "bridge", Reason: "shutting down", ToTarget: 7, ToClient: 8}
}

func TestARelayAnswersByItself(t *testing.T) {
	relay := mirror{make(chan struct{})}
	r := startRig(t, func(s *Server) {
		s.Route = func(*http.Request) (Route, error) { return Route{Relay: relay}, nil }
	})
	c := r.dial()
	if c.answer.Header.Get("X-Mirror") != "yes" {
		t.Errorf("%v", c.answer.Header)
	}
	<-relay.started
	if err := r.server.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	r.wantLog("session ended", "target=mirror:", "to_target=7 to_client=8", "by=bridge", "shutting down")
}
