package bridge

import (
	"cmp"
	"crypto/tls"
	"errors"
	"net"
	"time"

	"github.com/wsbridge/wsbridge/loop"
)

const (
	// veilPiece is how many bytes are encrypted at once; what that adds to them,
	// and what crypto/tls may say of itself meanwhile, finds room in one buffer.
	veilPiece = bufferSize - 4<<10
	// veilReserve is what one Read of crypto/tls may write at most: answers to 16
	// key updates (RFC 8446, 4.6.3) and an alert.
	veilReserve = 1 << 10
)

// errVeilFull cannot happen as long as the two above are right.
var errVeilFull = errors.New("no room for TLS records")

// veil is the TLS of a flow's client: the connection that crypto/tls stands on,
// none of whose calls waits. A read that finds nothing is errWouldBlock, a passing
// error to crypto/tls, which keeps what it has of a record. A write, whose error
// would be the connection's last, has none: the records wait in a lent buffer for
// flush. While nothing waits no buffer is held.
type veil struct {
	conn    *tls.Conn
	socket  *loop.Socket // the flow's, which closes it
	pool    *buffers
	early   []byte // was read ahead of the socket
	drained bool   // the socket has been read empty
	more    bool   // conn may hold bytes, of which the socket will not tell
	err     error  // the client's end, found behind bytes

	out      *buffer // has what the socket has not taken; nil: nothing
	from, to int     // and where
	lost     bool    // the client takes no more
}

// newVeil takes a client's TLS over from its transport, which nobody is using.
func newVeil(c *secureConn, socket *loop.Socket, pool *buffers) *veil {
	v := &veil{conn: c.Conn, socket: socket, pool: pool, early: c.transport.gate.unread, more: true}
	c.transport.Conn, c.transport.gate = v, nil
	return v
}

// read fills p with what the client said, as far as that is there; n is not 0
// but together with an error.
func (v *veil) read(p []byte) (n int, err error) {
	v.drained, v.more = false, true
	for n < len(p) && v.err == nil && v.mayRead() {
		m, err := v.conn.Read(p[n:])
		n += m
		if errors.Is(err, errWouldBlock) {
			v.more = false
			break
		}
		v.err = err
	}
	if n == 0 {
		err = cmp.Or(v.err, loop.ErrWouldBlock)
	}
	return n, err
}

// mayRead is false while the client would have to be answered more than there is
// room for: it takes what it was sent first.
func (v *veil) mayRead() bool { return bufferSize-v.to >= veilReserve }

// hide encrypts bytes from the front of p and returns how many. Nothing may be
// waiting.
func (v *veil) hide(p []byte) (int, error) { return v.conn.Write(p[:min(len(p), veilPiece)]) }

// waiting tells whether there is something to flush. A nil veil has nothing.
func (v *veil) waiting() bool { return v != nil && v.from < v.to }

// flush writes what the socket takes; an error says that this was not all.
func (v *veil) flush() error {
	n, err := v.socket.Write(v.out[v.from:v.to])
	if v.from += n; v.from == v.to {
		v.drop()
	}
	return err
}

// drop gives up what waits.
func (v *veil) drop() {
	if v.out != nil {
		v.pool.put(v.out)
	}
	v.out, v.from, v.to = nil, 0, 0
}

// lose is for a client that takes no more.
func (v *veil) lose() {
	v.drop()
	v.lost = true
}

// leave says close_notify, if the client takes what came before, and is the end
// of v.
func (v *veil) leave() {
	if !v.waiting() && !v.lost {
		v.conn.CloseWrite()
	}
	if v.waiting() {
		v.flush()
	}
	v.lose()
}

// Read is for crypto/tls.
func (v *veil) Read(p []byte) (n int, err error) {
	if len(v.early) > 0 {
		n = copy(p, v.early)
		v.early = v.early[n:]
		return n, nil
	}
	if v.drained {
		return 0, errWouldBlock
	}
	n, err = v.socket.Read(p)
	v.drained = n < len(p)
	if err == loop.ErrWouldBlock {
		err = errWouldBlock
	}
	return n, err
}

// Write is for crypto/tls.
func (v *veil) Write(p []byte) (int, error) {
	if v.lost {
		return len(p), nil
	}
	if v.out == nil {
		v.out = v.pool.get()
	}
	n := copy(v.out[v.to:], p)
	v.to += n
	if n < len(p) {
		return n, errVeilFull
	}
	return n, nil
}

// The rest of a net.Conn is nothing to a veil: it never waits, and its socket is
// the flow's.

func (v *veil) Close() error                     { return nil }
func (v *veil) LocalAddr() net.Addr              { return nil }
func (v *veil) RemoteAddr() net.Addr             { return nil }
func (v *veil) SetDeadline(time.Time) error      { return nil }
func (v *veil) SetReadDeadline(time.Time) error  { return nil }
func (v *veil) SetWriteDeadline(time.Time) error { return nil }
