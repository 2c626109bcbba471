//go:build unix

package message

import (
	"net"
	"syscall"
)

// trier writes to a plain socket without waiting for it, whatever its deadline.
type trier struct {
	conn    syscall.RawConn // nil: no plain socket
	p       []byte
	n       int
	err     error
	attempt func(fd uintptr) // bound once: a method value allocates
}

func newTrier(c net.Conn) *trier {
	t := &trier{}
	switch c := c.(type) {
	case *net.TCPConn:
		t.conn, _ = c.SyscallConn()
	case *net.UnixConn:
		t.conn, _ = c.SyscallConn()
	}
	t.attempt = t.once
	return t
}

// write sends the beginning of p, perhaps nothing. It is by Control, which only
// keeps the socket open: RawConn.Write gets ready to wait each time.
func (t *trier) write(p []byte) (int, error) {
	if t.conn == nil {
		return 0, nil
	}
	t.p, t.n, t.err = p, 0, nil
	err := t.conn.Control(t.attempt)
	if t.p = nil; err == nil {
		err = t.err
	}
	return t.n, err
}

func (t *trier) once(fd uintptr) {
	for {
		n, errno := send(fd, t.p)
		switch errno {
		case 0:
			t.n = n
			return
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
			return
		}
		t.err = errno
		return
	}
}
