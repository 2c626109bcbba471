package bridge

import (
	"encoding/base64"
	"io"

	"github.com/gobwas/ws"

	"github.com/wsbridge/wsbridge/frame"
	"github.com/wsbridge/wsbridge/loop"
)

// downstream is the direction target -> client of a flow: bytes in, frames out.
type downstream struct {
	stage stage
	bulk  bool // the last read was full: splice
}

// readTarget reads until nothing is there, the client is full, or it is the
// others' turn.
func (f *flow) readTarget() {
	for range turnReads {
		var more bool
		switch {
		case f.down.stage == discarding:
			more = f.discardTarget()
		case f.down.stage != carrying || f.out.waiting():
		case f.down.bulk:
			more = f.spliceTarget()
		default:
			more = f.copyTarget()
		}
		if !more {
			return
		}
	}
}

// copyTarget reads once and makes a frame of it; false: there is no more now.
func (f *flow) copyTarget() (more bool) {
	b := f.s.server.buffers.get()
	limit := f.limit()
	n, err := f.target.Read(b.room()[:limit])
	if err != nil {
		f.s.server.buffers.put(b)
		f.targetRead(err)
		return false
	}
	if f.s.mode == base64Mode {
		f.sendBase64(b, n)
	} else {
		f.send(frame.Prepend(b.framed(headRoom), ws.OpBinary, n), b, n)
	}
	f.down.bulk = n == limit && f.s.mode == binaryMode && f.out.veil == nil
	return n == limit
}

// limit is how many target bytes one read takes: one frame, encrypted at once.
func (f *flow) limit() int {
	if f.out.veil == nil {
		return f.s.mode.limit()
	}
	return min(f.s.mode.limit(), veilPiece-frame.HeaderRoom)
}

func (f *flow) sendBase64(b *buffer, n int) {
	encoded := f.s.server.buffers.get()
	base64.StdEncoding.Encode(encoded.room(), b.room()[:n])
	f.s.server.buffers.put(b)
	m := base64.StdEncoding.EncodedLen(n)
	f.send(frame.Prepend(encoded.framed(headRoom), ws.OpText, m), encoded, n)
}

// send writes a frame of n payload bytes that lies in b.
func (f *flow) send(frame []byte, b *buffer, n int) {
	f.out.bytes, f.out.buf, f.out.payload = frame, b, n
	f.push()
}

func (f *flow) discardTarget() (more bool) {
	b := f.s.server.buffers.get()
	n, err := f.target.Read(b[:])
	f.s.server.buffers.put(b)
	if err != nil {
		f.targetRead(err)
	}
	return n == len(b)
}

// targetRead is what an error of reading the target leads to.
func (f *flow) targetRead(err error) {
	switch err {
	case loop.ErrWouldBlock:
		return
	case io.EOF:
		f.ended(endTargetClosed)
	default:
		f.ended(targetEnding(err))
	}
	f.downEnded()
}

// downEnded is after the target's last byte: the Close frame follows.
func (f *flow) downEnded() {
	if f.down.stage == carrying || f.down.stage == discarding {
		f.down.stage = closing
		f.sayClose()
	}
}

// spliceTarget moves one frame's worth inside the kernel; false: there is no
// more now, or it cannot.
func (f *flow) spliceTarget() (more bool) {
	pipes := &f.s.server.pipes
	p := pipes.get()
	if p == nil {
		f.down.bulk = false
		return true
	}
	n, err := f.target.SpliceFrom(p.w, bulkMax)
	if n == 0 {
		pipes.put(p)
		f.down.bulk = err == loop.ErrWouldBlock
		if err != nil && !f.down.bulk && !declined(err) {
			f.targetRead(err) // a socket tells its error once
			return false
		}
		return err != loop.ErrWouldBlock // the end, or why it cannot: read tells
	}
	f.down.bulk = n >= bulkMin
	f.out.bytes = frame.AppendHeader(make([]byte, 0, frame.HeaderRoom), ws.OpBinary, n)
	f.out.pipe, f.out.piped, f.out.payload = p, n, n
	f.push()
	return f.down.bulk
}

// sayClose queues the Close frame that the end calls for, if any and none went.
func (f *flow) sayClose() {
	if !f.out.closed {
		f.out.closed = true
		f.out.last = closeFrame(f.s.why())
	}
	f.push()
}

// answer sends pongs, which lie in b; behind what waits for the client only the
// newest is kept.
func (f *flow) answer(pongs frame.Pongs, b *buffer) {
	if !f.out.closed && !f.out.waiting() {
		f.out.bytes, f.out.buf = pongs.Frames(), b
		f.push()
		return
	}
	if !f.out.closed {
		f.out.pong = pongs.Newest()
		f.push()
	}
	f.s.server.buffers.put(b)
}

// ping is for the session's watch; false: the ping before it still waits.
func (f *flow) ping() bool {
	if f.out.ping || f.out.closed {
		return false
	}
	f.out.ping = true
	f.push()
	f.loop.Do(f.settle) // later: it may stop the watch, which is at work now
	return true
}
