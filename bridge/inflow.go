package bridge

import (
	"errors"

	"github.com/wsbridge/wsbridge/frame"
	"github.com/wsbridge/wsbridge/message"
)

// inflow is receiver.run for a client that may compress. There is no telling how
// much comes out of a piece, so pieces are asked for one at a time, and what
// comes out is written before there is more of it: a bomb is a slow target's
// back-pressure and nothing else. Between messages no memory is held but what
// the codec keeps.
type inflow struct {
	r    *receiver
	rest []byte       // read, not decoded
	lent *buffer      // that rest lies in; nil: in nobody's
	ev   *frame.Event // the beginning of the message
}

func (in *inflow) run() {
	s := in.r.s
	in.rest, s.early = s.early, nil
	s.heard.Add(int64(len(in.rest)))
	err := in.messages()
	in.giveBack()
	in.end(err)
}

// end does what the client's end calls for.
func (in *inflow) end(err error) {
	var closed *message.CloseError
	var breach *frame.Error
	switch {
	case errors.As(err, &closed):
		out := unframed{parting: parting{closed: true, code: closed.Code}}
		in.decode(&out)
		in.r.deliver(out)
		in.r.conclude(out.parting)
	case errors.As(err, &breach):
		in.r.conclude(parting{err: err})
	default:
		in.r.s.ended(clientEnding(err))
	}
}

// messages carries one after the other, and returns why there are no more.
func (in *inflow) messages() error {
	for {
		ev, err := in.next()
		switch {
		case err != nil:
			return err
		case ev.Compressed:
			err = in.inflate(ev)
		default:
			err = in.write(ev.Payload)
		}
		if err != nil {
			return err
		}
	}
}

// inflate carries the compressed message that begins with ev.
func (in *inflow) inflate(ev frame.Event) error {
	from, pool := in.r.s.deflate, &in.r.s.server.buffers
	in.ev = &ev
	from.Begin(in)
	defer from.End()
	b := pool.get()
	defer pool.put(b)
	var text frame.UTF8Stream
	for {
		n, last, err := from.Read(b[:])
		if ev.Text && !(text.Feed(b[:n]) && (!last || text.Whole())) {
			return frame.ErrNotUTF8
		}
		if writeErr := in.write(b[:n]); writeErr != nil {
			return writeErr
		}
		if last || err != nil {
			return err
		}
	}
}

// Piece is for the inflater.
func (in *inflow) Piece() (p []byte, last bool, err error) {
	if ev := in.ev; ev != nil {
		in.ev = nil
		return ev.Payload, ev.Last, nil
	}
	ev, err := in.next()
	return ev.Payload, ev.Last, err
}

// write gives the target p. The error is for what is wrong with it.
func (in *inflow) write(p []byte) error {
	out := unframed{payload: p}
	in.decode(&out)
	in.r.deliver(out)
	return out.err
}

func (in *inflow) decode(out *unframed) {
	if in.r.frames.base64 != nil {
		in.r.frames.decode(out)
	}
}

// next is the next piece of a message. Its error is a *message.CloseError for
// the client's Close, a *frame.Error for a breach, and the connection's own.
func (in *inflow) next() (frame.Event, error) {
	for {
		ev, err := in.scan()
		if err != nil || ev.Kind == frame.Data {
			return ev, err
		}
		if err := in.fill(); err != nil {
			return frame.Event{}, err
		}
	}
}

// scan looks through what was read for a piece, and answers the pings before it.
func (in *inflow) scan() (ev frame.Event, err error) {
	var pongs frame.Pongs
	for len(in.rest) > 0 && err == nil && ev.Kind != frame.Data {
		var n int
		ev, n, err = in.r.frames.decoder.Next(in.rest)
		in.rest = in.rest[n:]
		switch {
		case err != nil:
		case ev.Kind == frame.Ping:
			pongs.Add(ev.Payload)
		case ev.Kind == frame.Close:
			err = &message.CloseError{Code: ev.Code, Reason: ev.Reason}
		}
	}
	in.r.s.out.SendPongs(pongs)
	return ev, err
}

// fill reads more from the client.
func (in *inflow) fill() error {
	in.giveBack()
	b, n, err := in.r.s.from.next(bufferSize - headRoom)
	if err != nil {
		return err
	}
	in.lent, in.rest = b, b.room()[:n]
	in.r.s.heard.Add(int64(n))
	return nil
}

func (in *inflow) giveBack() {
	if in.lent != nil {
		in.r.s.server.buffers.put(in.lent)
	}
	in.lent, in.rest = nil, nil
}
