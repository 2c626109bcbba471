package listen

import (
	"errors"
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// setKeepAlive sets the options once, on the listening socket: connections
// inherit them, which spares four system calls for each.
func setKeepAlive(config *net.ListenConfig, k net.KeepAliveConfig) {
	config.KeepAlive = -1
	config.Control = func(_, _ string, c syscall.RawConn) error { return setOptions(c, k) }
}

// keepAliveOn sets them on a socket that listens already.
func keepAliveOn(l *net.TCPListener, k net.KeepAliveConfig) error {
	c, err := l.SyscallConn()
	if err != nil {
		return err
	}
	return setOptions(c, k)
}

func setOptions(c syscall.RawConn, k net.KeepAliveConfig) (err error) {
	controlErr := c.Control(func(fd uintptr) {
		for _, o := range [][3]int{
			{unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
			{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, int(k.Idle / time.Second)},
			{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, int(k.Interval / time.Second)},
			{unix.IPPROTO_TCP, unix.TCP_KEEPCNT, k.Count},
		} {
			if err == nil {
				err = unix.SetsockoptInt(int(fd), o[0], o[1], o[2])
			}
		}
	})
	return errors.Join(controlErr, err)
}
