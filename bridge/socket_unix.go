//go:build unix

package bridge

import (
	"io"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// rawSource reads a plain socket by system call: it takes a buffer, tries, and
// gives it back before it waits.
type rawSource struct {
	conn  syscall.RawConn
	pool  *buffers
	try   func(fd uintptr) bool // bound once: a method value allocates
	limit int
	buf   *buffer
	n     int
	err   error
}

// newRawSource is nil when c is no plain socket.
func newRawSource(c net.Conn, pool *buffers) source {
	raw := rawConn(c)
	if raw == nil {
		return nil
	}
	s := &rawSource{conn: raw, pool: pool}
	s.try = s.tryRead
	return s
}

// rawConn is c's descriptor when c is a socket of the net package itself; nil
// for any wrapper, whose Read may do more than read.
func rawConn(c net.Conn) syscall.RawConn {
	var raw syscall.RawConn
	switch c := c.(type) {
	case *net.TCPConn:
		raw, _ = c.SyscallConn()
	case *net.UnixConn:
		raw, _ = c.SyscallConn()
	}
	return raw
}

// discardUnread reads what has come by c, if c is a socket of package net, and does
// not wait: not for bytes, nor for somebody else who does.
func discardUnread(c net.Conn) {
	if raw := rawConn(c); raw != nil {
		raw.Control(func(fd uintptr) { unix.Recvfrom(int(fd), make([]byte, headBytes), unix.MSG_DONTWAIT) })
	}
}

func (s *rawSource) next(limit int) (*buffer, int, error) {
	s.limit = limit
	if err := s.conn.Read(s.try); err != nil {
		return nil, 0, err
	}
	b := s.buf
	s.buf = nil
	if s.n > 0 {
		return b, s.n, nil
	}
	s.pool.put(b)
	if s.err != nil {
		return nil, 0, s.err
	}
	return nil, 0, io.EOF
}

func (s *rawSource) tryRead(fd uintptr) bool {
	s.buf = s.pool.get()
	s.n, s.err = readSocket(fd, s.buf.room()[:s.limit])
	if s.err != errWouldBlock {
		return true
	}
	s.pool.put(s.buf)
	s.buf = nil
	return false
}

// readSocket reads once; errWouldBlock: nothing is there. 0, nil is the end.
func readSocket(fd uintptr, p []byte) (int, error) {
	for {
		n, err := unix.Read(int(fd), p)
		switch err {
		case nil:
			return n, nil
		case unix.EINTR:
			continue
		case unix.EAGAIN:
			return 0, errWouldBlock
		}
		return 0, err
	}
}

// stashSize is what a wait brings along: a usual record, but no bulk, which is
// read straight to where it belongs.
const stashSize = 4096

// gate reads a socket without blocking and waits for it without a buffer.
type gate struct {
	conn    syscall.RawConn
	pool    *buffers
	stash   *buffer // bytes the wait brought along
	unread  []byte  // the rest of them
	drained bool    // the last read emptied the socket: wait before the next
	err     error   // the end the wait found
	try     func(fd uintptr) bool
}

// newGate is nil when c is no plain socket. rest was read ahead of c.
func newGate(c net.Conn, rest []byte, pool *buffers) *gate {
	raw := rawConn(c)
	if raw == nil {
		return nil
	}
	g := &gate{conn: raw, pool: pool, unread: rest}
	g.try = g.fill
	return g
}

func (g *gate) tryRead(p []byte) (n int, err error) {
	switch {
	case len(g.unread) > 0:
		n = copy(p, g.unread)
		g.unread = g.unread[n:]
		g.release()
		return n, nil
	case g.err != nil:
		return 0, g.err
	case g.drained:
		return 0, errWouldBlock
	}
	if rawErr := g.conn.Read(func(fd uintptr) bool { n, err = readSocket(fd, p); return true }); rawErr != nil {
		return 0, rawErr
	}
	g.drained = n < len(p)
	if n == 0 && err == nil {
		err = io.EOF
	}
	return n, err
}

func (g *gate) release() {
	if len(g.unread) == 0 && g.stash != nil {
		g.pool.put(g.stash)
		g.stash = nil
	}
}

// wait blocks until the socket has something, and keeps what it read.
func (g *gate) wait() error { return g.conn.Read(g.try) }

func (g *gate) fill(fd uintptr) bool {
	b := g.pool.get()
	n, err := readSocket(fd, b[:stashSize])
	if n > 0 {
		g.stash, g.unread, g.drained = b, b[:n], n < stashSize
		return true
	}
	g.pool.put(b)
	if err == nil {
		err = io.EOF
	}
	if err == errWouldBlock {
		return false
	}
	g.err = err
	return true
}
