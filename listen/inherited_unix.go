//go:build unix

package listen

import (
	"errors"
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// startHint is what to do about a descriptor that is no socket.
const startHint = "let inetd start the program, or systemd with StandardInput=socket"

// Inherited takes over the socket that the starting program, such as inetd,
// left open as descriptor fd. A listening one ("wait") is served as it is, and
// its path stays at the end. A connected one ("nowait") is a listener of that
// one connection: Accept then waits for its end and is net.ErrClosed. Anything
// else is an error for the person, and fd is left alone.
//
// fd is closed, and of the descriptors 0, 1 and 2 each that is this socket,
// too, becomes the null device: a log on standard error must not reach the
// client, and the client must see the connection close.
func Inherited(fd int) (net.Listener, error) {
	listening, err := inspect(fd)
	switch {
	case errors.Is(err, errNotOpen), errors.Is(err, errNoSocket):
		return nil, fmt.Errorf("descriptor %d %w: %s", fd, err, startHint)
	case err != nil:
		return nil, fmt.Errorf("descriptor %d %w", fd, err)
	}
	l, err := adopt(fd, listening)
	if err != nil {
		return nil, fmt.Errorf("descriptor %d cannot be served: %w", fd, err)
	}
	if err := leave(fd); err != nil {
		l.Close()
		return nil, fmt.Errorf("descriptor %d cannot be given up: %w", fd, err)
	}
	return l, nil
}

var (
	errNotOpen  = errors.New("is not open")
	errNoSocket = errors.New("is not a socket")
)

// inspect tells a listening stream socket from a connected one; the error says
// what else fd is.
func inspect(fd int) (listening bool, err error) {
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return false, errNotOpen
	}
	if stat.Mode&unix.S_IFMT != unix.S_IFSOCK {
		return false, errNoSocket
	}
	if kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE); err != nil || kind != unix.SOCK_STREAM {
		return false, errors.New("is not a stream socket: in inetd's configuration write stream, in systemd's ListenStream")
	}
	if on, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN); err == nil && on != 0 {
		return true, nil
	}
	if _, err := unix.Getpeername(fd); err != nil {
		return false, fmt.Errorf("is a socket that neither listens nor is connected: %w", err)
	}
	return false, nil
}

// adopt serves fd through a descriptor of its own.
func adopt(fd int, listening bool) (net.Listener, error) {
	own, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(own), "inherited socket")
	defer f.Close()
	if !listening {
		conn, err := net.FileConn(f)
		if err != nil {
			return nil, err
		}
		if tcp, ok := conn.(*net.TCPConn); ok {
			tcp.SetKeepAliveConfig(keepAlive)
		}
		return newSingle(conn), nil
	}
	l, err := net.FileListener(f)
	tcp, ok := l.(*net.TCPListener)
	if !ok {
		return l, err
	}
	if err := keepAliveOn(tcp, keepAlive); err != nil {
		tcp.Close()
		return nil, err
	}
	return inheritedTCP{tcp}, nil
}

// inheritedTCP gives connections the keep-alive that Listen gives.
type inheritedTCP struct{ *net.TCPListener }

// TCP is for who accepts by other means than Accept: where the system has
// connections inherit keep-alive, the socket has it.
func (l inheritedTCP) TCP() *net.TCPListener { return l.TCPListener }

func (l inheritedTCP) Accept() (net.Conn, error) {
	conn, err := l.AcceptTCP()
	if err != nil {
		return nil, err
	}
	conn.SetKeepAliveConfig(keepAlive)
	return conn, nil
}

// leave lets go of the socket that is fd.
func leave(fd int) error {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	for standard := range 3 {
		if !sameSocket(standard, fd) || standard == fd {
			continue
		}
		if err := replace(int(null.Fd()), standard); err != nil {
			return err
		}
	}
	if fd > 2 {
		return unix.Close(fd)
	}
	return replace(int(null.Fd()), fd)
}

func sameSocket(a, b int) bool {
	var x, y unix.Stat_t
	return unix.Fstat(a, &x) == nil && unix.Fstat(b, &y) == nil && x.Dev == y.Dev && x.Ino == y.Ino
}
