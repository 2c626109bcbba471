package frame

import (
	"encoding/binary"

	"github.com/gobwas/ws"
)

// HeaderRoom is the longest header a server sends: leave it free in front of a
// payload and Prepend needs no copy.
const HeaderRoom = 10

// Compressed, or'ed to a message's opcode, says that its payload is compressed
// (RFC 7692, 6).
const Compressed ws.OpCode = 0x40

// Prepend makes buf[HeaderRoom:HeaderRoom+n] one final, unmasked frame: it
// writes the header right before the payload and returns header and payload.
func Prepend(buf []byte, op ws.OpCode, n int) []byte {
	var head [HeaderRoom]byte
	h := AppendHeader(head[:0], op, n)
	start := HeaderRoom - len(h)
	copy(buf[start:], h)
	return buf[start : HeaderRoom+n]
}

// AppendHeader appends the header of a final, unmasked frame of n payload bytes.
func AppendHeader(dst []byte, op ws.OpCode, n int) []byte {
	first := 0x80 | byte(op)
	switch {
	case n < 126:
		return append(dst, first, byte(n))
	case n <= 0xffff:
		return append(dst, first, 126, byte(n>>8), byte(n))
	default:
		return binary.BigEndian.AppendUint64(append(dst, first, 127), uint64(n))
	}
}

// AppendControl appends an unmasked ping, pong or close; payload beyond 125
// bytes is a mistake of the caller and is cut.
func AppendControl(dst []byte, op ws.OpCode, payload []byte) []byte {
	payload = payload[:min(len(payload), ws.MaxControlFramePayloadSize)]
	return append(append(dst, 0x80|byte(op), byte(len(payload))), payload...)
}
