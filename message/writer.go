package message

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"

	"github.com/wsbridge/wsbridge/deflate"
	"github.com/wsbridge/wsbridge/frame"
)

// ErrClosed says that a Close frame was sent before.
var ErrClosed = errors.New("a Close frame was sent")

// smallFrame is up to where a frame is copied together with its header.
const smallFrame = 4 << 10

// Writer sends whole frames, one at a time. Pings and pongs never wait for a
// data frame that the peer is slow to take: they are left for whoever writes,
// and only the newest pong is kept (RFC 6455, 5.5.3).
type Writer struct {
	conn    net.Conn
	masked  bool
	deflate *deflate.Codec // nil: nothing is compressed
	timeout time.Duration  // for the peer to take a frame; 0: conn's own deadline holds

	mu     sync.Mutex // held while a frame is written
	closed bool
	until  time.Time   // the deadline in force
	last   atomic.Bool // that deadline is the last: no write moves it
	buf    []byte      // header and, if small, payload of the frame being written
	owed   []byte      // of frames that were begun: goes before anything else
	try    *trier      // writes without waiting; nil until asked for

	pong atomic.Pointer[[]byte] // left to send, an unmasked frame
	ping atomic.Bool            // left to send
}

// NewWriter sends to a client. The caller sets the deadlines of conn, and closes
// it.
func NewWriter(conn net.Conn) *Writer { return &Writer{conn: conn} }

// message sends one frame of p, compressed where that was negotiated and pays.
func (w *Writer) message(op ws.OpCode, p []byte) error {
	return w.Exclusive(func() error {
		if w.deflate != nil && !op.IsControl() && !w.closed {
			if packed, ok := w.deflate.Append(nil, p); ok {
				op, p = op|frame.Compressed, packed
			}
		}
		return w.write(op, p)
	})
}

// Whole sends frames as they are.
func (w *Writer) Whole(frames []byte) error {
	return w.Exclusive(func() error { return w.raw(frames) })
}

// Progress is how far frames got without waiting.
type Progress uint8

const (
	Unsent Progress = iota // nothing was sent: somebody else is writing, or waits
	Begun                  // the rest goes before whatever is sent next, by Flush at the latest
	Sent
)

// Try sends frames, which nobody changes any more, as far as the peer takes them
// at once.
func (w *Writer) Try(frames []byte) (Progress, error) {
	if !w.mu.TryLock() {
		return Unsent, nil
	}
	progress, err := w.tryLocked(frames)
	w.mu.Unlock()
	if progress == Sent {
		w.offer()
	}
	return progress, err
}

// tryLocked needs mu.
func (w *Writer) tryLocked(frames []byte) (Progress, error) {
	if w.try == nil {
		w.try = newTrier(w.conn)
	}
	switch {
	case w.closed:
		return Unsent, ErrClosed
	case len(w.owed) > 0 || w.pong.Load() != nil || w.ping.Load():
		return Unsent, nil
	case w.last.Load(): // a deadline is for who waits to see to
		return Unsent, nil
	}
	n, err := w.try.write(frames)
	switch {
	case err != nil || n == 0:
		return Unsent, err
	case n < len(frames):
		w.owed = frames[n:]
		return Begun, nil
	}
	return Sent, nil
}

// Flush waits for the peer to take what was begun.
func (w *Writer) Flush() error {
	return w.Exclusive(func() error { return nil })
}

// Exclusive runs send, which writes one whole frame to the connection, between
// other frames; it is to see to Closed itself.
func (w *Writer) Exclusive(send func() error) error {
	w.mu.Lock()
	err := w.sendLeft()
	if err == nil {
		err = send()
	}
	w.mu.Unlock()
	w.offer()
	return err
}

// write needs mu. A masked payload is scrambled where it lies.
func (w *Writer) write(op ws.OpCode, p []byte) error {
	if w.closed {
		return ErrClosed
	}
	w.buf = frame.AppendHeader(w.buf[:0], op, len(p))
	if w.masked {
		var mask [4]byte
		binary.NativeEndian.PutUint32(mask[:], rand.Uint32())
		w.buf[1] |= 0x80
		w.buf = append(w.buf, mask[:]...)
		ws.Cipher(p, mask, 0)
	}
	if len(p) <= smallFrame {
		w.buf = append(w.buf, p...)
		return w.raw(w.buf)
	}
	w.renew()
	_, err := (&net.Buffers{w.buf, p}).WriteTo(w.conn)
	return err
}

// Closed tells whether a Close frame went before. It is for Exclusive's send.
func (w *Writer) Closed() bool { return w.closed }

// raw needs mu.
func (w *Writer) raw(frames []byte) error {
	if w.closed {
		return ErrClosed
	}
	w.renew()
	_, err := w.conn.Write(frames)
	return err
}

// renew moves the deadline, but not with every frame: it is between three
// quarters of the timeout and all of it away.
func (w *Writer) renew() {
	if w.timeout == 0 {
		return
	}
	now := time.Now()
	if !w.last.Load() && w.until.Sub(now) < w.timeout*3/4 {
		w.until = now.Add(w.timeout)
		w.conn.SetWriteDeadline(w.until)
	}
}

// deadline is the last one: writes fail after it, the one under way too.
func (w *Writer) deadline(until time.Time) {
	w.last.Store(true)
	w.conn.SetWriteDeadline(until)
}

// control sends a ping or a pong between other frames.
func (w *Writer) control(op ws.OpCode, payload []byte) error {
	payload = payload[:min(len(payload), ws.MaxControlFramePayloadSize)]
	return w.message(op, append([]byte(nil), payload...))
}

// SendPongs answers pings, now, or by the newest right after what is being written.
func (w *Writer) SendPongs(pongs frame.Pongs) {
	if len(pongs.Frames()) == 0 {
		return
	}
	if !w.answer(pongs) {
		newest := pongs.Newest()
		w.pong.Store(&newest)
	}
	w.offer()
}

// answer sends all pongs, if nobody else is writing. Why it fails the next who
// writes, or reads, is told.
func (w *Writer) answer(pongs frame.Pongs) bool {
	if !w.mu.TryLock() {
		return false
	}
	defer w.mu.Unlock()
	if len(w.owed) > 0 {
		return false
	}
	w.pong.Store(nil) // one left before may not follow these
	if !w.masked {
		w.raw(pongs.Frames())
		return true
	}
	for payload := range pongs.Payloads() {
		w.write(ws.OpPong, payload)
	}
	return true
}

// SendPing asks for a sign of life; false: the ping before it still waits
// behind a frame the peer does not take.
func (w *Writer) SendPing() bool {
	fresh := !w.ping.Swap(true)
	w.offer()
	return fresh
}

// offer sends what is left unless somebody is writing, or is about to go on
// with frames that were begun: then they do.
func (w *Writer) offer() {
	for w.pong.Load() != nil || w.ping.Load() {
		if !w.mu.TryLock() {
			return
		}
		var err error
		begun := len(w.owed) > 0
		if !begun {
			err = w.sendLeft()
		}
		w.mu.Unlock()
		if err != nil || begun {
			return
		}
	}
}

// sendLeft needs mu.
func (w *Writer) sendLeft() error {
	if owed := w.owed; len(owed) > 0 {
		w.owed = nil
		if err := w.raw(owed); err != nil {
			return err
		}
	}
	if pong := w.pong.Swap(nil); pong != nil {
		if err := w.write(ws.OpPong, (*pong)[2:]); err != nil {
			return err
		}
	}
	if w.ping.Swap(false) {
		return w.write(ws.OpPing, nil)
	}
	return nil
}

// SendClose sends the last frame; a second one is not sent.
func (w *Writer) SendClose(code ws.StatusCode, reason string) error {
	return w.Exclusive(func() error {
		body := frame.AppendClose(nil, code, reason)[2:]
		err := w.write(ws.OpClose, body)
		w.closed = true
		return err
	})
}

// Last sends a client's Close frame as it is; nothing follows it.
func (w *Writer) Last(frame []byte) error {
	return w.Exclusive(func() error {
		err := w.raw(frame)
		w.closed = true
		return err
	})
}
