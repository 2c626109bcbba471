package gateway

import (
	"cmp"
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/gobwas/ws"

	"github.com/wsbridge/wsbridge/content"
	"github.com/wsbridge/wsbridge/hub"
	"github.com/wsbridge/wsbridge/message"
	"github.com/wsbridge/wsbridge/target"
)

// briefTimeout is how long a target may take to leave after its session.
const briefTimeout = 2 * time.Second

// Visit is one client at a Route, and its own connection to the target.
type Visit struct {
	route       *Route
	request     target.WebSocket // the target, as this client asks for it
	subprotocol string           // answered to the client
	contentType string
	meta        content.Meta

	dial   time.Duration
	chosen string // by the target; AcceptFirst: in its stead
	client *message.Conn
	target *message.Conn // nil until reached
	member *hub.Member   // nil without broadcast
}

// errTargetEnded makes the client's side return after the target's.
var errTargetEnded = errors.New("target ended")

// Subprotocol is what the client's handshake is answered with.
func (v *Visit) Subprotocol() string { return v.subprotocol }

// Options is how the client is to be carried.
func (v *Visit) Options() message.Options {
	o := message.Options{MaxBytes: v.route.MaxBytes}
	if v.route.PassControl {
		o.Control = v.toTargetControl
	}
	return o
}

// Leave gives the target and the group back for a client that never was served.
func (v *Visit) Leave() { v.abandon(1001, "client left") }

func (v *Visit) abandon(code ws.StatusCode, why string) {
	if v.target != nil {
		v.target.Close(code, why)
		v.target.Finish(time.Now().Add(briefTimeout))
	}
	if v.member != nil {
		v.member.Leave()
	}
}

func (v *Visit) String() string { return v.route.String() }

// Serve carries messages both ways until either side ends, then ends the
// target's side. What is to be said to the client is in the Ending.
func (v *Visit) Serve(client *message.Conn) Ending {
	v.client = client
	if end := v.begin(); end != nil {
		return *end
	}
	end := v.carry()
	end.Dial = v.dial
	return end
}

// begin has the target reached and gives the client what its group has said; nil:
// go on. It is apart from Serve, whose stack is kept while nobody says anything.
func (v *Visit) begin() *Ending {
	if v.member != nil {
		v.member.Attach(v.client)
	}
	if v.target == nil {
		if err := v.reach(context.Background()); err != nil {
			v.route.log().Debug("cannot reach target", "target", v.String(), "err", err)
			v.leave()
			return &Ending{By: "target", Code: 1014, Reason: words(err), Dial: v.dial}
		}
	}
	v.route.counters.sessions.Add(1)
	return nil
}

// carry returns how the session ended, when both directions have.
func (v *Visit) carry() Ending {
	ends := make(chan ending, 2)
	var toClient sync.WaitGroup
	toClient.Go(func() {
		end := v.toClient().run()
		ends <- end // before the other direction can end of it
		v.releaseClient(end)
	})
	end := v.toTarget().run()
	ends <- end
	v.releaseTarget(end)
	toClient.Wait()
	one, other := <-ends, <-ends
	if one.weak && !other.weak {
		one = other
	}
	v.leave()
	v.target.Close(one.told.Code, one.told.Reason)
	v.target.Finish(time.Now().Add(briefTimeout))
	if one.By == "client" && one.closed && other.closed {
		one.Answer = &message.CloseError{Code: ws.StatusCode(other.Code), Reason: other.Reason}
	}
	return one.Ending
}

// releaseClient makes the client's direction end after the target's: at once,
// or, when it is the client that takes no more, after its last words.
func (v *Visit) releaseClient(end ending) {
	if end.weak {
		v.client.Expect(time.Now().Add(briefTimeout))
		return
	}
	v.client.GiveUp(errTargetEnded, time.Now().Add(v.route.endTimeout()))
}

// releaseTarget says Close to the target for a client that ended, and gives it
// time to say its last. A target that takes no more may have said much that its
// client, a slow one, has yet to read.
func (v *Visit) releaseTarget(end ending) {
	patience := briefTimeout
	if end.weak && end.By == "target" || end.Reason == "client closed" {
		patience = v.route.endTimeout()
	}
	v.target.Expect(time.Now().Add(patience))
	if !end.weak && end.Reason != errTargetEnded.Error() {
		v.target.Close(end.told.Code, end.told.Reason)
	}
}

// join makes the client a member of its broadcast group.
func (v *Visit) join() (err error) {
	if v.route.Broadcast == Self {
		return nil
	}
	host, port, _ := net.SplitHostPort(v.meta.Client)
	if v.member, err = v.route.Hub.Join(host, port); err != nil {
		return err
	}
	return v.member.Open(v.group())
}

func (v *Visit) group() string { return v.route.Name + " " + v.meta.Path }

func (v *Visit) leave() {
	if v.member != nil {
		v.member.Drain(v.route.endTimeout())
		v.member.Leave()
	}
}

func (v *Visit) toTargetControl(op ws.OpCode, payload []byte) { control(v.target, op, payload) }
func (v *Visit) toClientControl(op ws.OpCode, payload []byte) { control(v.client, op, payload) }

func control(to *message.Conn, op ws.OpCode, payload []byte) {
	if op == ws.OpPing {
		to.Ping(payload)
	} else {
		to.Pong(payload)
	}
}

// toTarget is the direction client -> target.
func (v *Visit) toTarget() *direction {
	meta := v.meta
	meta.Direction = "in"
	return &direction{
		v: v, from: v.client, pipeline: v.route.In, meta: meta, by: "client",
		send: v.target.Write, ended: clientEnded, failed: targetEnded,
	}
}

// toClient is the direction target -> client.
func (v *Visit) toClient() *direction {
	meta := v.meta
	meta.Direction = "out"
	meta.ContentType = cmp.Or(v.route.In.Result(meta.ContentType), meta.ContentType)
	return &direction{
		v: v, from: v.target, pipeline: v.route.Out, meta: meta, by: "target",
		send: v.answer, ended: targetEnded, failed: clientEnded,
	}
}

// answer gives a target's message to the client, or to its group.
func (v *Visit) answer(m message.Message) error {
	if v.member == nil {
		return v.client.Write(m)
	}
	v.member.Send(m, v.route.Broadcast == All, v.group())
	return nil
}
