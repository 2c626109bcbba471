package gateway

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"

	"github.com/gobwas/ws"

	"github.com/wsbridge/wsbridge/frame"
	"github.com/wsbridge/wsbridge/hub"
	"github.com/wsbridge/wsbridge/message"
)

// refusal is the answer to a client whose target cannot be reached.
func refusal(err error) *Refusal {
	status := http.StatusBadGateway
	if timedOut(err) {
		status = http.StatusGatewayTimeout
	}
	return &Refusal{status, words(err)}
}

// words says to the client why the target cannot be reached.
func words(err error) string {
	var told interface{ CloseReason() string }
	var dns *net.DNSError
	switch {
	case errors.As(err, &told):
		return told.CloseReason()
	case err == errNoSubprotocol:
		return err.Error()
	case timedOut(err):
		return "target did not answer in time"
	case errors.As(err, &dns):
		return "target name not found"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "target refused the connection"
	}
	return "target unreachable"
}

func timedOut(err error) bool {
	var t interface{ Timeout() bool }
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) || errors.As(err, &t) && t.Timeout()
}

// ending is how a session ends, and what the target is told of it.
type ending struct {
	Ending
	told message.CloseError
	// weak: found out by a failing send; what the other side's Read says is
	// closer to the cause.
	weak   bool
	closed bool // by a Close frame of that side
}

// clientEnded is the ending of a session whose client can be read no more.
func clientEnded(err error) ending {
	var closed *message.CloseError
	var breach *frame.Error
	var lost net.Error
	end := Ending{By: "bridge", Code: int(ws.StatusGoingAway), Reason: err.Error()}
	switch {
	case errors.As(err, &closed):
		return ending{Ending: Ending{By: "client", Code: int(closed.Code), Reason: "client closed"}, told: *closed, closed: true}
	case errors.As(err, &breach):
		end = Ending{By: "client", Code: int(breach.Code), Reason: breach.Reason}
	case errors.Is(err, message.ErrUnanswered):
		end = Ending{By: "bridge", Code: int(ws.StatusInternalServerError), Reason: "client answered none of two pings"}
	case errors.Is(err, hub.ErrSlow):
		end = Ending{By: "bridge", Code: int(frame.StatusTryAgainLater), Reason: hub.ErrSlow.Error()}
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		end = Ending{By: "client", Code: int(ws.StatusAbnormalClosure), Reason: "client reset"}
	case errors.Is(err, io.EOF), errors.As(err, &lost):
		end = Ending{By: "client", Code: int(ws.StatusAbnormalClosure), Reason: "client vanished"}
	}
	return ending{Ending: end, told: message.CloseError{Code: ws.StatusGoingAway, Reason: end.Reason}}
}

// targetEnded is the ending of a session whose target can be read no more. A
// code that cannot be sent becomes one that can, see message.Sendable.
func targetEnded(err error) ending {
	var closed *message.CloseError
	var breach *frame.Error
	switch {
	case errors.As(err, &closed):
		end := Ending{By: "target", Code: int(closed.Code), Reason: closed.Reason}
		return ending{Ending: end, told: message.CloseError{Code: closed.Code}, closed: true}
	case errors.As(err, &breach):
		end := Ending{By: "target", Code: int(frame.StatusBadGateway), Reason: "target: " + breach.Reason}
		if breach.Code == ws.StatusMessageTooBig {
			end.Code, end.Reason = int(breach.Code), breach.Reason
		}
		return ending{Ending: end, told: message.CloseError{Code: breach.Code, Reason: breach.Reason}}
	}
	end := Ending{By: "target", Code: int(ws.StatusGoingAway), Reason: "target closed without a Close frame"}
	return ending{Ending: end, told: message.CloseError{Code: ws.StatusGoingAway}}
}

// refused is the ending that a bad message makes; both sides are told.
func refused(by string, code int, reason string) ending {
	return ending{Ending: Ending{By: by, Code: code, Reason: reason}, told: message.CloseError{Code: ws.StatusCode(code), Reason: reason}}
}

// weakly marks the ending of a failed send.
func weakly(end ending) ending {
	end.weak = true
	return end
}
