package bridge

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"

	"github.com/gobwas/ws"

	"github.com/wsbridge/wsbridge/frame"
)

// frameWriter sends whole frames to a client, one at a time. Pings and pongs
// never wait for a data frame that the client is slow to take: they are left
// for whoever writes, and only the newest pong is kept (RFC 6455, 5.5.3).
type frameWriter struct {
	conn net.Conn
	mu   sync.Mutex // held while a frame is written
	// closed: a Close frame was sent; nothing may follow it. Guarded by mu.
	closed bool

	pong atomic.Pointer[[]byte] // left to send
	ping atomic.Bool            // left to send
}

// errCloseSent says that a Close frame went before.
var errCloseSent = errors.New("a Close frame was sent")

// whole writes one complete frame.
func (w *frameWriter) whole(frame []byte) error {
	return w.exclusive(func() error { return w.write(frame) })
}

// exclusive runs send, which writes one frame to conn, between other frames.
func (w *frameWriter) exclusive(send func() error) error {
	w.mu.Lock()
	err := w.sendLeft()
	if err == nil {
		err = send()
	}
	w.mu.Unlock()
	w.offer()
	return err
}

// write needs mu.
func (w *frameWriter) write(frame []byte) error {
	if w.closed {
		return errCloseSent
	}
	_, err := w.conn.Write(frame)
	return err
}

// sendPong answers a ping, now or right after the frame being written.
func (w *frameWriter) sendPong(payload []byte) {
	frame := frame.AppendControl(nil, ws.OpPong, payload)
	w.pong.Store(&frame)
	w.offer()
}

// sendPing asks the client for a sign of life; false: the ping before it still
// waits behind a frame the client does not take.
func (w *frameWriter) sendPing() bool {
	fresh := !w.ping.Swap(true)
	w.offer()
	return fresh
}

// offer sends what is left unless somebody is writing: then the writer does.
func (w *frameWriter) offer() {
	for w.pong.Load() != nil || w.ping.Load() {
		if !w.mu.TryLock() {
			return
		}
		err := w.sendLeft()
		w.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// sendLeft needs mu.
func (w *frameWriter) sendLeft() error {
	if pong := w.pong.Swap(nil); pong != nil {
		if err := w.write(*pong); err != nil {
			return err
		}
	}
	if w.ping.Swap(false) {
		return w.write(frame.AppendControl(nil, ws.OpPing, nil))
	}
	return nil
}

// sendClose sends the last frame; a second one is not sent.
func (w *frameWriter) sendClose(last []byte) error {
	return w.exclusive(func() error {
		err := w.write(last)
		w.closed = true
		return err
	})
}
