package bridge

import (
	"testing"
)

func TestEcho(t *testing.T) {
	r := startRig(t, nil)
	client := r.dial("Sec-WebSocket-Protocol: chat, binary")
	if got := client.answer.Header.Get("Sec-WebSocket-Protocol"); got != "binary" {
		t.Errorf("subprotocol %q, want binary", got)
	}
	target := r.accept()
	client.send("hello")
	if got := readN(t, target, 5); got != "hello" {
		t.Errorf("target got %q", got)
	}
	target.Write([]byte("world"))
	if got := client.read(5); got != "world" {
		t.Errorf("client got %q", got)
	}
	client.close(1000, "done")
	if got := readAll(t, target); got != "" {
		t.Errorf("target got %q after the close", got)
	}
	target.Write([]byte("last words"))
	target.Close()
	if got := client.wantClose(1000, ""); got != "last words" {
		t.Errorf("client got %q", got)
	}
	r.wantLog("session ended", "to_target=5", "to_client=15", "code=1000", "by=client", `reason="client closed"`)
}

// A session that a loop has just taken is ended by the loop, and not twice.
func TestCarrierIsAskedToEnd(t *testing.T) {
	c := new(tally)
	s := &session{server: &Server{}, carrier: c}
	s.stop(endKilled)
	s.cut()
	if c.stopped != 1 || c.cuts != 1 || s.ended(endIdle) || s.end != nil {
		t.Errorf("%+v; end %v", c, s.end)
	}
}

// tally is a carrier that counts what it is asked for.
type tally struct{ stopped, cuts int }

func (c *tally) stop(ending) { c.stopped++ }
func (c *tally) cut()        { c.cuts++ }
func (c *tally) askRTT()     {}
