package hub

import (
	"errors"
	"os"
	"sync"
	"time"

	"github.com/wsbridge/wsbridge/message"
)

// ErrSlow is why a member is given up that does not take its messages.
var ErrSlow = errors.New("slow consumer")

const (
	batchBytes = 64 << 10 // written at once, if there is more than one message
	keptSlots  = 16       // of an empty queue
)

// outbox is what waits for one member. Who put it there writes it, as far as the
// member takes it at once; there is a goroutine only for a member that does not.
type outbox struct {
	conn   Conn // nil until attach; written under mu
	hub    *Hub
	limits Queue

	mu      sync.Mutex
	waiting []packet
	bytes   int           // of frames, waiting or being written
	full    bool          // over HighWater, and not yet back at LowWater
	writing bool          // somebody is in flush or write
	closed  bool          // nothing is taken any more
	rest    chan struct{} // closed when the writer has ended; nil: nobody asked
}

// attach writes what has been waiting for the connection.
func (o *outbox) attach(c Conn) {
	o.mu.Lock()
	o.conn = c
	slow := o.closed
	o.mu.Unlock()
	if slow {
		o.tooSlow(c)
	}
	o.flush()
}

func (o *outbox) tooSlow(c Conn) { c.GiveUp(ErrSlow, time.Now().Add(o.limits.Patience)) }

// put queues p. It never waits for the member. woken: the caller is to flush.
func (o *outbox) put(p packet) (woken bool) {
	o.mu.Lock()
	taken, slow := o.take(p)
	if woken = taken && !o.writing; woken {
		o.writing = true
	}
	conn := o.conn
	o.mu.Unlock()
	if slow && conn != nil {
		o.tooSlow(conn)
	}
	return woken
}

// take needs mu. slow: the member is to be disconnected.
func (o *outbox) take(p packet) (taken, slow bool) {
	if o.closed {
		return false, false
	}
	if !o.fits(p) {
		switch o.limits.Slow {
		case Disconnect:
			o.hub.count.slow.Add(1)
			o.shut()
			return false, true
		case DropNewest:
			o.hub.count.dropped.Add(1)
			return false, false
		case DropOldest:
			o.makeRoom(p)
		}
	}
	o.waiting = append(o.waiting, p)
	o.weigh(len(p.frame))
	return true, false
}

func (o *outbox) fits(p packet) bool {
	return o.bytes == 0 || o.bytes+len(p.frame) <= o.limits.MaxBytes && len(o.waiting) < o.limits.MaxMessages
}

func (o *outbox) makeRoom(p packet) {
	for len(o.waiting) > 0 && !o.fits(p) {
		o.weigh(-len(o.waiting[0].frame))
		o.waiting[0] = packet{}
		o.waiting = o.waiting[1:]
		o.hub.count.dropped.Add(1)
	}
}

// shut drops what waits.
func (o *outbox) shut() {
	o.closed = true
	o.hub.count.dropped.Add(int64(len(o.waiting)))
	for _, p := range o.waiting {
		o.weigh(-len(p.frame))
	}
	o.waiting = nil
}

func (o *outbox) weigh(n int) {
	o.bytes += n
	switch {
	case o.bytes > o.limits.HighWater:
		o.full = true
	case o.bytes <= o.limits.LowWater:
		o.full = false
	}
}

// flush sends what waits, and leaves it to a goroutine to wait for the member.
func (o *outbox) flush() {
	var b batch
	for o.next(&b) {
		progress, err := o.conn.TryFrames(b.frames, b.messages, b.payload)
		if err == nil && progress != message.Sent {
			go o.write(b, progress)
			return
		}
		o.sent(b, err)
	}
	o.release(b)
}

// write goes on where flush stopped, until nothing waits.
func (o *outbox) write(b batch, progress message.Progress) {
	for more := true; more; more, progress = o.next(&b), message.Unsent {
		if progress == message.Begun {
			o.sent(b, o.conn.Flush())
		} else {
			o.sent(b, o.conn.WriteFrames(b.frames, b.messages, b.payload))
		}
	}
	o.release(b)
}

func (o *outbox) sent(b batch, err error) {
	if err != nil {
		o.fail(err)
		return
	}
	o.hub.count.out(b.messages, b.payload)
}

func (o *outbox) release(b batch) {
	if b.buf != nil {
		o.hub.bufs.Put(b.buf)
	}
}

// batch is messages that are written together.
type batch struct {
	frames            []byte
	messages, payload int
	buf               *[]byte // lent, once there are several
}

func (b *batch) add(p packet, h *Hub) {
	if b.messages == 1 {
		if b.buf == nil {
			b.buf = h.buffer()
		}
		b.frames = append((*b.buf)[:0], b.frames...)
	}
	b.frames = append(b.frames, p.frame...)
	b.messages++
	b.payload += p.n
}

// next replaces b, which was written, by the batch that follows; false: there
// is none, and the writer has ended.
func (o *outbox) next(b *batch) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.weigh(-len(b.frames))
	if len(o.waiting) == 0 {
		o.end()
		return false
	}
	*b = batch{frames: o.waiting[0].frame, messages: 1, payload: o.waiting[0].n, buf: b.buf}
	for _, p := range o.waiting[1:] {
		if len(b.frames)+len(p.frame) > batchBytes {
			break
		}
		b.add(p, o.hub)
	}
	clear(o.waiting[:b.messages])
	if b.messages < len(o.waiting) {
		o.waiting = o.waiting[b.messages:]
	} else {
		o.waiting = o.waiting[:0] // from where it begins: the next has room there
	}
	return true
}

// end needs mu.
func (o *outbox) end() {
	o.writing = false
	if o.waiting = o.waiting[:0]; cap(o.waiting) > keptSlots {
		o.waiting = nil
	}
	if o.rest != nil {
		close(o.rest)
		o.rest = nil
	}
}

// fail gives the member up: it took too long, or is gone.
func (o *outbox) fail(err error) {
	o.mu.Lock()
	first := !o.closed
	o.shut()
	o.mu.Unlock()
	if !first {
		return
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		o.hub.count.slow.Add(1)
		err = ErrSlow
	}
	o.conn.GiveUp(err, time.Now())
}

// idle is closed when nothing is being written.
func (o *outbox) idle() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.writing {
		ended := make(chan struct{})
		close(ended)
		return ended
	}
	if o.rest == nil {
		o.rest = make(chan struct{})
	}
	return o.rest
}

func (o *outbox) writable() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return !o.full
}

// buffer is lent for batches; it goes back to bufs.
func (h *Hub) buffer() *[]byte {
	if b, ok := h.bufs.Get().(*[]byte); ok {
		return b
	}
	b := make([]byte, 0, batchBytes)
	return &b
}
