package bridge

import "github.com/wsbridge/wsbridge/loop"

// upstream is the direction client -> target of a flow: frames in, payload out.
type upstream struct {
	stage  stage
	frames unframer
	lost   bool // the target takes no more

	// What the target did not take at once, from buf if that is not nil; the
	// client is not read before it is gone.
	left []byte
	buf  *buffer
	then parting // how the client ended, once left is gone
}

func (u *upstream) waiting() bool { return len(u.left) > 0 }

// drop gives up what waits.
func (u *upstream) drop(s *session) {
	if u.buf != nil {
		s.server.buffers.put(u.buf)
	}
	u.left, u.buf, u.then = nil, nil, parting{}
	s.writing.Store(false)
}

// readClient reads until nothing is there, the target is full, or it is the
// others' turn.
func (f *flow) readClient() {
	for range turnReads {
		if f.up.stage == done || f.up.waiting() {
			return
		}
		b := f.s.server.buffers.get()
		n, more, err := f.hear(b.room())
		switch {
		case err == loop.ErrWouldBlock:
			f.s.server.buffers.put(b)
			return
		case err != nil:
			f.s.server.buffers.put(b)
			f.ended(clientEnding(err))
			f.upDone()
			return
		case f.up.stage == discarding:
			f.s.server.buffers.put(b)
		default:
			f.takeFrames(b, b.room()[:n])
		}
		if !more {
			return
		}
	}
}

// hear reads the client; more: and there may be more.
func (f *flow) hear(p []byte) (n int, more bool, err error) {
	v := f.out.veil
	if v == nil {
		n, err = f.client.Read(p)
		return n, n == len(p), err
	}
	n, err = v.read(p)
	if v.waiting() { // what crypto/tls has to say of what it read
		f.push()
	}
	return n, v.more, err
}

// takeFrames works through bytes of the client, which lie in b if that is not
// nil.
func (f *flow) takeFrames(b *buffer, p []byte) {
	f.s.heard.Add(int64(len(p)))
	out := f.up.frames.take(p)
	if out.answers != nil {
		f.answer(out.pongs, out.answers)
	}
	if out.lent != nil {
		if b != nil {
			f.s.server.buffers.put(b)
		}
		b = out.lent
	}
	f.up.left, f.up.buf, f.up.then = out.payload, b, out.parting
	f.pushUp()
}

// pushUp writes what waits for the target, and then does what the client's end
// calls for.
func (f *flow) pushUp() {
	if f.up.waiting() && !f.up.lost {
		n, err := f.target.Write(f.up.left)
		f.s.toTarget.Add(int64(n))
		f.up.left = f.up.left[n:]
		switch {
		case err == loop.ErrWouldBlock:
			f.s.writing.Store(true)
			return
		case err != nil:
			f.up.lost = true
			f.ended(targetEnding(err))
		}
	}
	then := f.up.then
	f.up.drop(f.s)
	switch {
	case then.err != nil:
		f.refuse(then.err)
	case then.closed:
		why := endClientClosed
		why.code = then.code
		f.ended(why)
		f.upDone()
	}
}

// upDone ends the direction: the target has it all.
func (f *flow) upDone() {
	if f.up.stage != done {
		f.up.stage = done
		f.target.CloseWrite()
	}
}

// refuse says Close to a client that broke the protocol, and reads on until it
// leaves.
func (f *flow) refuse(err error) {
	f.ended(breach(err))
	f.target.CloseWrite()
	f.up.stage = discarding
	f.out.shut = true
	f.sayClose()
	if f.down.stage == carrying {
		f.down.stage = discarding
	}
}
