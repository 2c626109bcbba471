package frame

import (
	"encoding/binary"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// StatusBadGateway, StatusServiceRestart and StatusTryAgainLater are registered
// with IANA after RFC 6455; gobwas/ws does not know them.
const (
	StatusServiceRestart ws.StatusCode = 1012
	StatusTryAgainLater  ws.StatusCode = 1013
	StatusBadGateway     ws.StatusCode = 1014
)

const maxReason = ws.MaxControlFramePayloadSize - 2

// closeEvent reads the body of a Close frame (RFC 6455, 5.5.1 and 7.4).
func closeEvent(body []byte) (Event, error) {
	switch {
	case len(body) == 0:
		return Event{Kind: Close, Code: ws.StatusNoStatusRcvd}, nil
	case len(body) == 1:
		return Event{}, &Error{ws.StatusProtocolError, "close frame with half a status code"}
	}
	code := ws.StatusCode(binary.BigEndian.Uint16(body))
	if !ValidCloseCode(code) {
		return Event{}, &Error{ws.StatusProtocolError, "close frame with a status code that may not be sent"}
	}
	if !utf8.Valid(body[2:]) {
		return Event{}, &Error{ws.StatusInvalidFramePayloadData, "close reason is not valid UTF-8"}
	}
	return Event{Kind: Close, Code: code, Reason: string(body[2:])}, nil
}

// ValidCloseCode tells whether code may stand in a Close frame: defined by RFC
// 6455 7.4.1, registered since (1012-1014), or for applications (3000-4999).
func ValidCloseCode(code ws.StatusCode) bool {
	switch {
	case code >= StatusServiceRestart && code <= StatusBadGateway:
		return true
	case code >= 3000 && code <= 4999:
		return true
	}
	return ws.CheckCloseFrameData(code, "") == nil && code < 1012 && code >= 1000
}

// AppendClose appends a server's Close frame. Code 1005 gives an empty body; a
// reason over 123 bytes is cut at a rune.
func AppendClose(dst []byte, code ws.StatusCode, reason string) []byte {
	if code == ws.StatusNoStatusRcvd {
		return AppendControl(dst, ws.OpClose, nil)
	}
	for len(reason) > maxReason {
		_, size := utf8.DecodeLastRuneInString(reason)
		reason = reason[:len(reason)-size]
	}
	dst = append(dst, 0x80|byte(ws.OpClose), byte(2+len(reason)))
	dst = binary.BigEndian.AppendUint16(dst, uint16(code))
	return append(dst, reason...)
}
