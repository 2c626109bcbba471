package bridge

import (
	"io"

	"github.com/wsbridge/wsbridge/frame"
)

// receiver is the direction client -> target: frames in, payload bytes out.
type receiver struct {
	s       *session
	to      io.Writer // nil: payload is thrown away
	decoder frame.Decoder
	base64  *frame.Base64Stream // in base64 mode

	// The payload of the frames in the buffer at hand, not yet written:
	// buf[start:end], moved together so that one write takes all of it.
	buf        []byte
	start, end int
}

func newReceiver(s *session, to io.Writer) *receiver {
	r := &receiver{s: s, to: to}
	if s.mode == base64Mode {
		r.base64 = new(frame.Base64Stream)
	}
	return r
}

// carryToTarget brings the client's bytes to the target until the client ends;
// then the target's receiving side is shut, so that it can still answer.
func (s *session) carryToTarget() {
	defer s.directionEnded()
	r := newReceiver(s, s.target)
	r.run()
	closeWrite(s.target)
}

// run reads until the client's Close, its end, or a breach of the protocol.
func (r *receiver) run() {
	more := r.take(r.s.early)
	r.s.early = nil
	for more {
		b, n, err := r.s.from.next(bufferSize - headRoom)
		if err != nil {
			r.s.ended(clientEnding(err))
			return
		}
		more = r.take(b.room()[:n])
		r.s.server.buffers.put(b)
	}
}

// take works through bytes read from the client; false: the client is done.
func (r *receiver) take(p []byte) bool {
	r.s.heard.Add(int64(len(p)))
	r.buf, r.start, r.end = p, 0, 0
	for at := 0; at < len(p); {
		ev, n, err := r.decoder.Next(p[at:])
		at += n
		if err == nil && ev.Kind == frame.Data {
			r.keep(ev.Payload, at)
			continue
		}
		if err != nil || ev.Kind == frame.Close {
			r.flush()
			return r.done(ev, err)
		}
		if ev.Kind == frame.Ping {
			r.s.out.sendPong(ev.Payload)
		}
	}
	if err := r.flush(); err != nil {
		return r.done(frame.Event{}, err)
	}
	return true
}

// keep adds a payload, which lies in buf and ends at end, to what flush writes.
func (r *receiver) keep(payload []byte, end int) {
	switch {
	case len(payload) == 0:
	case r.start == r.end:
		r.start, r.end = end-len(payload), end
	default:
		r.end += copy(r.buf[r.end:], payload)
	}
}

// flush writes what was kept. A target that takes no more does not end this
// direction: the closing handshake is still to come.
func (r *receiver) flush() error {
	p := r.buf[r.start:r.end]
	r.start = r.end
	if len(p) == 0 {
		return nil
	}
	if r.base64 != nil {
		return r.flushBase64(p)
	}
	r.write(p)
	return nil
}

func (r *receiver) flushBase64(p []byte) error {
	b := r.s.server.buffers.get()
	defer r.s.server.buffers.put(b)
	n, err := r.base64.Decode(b[:], p)
	r.write(b[:n])
	return err
}

func (r *receiver) write(p []byte) {
	if r.to == nil || len(p) == 0 {
		return
	}
	r.s.writing.Store(true)
	n, err := r.to.Write(p)
	r.s.writing.Store(false)
	r.s.toTarget.Add(int64(n))
	if err != nil {
		r.to = nil
		r.s.ended(targetEnding(err))
	}
}

// done records how the client ended; a breach is answered at once.
func (r *receiver) done(ev frame.Event, err error) bool {
	if r.base64 != nil && err == nil {
		err = r.flushTail()
	}
	if err != nil {
		r.refuse(err)
		return false
	}
	why := endClientClosed
	why.code = ev.Code
	r.s.ended(why)
	return false
}

func (r *receiver) flushTail() error {
	var tail [3]byte
	n, err := r.base64.Flush(tail[:])
	r.write(tail[:n])
	return err
}

// refuse says Close to a client that broke the protocol, and reads on until it
// leaves: closing on unread bytes would reset the connection and could cost
// the client the Close frame.
func (r *receiver) refuse(err error) {
	r.s.ended(breach(err))
	r.s.sayClose()
	if r.to != nil {
		closeWrite(r.s.target)
	}
	closeWrite(r.s.client)
	for {
		b, _, err := r.s.from.next(bufferSize - headRoom)
		if err != nil {
			return
		}
		r.s.server.buffers.put(b)
	}
}
