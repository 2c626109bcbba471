package bridge

import "io"

// receiver is the direction client -> target: frames in, payload bytes out.
type receiver struct {
	s      *session
	to     io.Writer // nil: payload is thrown away
	frames unframer
}

func newReceiver(s *session, to io.Writer) *receiver {
	r := &receiver{s: s, to: to, frames: newUnframer(s.mode, &s.server.buffers)}
	r.frames.decoder.Deflate = s.deflate != nil
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
	if r.s.deflate != nil {
		(&inflow{r: r}).run()
		return
	}
	more := r.take(r.s.early)
	r.s.early = nil
	for more {
		b, n, err := r.s.from.next(bufferSize - headRoom)
		if err != nil {
			r.lost(err)
			return
		}
		more = r.take(b.room()[:n])
		r.s.server.buffers.put(b)
	}
}

// take works through bytes read from the client; false: the client is done. A
// target that takes no more does not end this direction: the closing handshake
// is still to come.
func (r *receiver) take(p []byte) bool {
	r.s.heard.Add(int64(len(p)))
	out := r.frames.take(p)
	if out.answers != nil {
		r.s.out.SendPongs(out.pongs)
		r.s.server.buffers.put(out.answers)
	}
	return r.carry(out)
}

// lost ends the direction of a client that can be read no more.
func (r *receiver) lost(err error) {
	if err == io.EOF {
		if out := r.frames.end(); out.closed {
			r.carry(out)
			return
		}
	}
	r.s.ended(clientEnding(err))
	if r.s.why() == endMemory {
		abandon(r.s.client)
	}
}

func (r *receiver) carry(out unframed) bool {
	r.deliver(out)
	return r.conclude(out.parting)
}

// deliver gives the target what out holds.
func (r *receiver) deliver(out unframed) {
	r.write(out.payload)
	if out.lent != nil {
		r.s.server.buffers.put(out.lent)
	}
}

// conclude does what the client's end calls for, and is false if there is one.
func (r *receiver) conclude(how parting) bool {
	switch {
	case how.err != nil:
		r.refuse(how.err)
	case how.closed:
		why := endClientClosed
		why.code = how.code
		r.s.ended(why)
	default:
		return true
	}
	return false
}

func (r *receiver) write(p []byte) {
	if r.to == nil || len(p) == 0 {
		return
	}
	r.s.writing.Store(true)
	n, err := r.to.Write(p)
	r.s.toTarget.Add(int64(n))
	if err != nil {
		r.to = nil
		r.s.ended(targetEnding(err))
	}
	r.s.writing.Store(false) // behind the end: see sender.targetEnded
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
