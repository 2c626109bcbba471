package bridge

import (
	"net/http"
	"time"

	"github.com/wsbridge/wsbridge/message"
)

// Service is the far end of message sessions: a WebSocket behind the bridge, a
// hub. Admit is asked before the handshake is answered and may take its time
// for it; a *Refusal as error is answered as it says.
type Service interface {
	Admit(r *http.Request) (Visit, error)
}

// Visit is one client at a Service.
type Visit interface {
	// Subprotocol is answered in the handshake; empty: none.
	Subprotocol() string
	// Options is how the client is carried. The bridge adds what it alone knows.
	Options() message.Options
	// Serve carries the session until it ends, in a goroutine of its own. The
	// bridge then says Close with what Serve returns, if nobody has, and closes c.
	Serve(c *message.Conn) Ending
	// Leave is called instead of Serve when the client left during the handshake.
	Leave()
	// String names the target in the log.
	String() string
}

// Relay is a target that answers handshakes itself. The context of r ends when
// the bridge shuts down, and its cause says so.
type Relay interface {
	Relay(w http.ResponseWriter, r *http.Request) Ending
	String() string
}

// Ending is how a session of others ended: it becomes the session's log line.
type Ending struct {
	By     string // "client", "target" or "bridge"
	Code   int    // of the Close frame that was, or is to be, sent; 1006: none can be; 0: none of ours
	Reason string
	Dial   time.Duration // to reach the target
	// Answer is the Close frame to send where that is not Code and Reason.
	Answer *message.CloseError

	ToTarget, ToClient int64 // payload bytes; a Visit's are counted by the bridge
}
