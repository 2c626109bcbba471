package bridge

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"

	"github.com/gobwas/ws"

	"github.com/wsbridge/wsbridge/frame"
)

// ending is why a session ended: which side ended it, the close code that went
// (or came) over the wire, and the reason a person reads, which is also the
// reason in the Close frame and in the log.
type ending struct {
	by     string // "client", "target" or "bridge"
	code   ws.StatusCode
	reason string
	brief  bool // nobody is left to be patient for: end soon
}

// The close table: every way a session ends. docs/close-codes.md says the same
// to users, and a test compares the two.
var (
	endClientClosed   = ending{by: "client", code: 0, reason: "client closed"} // with the client's own code
	endClientVanished = ending{by: "client", code: 1006, reason: "client vanished", brief: true}
	endClientReset    = ending{by: "client", code: 1006, reason: "client reset", brief: true}
	endProtocol       = ending{by: "client", code: 1002, reason: "protocol error", brief: true} // with the breach as reason
	endPayload        = ending{by: "client", code: 1007, reason: "bad payload", brief: true}    // with the breach as reason

	endTargetClosed      = ending{by: "target", code: 1000, reason: "target closed"}
	endTargetReset       = ending{by: "target", code: 1011, reason: "target reset"}
	endTargetRefused     = ending{by: "target", code: 1011, reason: "target refused the connection"}
	endTargetUnknown     = ending{by: "target", code: 1011, reason: "target name not found"}
	endTargetTimeout     = ending{by: "target", code: 1011, reason: "target did not answer in time"}
	endTargetUnreachable = ending{by: "target", code: 1011, reason: "target unreachable"}
	endTargetFailed      = ending{by: "target", code: 1011, reason: "target failed"}
	endTargetTold        = ending{by: "target", code: 1011, reason: "its own reason"} // which takes the place of these words
	endTargetNotText     = ending{by: "target", code: 1011, reason: "target sent bytes that are not UTF-8 text"}

	endHeartbeat = ending{by: "bridge", code: 1011, reason: "client answered none of two pings", brief: true}
	endIdle      = ending{by: "bridge", code: 1001, reason: "session idle"}
	endKilled    = ending{by: "bridge", code: 1001, reason: "ended by the administrator"}
	endNoFiles   = ending{by: "bridge", code: 1013, reason: "bridge has too many open files"}
	endForbidden = ending{by: "bridge", code: 1008, reason: "no longer allowed"}
	endMemory    = ending{by: "bridge", code: 1013, reason: "bridge short of memory", brief: true}
	endShutdown  = ending{by: "bridge", code: 1001, reason: "bridge shutting down"}
)

// closeFrame is the Close frame that says why to the client: its own code, or
// that of the close table. It is nil when there is nobody to say it to.
func closeFrame(why ending) []byte {
	switch {
	case why.by == endClientClosed.by && why.reason == endClientClosed.reason:
		return frame.AppendClose(nil, why.code, "")
	case why.code == ws.StatusAbnormalClosure:
		return nil
	}
	return frame.AppendClose(nil, why.code, why.reason)
}

// dialEnding names what kept a target from being reached.
func dialEnding(err error) ending {
	var dns *net.DNSError
	if end, ok := explained(err); ok {
		return end
	}
	switch {
	case noFiles(err):
		return endNoFiles
	case errors.As(err, &dns) && !dns.IsTimeout:
		return endTargetUnknown
	case errors.Is(err, syscall.ECONNREFUSED):
		return endTargetRefused
	case timedOut(err):
		return endTargetTimeout
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return endTargetUnreachable
	case errors.Is(err, context.Canceled):
		return endShutdown
	}
	return endTargetFailed
}

// noFiles is when the process, or the system, has no descriptor left.
func noFiles(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}

// explained takes the reason of an error that can be told to the client.
func explained(err error) (end ending, ok bool) {
	var told interface{ CloseReason() string }
	if !errors.As(err, &told) {
		return ending{}, false
	}
	end = endTargetTold
	end.reason = told.CloseReason()
	return end, true
}

func timedOut(err error) bool {
	var t interface{ Timeout() bool }
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) ||
		errors.As(err, &t) && t.Timeout()
}

// targetEnding names the end of a target that did not just close.
func targetEnding(err error) ending {
	if end, ok := explained(err); ok {
		return end
	}
	if isReset(err) {
		return endTargetReset
	}
	return endTargetFailed
}

// clientEnding names the loss of a client that sent no Close frame.
func clientEnding(err error) ending {
	if isReset(err) {
		return endClientReset
	}
	return endClientVanished
}

func isReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// breach names what was wrong with a client's frames.
func breach(err error) ending {
	end := endProtocol
	var wrong *frame.Error
	if errors.As(err, &wrong) {
		if wrong.Code == endPayload.code {
			end = endPayload
		}
		end.reason = wrong.Reason
	}
	return end
}
