package bridge

import (
	"crypto/tls"
	"errors"
	"net"
)

// source reads one side of a session into lent buffers. While it waits for
// bytes it holds none, where the system lets it.
type source interface {
	// next returns a buffer with n bytes from headRoom on, 1 <= n <= limit,
	// and the caller gives it back; or an error, io.EOF for the stream's end.
	next(limit int) (b *buffer, n int, err error)
}

// newSource picks the source for c: by system call for plain sockets, through
// its transport for TLS of ours, as a stream of HTTP/2, by blocking reads for
// anything else.
func newSource(c net.Conn, pool *buffers) source {
	if secure, ok := c.(*secureConn); ok {
		if t := secure.transport; t.detach() {
			return &secureSource{secure, t, pool}
		}
	}
	if l, ok := c.(*lane); ok {
		return &laneSource{l, pool}
	}
	if raw := newRawSource(c, pool); raw != nil {
		return raw
	}
	return &blockingSource{c, pool}
}

// blockingSource reads any connection; it waits with a buffer in hand.
type blockingSource struct {
	conn net.Conn
	pool *buffers
}

func (s *blockingSource) next(limit int) (*buffer, int, error) {
	b := s.pool.get()
	for {
		n, err := s.conn.Read(b.room()[:limit])
		if n > 0 {
			return b, n, nil
		}
		if err != nil {
			s.pool.put(b)
			return nil, 0, err
		}
	}
}

// secureSource reads a TLS client. The TLS library holds on to the slice it is
// asked to fill, so its transport never waits inside a Read: it says
// errWouldBlock, and the wait is done here, without a buffer.
type secureSource struct {
	conn      *secureConn
	transport *transport
	pool      *buffers
}

func (s *secureSource) next(limit int) (*buffer, int, error) {
	for {
		b := s.pool.get()
		n, err := s.conn.Read(b.room()[:limit])
		if n > 0 {
			return b, n, nil
		}
		s.pool.put(b)
		if errors.Is(err, errWouldBlock) {
			err = s.transport.wait()
		}
		if err != nil {
			return nil, 0, err
		}
	}
}

// wouldBlock is a passing error in crypto/tls's eyes (net.Error, Temporary):
// the connection can be read again.
type wouldBlock struct{}

func (wouldBlock) Error() string   { return "no bytes to read now" }
func (wouldBlock) Timeout() bool   { return true }
func (wouldBlock) Temporary() bool { return true }

var errWouldBlock error = wouldBlock{}

var _ net.Error = wouldBlock{}

// secureConn is a TLS client whose writes reach the socket as one: crypto/tls
// alone makes a system call of every 16 KiB record.
type secureConn struct {
	*tls.Conn
	transport *transport
}

func (c *secureConn) Write(p []byte) (int, error) {
	c.transport.cork()
	n, err := c.Conn.Write(p)
	if flushErr := c.transport.uncork(); err == nil {
		err = flushErr
	}
	return n, err
}
