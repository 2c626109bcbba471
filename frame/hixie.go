package frame

import (
	"bytes"

	"github.com/gobwas/ws"
)

// HixieDecoder turns the frames of draft-hixie-thewebsocketprotocol-75 and -76
// (section 4.2) into events, which are Data and, once, Close. Both peers send
// the same frames. It holds a few words, however long a frame says it is.
type HixieDecoder struct {
	// Closing: an empty 0xFF frame is the peer's last, as -76 has it. For -75 it
	// is one of those to be skipped.
	Closing bool

	inside hixiePart
	first  byte   // of a frame with a length
	size   int    // bytes of that length so far
	left   uint64 // the length, then what is left of it to be skipped
	closed bool
	err    error
}

// hixiePart is what the next byte belongs to.
type hixiePart uint8

const (
	hixieType    hixiePart = iota // a frame's first byte
	hixieText                     // the text of an 0x00 frame
	hixieUnknown                  // a frame that ends with 0xFF and is to be skipped
	hixieLength                   // the length of a frame that has one
	hixieSkipped                  // its content, which the drafts throw away
)

const hixieEnd = 0xff

// hixieLengthBytes are 63 bits.
const hixieLengthBytes = 9

// Next is Decoder.Next; text is not held to UTF-8. A payload ends where the
// bytes taken end; the event with Last has none.
func (d *HixieDecoder) Next(p []byte) (ev Event, n int, err error) {
	if d.closed {
		return Event{}, len(p), nil
	}
	for n < len(p) && ev.Kind == None && d.err == nil {
		m := 1
		switch d.inside {
		case hixieType:
			d.begin(p[n])
		case hixieText:
			ev, m = d.text(p[n:])
		case hixieUnknown:
			m = d.unknown(p[n:])
		case hixieLength:
			ev = d.length(p[n])
		case hixieSkipped:
			m = d.skip(p[n:])
		}
		n += m
	}
	return ev, n, d.err
}

// Whole tells whether no frame is open: where the stream may end.
func (d *HixieDecoder) Whole() bool { return d.inside == hixieType && d.err == nil }

func (d *HixieDecoder) begin(first byte) {
	switch {
	case first&0x80 != 0:
		d.inside, d.first, d.size, d.left = hixieLength, first, 0, 0
	case first == 0:
		d.inside = hixieText
	default:
		d.inside = hixieUnknown
	}
}

func (d *HixieDecoder) text(p []byte) (Event, int) {
	n := bytes.IndexByte(p, hixieEnd)
	switch n {
	case 0:
		d.inside = hixieType
		return Event{Kind: Data, Text: true, Last: true}, 1
	case -1:
		n = len(p)
	}
	return Event{Kind: Data, Text: true, Payload: p[:n:n]}, n
}

func (d *HixieDecoder) unknown(p []byte) int {
	n := bytes.IndexByte(p, hixieEnd)
	if n < 0 {
		return len(p)
	}
	d.inside = hixieType
	return n + 1
}

// length takes one byte of a length, seven bits of it.
func (d *HixieDecoder) length(b byte) (ev Event) {
	if d.size == hixieLengthBytes {
		d.err = &Error{ws.StatusProtocolError, "frame length has more than 63 bits"}
		return ev
	}
	d.size++
	d.left = d.left<<7 | uint64(b&0x7f)
	switch {
	case b&0x80 != 0:
	case d.left > 0:
		d.inside = hixieSkipped
	default:
		d.inside = hixieType
		if d.closed = d.Closing && d.first == hixieEnd; d.closed {
			return Event{Kind: Close, Code: ws.StatusNoStatusRcvd}
		}
	}
	return ev
}

func (d *HixieDecoder) skip(p []byte) int {
	n := min(uint64(len(p)), d.left)
	if d.left -= n; d.left == 0 {
		d.inside = hixieType
	}
	return int(n)
}

// HixieRoom must be free behind a payload for WrapHixie.
const HixieRoom = 1

// WrapHixie is Prepend for a text frame of the Hixie drafts: it writes to the
// byte before the payload and to the one behind it. There may be no 0xFF in the
// payload, as there is none in UTF-8.
func WrapHixie(buf []byte, n int) []byte {
	framed := buf[HeaderRoom-1 : HeaderRoom+n+HixieRoom]
	framed[0], framed[len(framed)-1] = 0, hixieEnd
	return framed
}

// AppendHixieClose appends the closing frame of draft 76, which has neither
// code nor reason.
func AppendHixieClose(dst []byte) []byte { return append(dst, hixieEnd, 0) }
