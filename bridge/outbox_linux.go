package bridge

import (
	"github.com/gobwas/ws"

	"github.com/wsbridge/wsbridge/frame"
	"github.com/wsbridge/wsbridge/loop"
)

// outbox is what waits for a flow's client: at most one data frame, the newest
// pong, one ping and the Close frame, in this order but for a frame once begun.
type outbox struct {
	bytes   []byte
	buf     *buffer // that bytes lie in; nil: in none of the pool
	pipe    *pipe   // has the rest of the frame; nil: bytes are all of it
	piped   int
	payload int // of the frame, counted when it is through

	pong   []byte
	last   []byte // the Close frame
	ping   bool   // before last
	closed bool   // last was queued, now or before: nothing follows it
	shut   bool   // end the sending side after it
	gone   bool   // the client takes no more

	veil *veil // what goes through it to a TLS client; nil: a plain one
}

func (o *outbox) waiting() bool {
	return o.veil.waiting() || len(o.bytes) > 0 || o.piped > 0 || o.pong != nil || o.ping || o.last != nil
}

// drop gives up what waits.
func (o *outbox) drop(s *Server) {
	if o.buf != nil {
		s.buffers.put(o.buf)
	}
	if o.pipe != nil {
		o.pipe.close() // bytes are left in it
	}
	if o.veil != nil {
		o.veil.lose()
	}
	*o = outbox{closed: o.closed, gone: o.gone, veil: o.veil}
}

// push writes what waits for the client until the client is full.
func (f *flow) push() {
	for f.out.waiting() {
		if err := f.pushOnce(); err == loop.ErrWouldBlock {
			return
		} else if err != nil {
			f.clientLost(err)
			return
		}
	}
	if f.out.shut {
		f.out.shut = false
		f.endSending()
	}
	if f.down.stage == closing {
		f.down.stage = done
	}
}

// pushOnce writes the next part of what waits.
func (f *flow) pushOnce() error {
	o := &f.out
	switch {
	case o.veil.waiting():
		return f.flushVeil()
	case len(o.bytes) > 0 && o.veil != nil:
		return f.hideBytes()
	case len(o.bytes) > 0:
		return f.pushBytes()
	case o.piped > 0:
		n, err := f.client.SpliceTo(o.pipe.r, o.piped)
		if o.piped -= n; o.piped == 0 && err == nil {
			f.s.server.pipes.put(o.pipe)
			o.pipe = nil
			f.frameSent()
		}
		return err
	case o.pong != nil:
		o.bytes, o.pong = o.pong, nil
	case o.ping:
		o.bytes, o.ping = frame.AppendControl(nil, ws.OpPing, nil), false
	case o.last != nil:
		o.bytes, o.last = o.last, nil
	}
	return nil
}

func (f *flow) pushBytes() error {
	o := &f.out
	write := f.client.Write
	if o.piped > 0 {
		write = f.client.WriteMore
	}
	n, err := write(o.bytes)
	o.bytes = o.bytes[n:]
	if err == nil && o.piped == 0 {
		f.giveBack()
		f.frameSent()
	}
	return err
}

// hideBytes encrypts the next part of bytes.
func (f *flow) hideBytes() error {
	o := &f.out
	n, err := o.veil.hide(o.bytes)
	if o.bytes = o.bytes[n:]; len(o.bytes) == 0 {
		f.giveBack()
	}
	return err
}

func (f *flow) flushVeil() error {
	err := f.out.veil.flush()
	if err == nil && len(f.out.bytes) == 0 {
		f.frameSent()
	}
	return err
}

// giveBack is for the buffer that bytes lay in.
func (f *flow) giveBack() {
	if f.out.buf != nil {
		f.s.server.buffers.put(f.out.buf)
		f.out.buf = nil
	}
}

// endSending tells the client, after its last byte, that it was the last. A TLS
// client's connection stays open for its own.
func (f *flow) endSending() {
	if f.out.veil == nil {
		f.client.CloseWrite()
		return
	}
	f.out.veil.conn.CloseWrite()
	f.push()
}

func (f *flow) frameSent() {
	f.s.toClient.Add(int64(f.out.payload))
	f.out.payload = 0
}

// clientLost gives up sending; the target is read to its end all the same.
func (f *flow) clientLost(err error) {
	f.out.closed, f.out.gone = true, true
	f.out.drop(f.s.server)
	f.ended(clientEnding(err))
	switch f.down.stage {
	case carrying:
		f.down.stage = discarding
	case closing:
		f.down.stage = done
	}
}
