//go:build unix

package message

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// trier writes to a plain socket without waiting for it.
type trier struct {
	conn    syscall.RawConn // nil: no plain socket
	p       []byte
	n       int
	err     error
	attempt func(fd uintptr) bool // bound once: a method value allocates
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

// write sends the beginning of p, perhaps nothing.
func (t *trier) write(p []byte) (int, error) {
	if t.conn == nil {
		return 0, nil
	}
	t.p, t.n, t.err = p, 0, nil
	err := t.conn.Write(t.attempt)
	if t.p = nil; err == nil {
		err = t.err
	}
	return t.n, err
}

func (t *trier) once(fd uintptr) bool {
	for {
		n, err := unix.Write(int(fd), t.p)
		switch err {
		case nil:
			t.n = n
			return true
		case unix.EINTR:
			continue
		case unix.EAGAIN:
			return true
		}
		t.err = err
		return true
	}
}
