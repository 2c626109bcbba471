package message

import (
	"errors"

	"github.com/gobwas/ws"

	"github.com/wsbridge/wsbridge/frame"
)

// CloseCode says which Close frame answers an error of Read: the peer's own
// code comes back; a breach has its code; a peer that left without a Close, or
// was given up, is told 1001 or 1011, if it can still be told anything.
func CloseCode(err error) (code ws.StatusCode, reason string) {
	var closed *CloseError
	var breach *frame.Error
	switch {
	case errors.As(err, &closed):
		return closed.Code, ""
	case errors.As(err, &breach):
		return breach.Code, breach.Reason
	case errors.Is(err, ErrIdle):
		return ws.StatusGoingAway, err.Error()
	case err == nil:
		return ws.StatusNormalClosure, ""
	}
	return ws.StatusInternalServerError, err.Error()
}

// Sendable is code as a Close frame may carry it. 1006 and 1015 never travel
// (RFC 6455, 7.4.1): they say that the other side went away.
func Sendable(code ws.StatusCode) ws.StatusCode {
	if code == ws.StatusNoStatusRcvd || frame.ValidCloseCode(code) {
		return code
	}
	return ws.StatusGoingAway
}
