//go:build unix

package access

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// peek copies what a plain socket has to read to p and leaves it there. It
// waits for the first of it, up to the deadline. 0: nothing came, or c is no
// plain socket; reading tells.
func peek(c net.Conn, p []byte) (n int) {
	raw := rawConn(c)
	if raw == nil {
		return 0
	}
	raw.Read(func(fd uintptr) bool {
		var err error
		n, _, err = unix.Recvfrom(int(fd), p, unix.MSG_PEEK)
		n = max(n, 0)
		return err != unix.EAGAIN
	})
	return n
}

// rawConn is c's descriptor if c is a socket of package net itself.
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
