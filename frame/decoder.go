// Package frame holds the wire formats of WebSocket (RFC 6455) without any
// input or output: bytes in, events out. It imports no net, starts no
// goroutine and never allocates on a length the peer declared, so a goroutine
// or an event loop can drive it.
package frame

import (
	"encoding/binary"

	"github.com/gobwas/ws"
)

// Kind says what an Event is.
type Kind uint8

const (
	None  Kind = iota // nothing yet: every byte was taken, more are needed
	Data              // a piece of a message
	Ping              // answer it with a pong of the same payload
	Pong              // liveness, nothing more
	Close             // the peer's last frame
)

// Event is what a Decoder found in the bytes.
type Event struct {
	Kind Kind
	Text bool // Data: of a text message
	Last bool // Data: the message ends with this piece
	// Compressed: Data: of a compressed message. Nobody has looked whether
	// its text is UTF-8.
	Compressed bool
	// Payload is unmasked. Data: a part of the input, unmasked in place, may
	// be empty. Ping and Pong: at most 125 bytes, perhaps of the input too, valid
	// until the next call.
	Payload []byte
	Code    ws.StatusCode // Close: 1005 when the frame had none
	Reason  string        // Close
}

// Error is a breach of the protocol, with the close code that answers it.
type Error struct {
	Code   ws.StatusCode
	Reason string
}

func (e *Error) Error() string { return e.Reason }

// ErrNotUTF8 is a text message that is none.
var ErrNotUTF8 = &Error{ws.StatusInvalidFramePayloadData, "text is not valid UTF-8"}

// Decoder turns one peer's bytes into events. The zero value reads a client's
// frames, which are masked. It holds less than 256 bytes however long a frame
// says it is, and half of that only for a control frame that comes in pieces: a
// payload is handed out as it arrives.
type Decoder struct {
	// FromServer reads a server's frames, which are not masked.
	FromServer bool
	// Deflate: permessage-deflate was negotiated, so messages may be compressed
	// (RFC 7692, 6). Without it the bit that says so is a breach.
	Deflate bool

	inFrame    bool // a header was read, its payload not yet to its end
	fragmented bool // a message is open
	text       bool // of text
	compressed bool
	closed     bool
	headLen    uint8
	head       [ws.MaxHeaderSize]byte // a header cut by the end of the input
	at         uint8                  // payload bytes of this frame so far, modulo 4, for the mask
	utf8       UTF8Stream
	hdr        ws.Header
	left       int64
	control    []byte // of a control frame that comes in pieces
	err        error
}

// Next takes bytes from p up to and including the first event, and says how
// many it took. An event of Kind None means all of p was taken. After a Close
// event every byte is taken and nothing comes of it (RFC 6455, 5.5.1); after
// an *Error the same error is returned again.
func (d *Decoder) Next(p []byte) (Event, int, error) {
	if d.err != nil {
		return Event{}, 0, d.err
	}
	if d.closed {
		return Event{}, len(p), nil
	}
	n := 0
	if !d.inFrame {
		if n, d.err = d.header(p); d.err != nil || !d.inFrame {
			return Event{}, n, d.err
		}
	}
	ev, m, err := d.payload(p[n:])
	d.err = err
	return ev, n + m, err
}

// header takes header bytes from p; inFrame says that one is complete.
func (d *Decoder) header(p []byte) (n int, err error) {
	for {
		need := headerSize(d.head[:d.headLen])
		if int(d.headLen) == need {
			d.headLen = 0
			return n, d.begin()
		}
		m := copy(d.head[d.headLen:need], p[n:])
		if m == 0 {
			return n, nil
		}
		d.headLen += uint8(m)
		n += m
	}
}

// headerSize is how long the header that starts with h is, as far as h can tell.
func headerSize(h []byte) int {
	if len(h) < ws.MinHeaderSize {
		return ws.MinHeaderSize
	}
	size := ws.MinHeaderSize
	if h[1]&0x80 != 0 {
		size += 4
	}
	switch h[1] & 0x7f {
	case 126:
		size += 2
	case 127:
		size += 8
	}
	return size
}

// begin parses the complete header in head and checks it (RFC 6455, 5.2).
func (d *Decoder) begin() error {
	h := d.head[:]
	d.hdr = ws.Header{Fin: h[0]&0x80 != 0, Rsv: h[0] >> 4 & 7, OpCode: ws.OpCode(h[0] & 0x0f), Masked: h[1]&0x80 != 0}
	size := uint64(h[1] & 0x7f)
	mask := h[2:]
	switch size {
	case 126:
		size, mask = uint64(binary.BigEndian.Uint16(h[2:])), h[4:]
	case 127:
		size, mask = binary.BigEndian.Uint64(h[2:]), h[10:]
	}
	if size>>63 != 0 {
		return &Error{ws.StatusProtocolError, "frame length has its highest bit set"}
	}
	d.hdr.Length = int64(size)
	if d.hdr.Masked {
		copy(d.hdr.Mask[:], mask)
	}
	first := d.hdr.OpCode == ws.OpText || d.hdr.OpCode == ws.OpBinary
	compressed := d.Deflate && first && d.hdr.Rsv == rsv1
	if compressed {
		d.hdr.Rsv = 0
	}
	if err := ws.CheckHeader(d.hdr, d.state()); err != nil {
		return &Error{ws.StatusProtocolError, err.Error()}
	}
	d.inFrame, d.left, d.at = true, d.hdr.Length, 0
	d.control = nil
	if first {
		d.text, d.compressed = d.hdr.OpCode == ws.OpText, compressed
	}
	return nil
}

// rsv1 is the first of a header's three reserved bits.
const rsv1 = 4

func (d *Decoder) state() ws.State {
	s := ws.StateServerSide
	if d.FromServer {
		s = ws.StateClientSide
	}
	if d.fragmented {
		s = s.Set(ws.StateFragmented)
	}
	return s
}

// payload takes what p holds of the open frame's payload.
func (d *Decoder) payload(p []byte) (Event, int, error) {
	n := int(min(int64(len(p)), d.left))
	if n == 0 && d.left > 0 {
		return Event{}, 0, nil
	}
	chunk := p[:n:n]
	if d.hdr.Masked {
		ws.Cipher(chunk, d.hdr.Mask, int(d.at))
	}
	d.at = (d.at + uint8(n)) & 3
	d.left -= int64(n)
	d.inFrame = d.left > 0
	if d.hdr.OpCode.IsControl() {
		return d.controlFrame(chunk)
	}
	ev, err := d.data(chunk)
	return ev, n, err
}

func (d *Decoder) data(chunk []byte) (Event, error) {
	last := d.hdr.Fin && !d.inFrame
	d.fragmented = !d.hdr.Fin || d.fragmented
	if last {
		d.fragmented = false
	}
	if d.text && !d.compressed && !(d.utf8.Feed(chunk) && (!last || d.utf8.Whole())) {
		return Event{}, ErrNotUTF8
	}
	return Event{Kind: Data, Text: d.text, Last: last, Compressed: d.compressed, Payload: chunk}, nil
}

// controlFrame gathers a control frame's payload where it comes in pieces.
func (d *Decoder) controlFrame(chunk []byte) (Event, int, error) {
	payload := chunk
	if d.inFrame || d.control != nil {
		if d.control == nil {
			d.control = make([]byte, 0, d.hdr.Length) // at most 125: begin has looked
		}
		d.control = append(d.control, chunk...)
		payload = d.control
	}
	if d.inFrame {
		return Event{}, len(chunk), nil
	}
	switch d.hdr.OpCode {
	case ws.OpPing:
		return Event{Kind: Ping, Payload: payload}, len(chunk), nil
	case ws.OpPong:
		return Event{Kind: Pong, Payload: payload}, len(chunk), nil
	}
	ev, err := closeEvent(payload)
	d.closed = err == nil
	return ev, len(chunk), err
}
