package listen

import (
	"errors"
	"net"
	"sync"
)

// newSingle is a listener for a connection that exists already: Accept gives
// it once, then waits until it is closed and is net.ErrClosed. Close closes
// the connection only if nobody accepted it.
func newSingle(conn net.Conn) net.Listener {
	s := &single{address: conn.LocalAddr(), waiting: make(chan *onlyConn, 1), over: make(chan struct{})}
	s.waiting <- &onlyConn{conn, s}
	return s
}

type single struct {
	address net.Addr
	waiting chan *onlyConn // the one that nobody accepted yet
	over    chan struct{}  // closed when nothing is left to wait for
	once    sync.Once
}

func (s *single) Accept() (net.Conn, error) {
	select {
	case conn := <-s.waiting:
		return conn, nil
	case <-s.over:
		return nil, net.ErrClosed
	}
}

func (s *single) Close() error {
	select {
	case conn := <-s.waiting:
		return conn.Close()
	default:
		s.end()
		return nil
	}
}

func (s *single) Addr() net.Addr { return s.address }

func (s *single) end() { s.once.Do(func() { close(s.over) }) }

// onlyConn is the connection of a single.
type onlyConn struct {
	net.Conn
	of *single
}

func (c *onlyConn) Close() error {
	defer c.of.end()
	return c.Conn.Close()
}

// CloseWrite ends the sending side alone, where the connection has two.
func (c *onlyConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}
