package bridge

import (
	"github.com/gobwas/ws"

	"github.com/wsbridge/wsbridge/frame"
)

// unframer takes the payload out of a client's frames, whoever reads and writes.
type unframer struct {
	decoder frame.Decoder
	hixie   *frame.HixieDecoder // instead, in the modes of those drafts
	base64  *frame.Base64Stream // in base64 mode
	buffers *buffers
}

// unframed is what a piece of a client's bytes held.
type unframed struct {
	payload []byte  // for the target: a part of the piece, or of lent
	lent    *buffer // to be given back once payload is written; may be nil
	pongs   frame.Pongs
	answers *buffer // in which they lie, to be given back once they are sent; nil: there are none
	parting
}

// parting is how a client ends, if it does, after its payload.
type parting struct {
	closed bool          // a Close frame came, and nothing after it counts
	code   ws.StatusCode // its code
	err    error         // a breach of the protocol
}

func newUnframer(m mode, pool *buffers) unframer {
	u := unframer{buffers: pool}
	if m.base64() {
		u.base64 = new(frame.Base64Stream)
	}
	if m.hixie() {
		u.hixie = &frame.HixieDecoder{Closing: m == hixie76Mode}
	}
	return u
}

// take works through p, in place, up to its end, a Close frame or a breach.
func (u *unframer) take(p []byte) (out unframed) {
	if u.hixie != nil {
		return u.takeHixie(p)
	}
	kept := gathered{buf: p}
	for at := 0; at < len(p) && !out.closed; {
		ev, n, err := u.decoder.Next(p[at:])
		at += n
		if err != nil {
			out.err = err
			break
		}
		switch ev.Kind {
		case frame.Data:
			kept.add(ev.Payload, at)
		case frame.Ping:
			u.answer(&out, ev.Payload)
		case frame.Close:
			out.closed, out.code = true, ev.Code
		}
	}
	out.payload = kept.bytes()
	if u.base64 != nil {
		u.decode(&out)
	}
	return out
}

func (u *unframer) answer(out *unframed, ping []byte) {
	if out.answers == nil {
		out.answers = u.buffers.get()
		out.pongs = frame.PongsIn(out.answers[:])
	}
	out.pongs.Add(ping)
}

// decode makes bytes of base64; what is wrong with it came before any breach of
// the frames.
func (u *unframer) decode(out *unframed) {
	if len(out.payload) == 0 && !out.closed {
		return
	}
	out.lent = u.buffers.get()
	n, err := u.base64.Decode(out.lent[:], out.payload)
	if err == nil && out.closed {
		var m int
		m, err = u.base64.Flush(out.lent[n:])
		n += m
	}
	if err != nil {
		out.err = err
	}
	out.payload = out.lent[:n]
}

// gathered is the payload of several frames, moved together in the buffer they
// lie in, so that one write takes all of it.
type gathered struct {
	buf        []byte
	start, end int
}

// add takes a payload that lies in buf and ends at end.
func (g *gathered) add(payload []byte, end int) {
	switch {
	case len(payload) == 0:
	case g.start == g.end:
		g.start, g.end = end-len(payload), end
	default:
		g.end += copy(g.buf[g.end:], payload)
	}
}

func (g *gathered) bytes() []byte { return g.buf[g.start:g.end] }
