package bridge

import (
	"net"

	"golang.org/x/sys/unix"
)

// hungUp tells that nothing can come or go by c any more, as after a reset. A peer
// that has only ended its own side has not hung up; false, too, where c is no
// socket.
func hungUp(c net.Conn) (yes bool) {
	if secure, ok := c.(interface{ NetConn() net.Conn }); ok {
		c = secure.NetConn()
	}
	raw := rawConn(c)
	if raw == nil {
		return false
	}
	raw.Control(func(fd uintptr) {
		is := []unix.PollFd{{Fd: int32(fd)}}
		_, err := unix.Poll(is, 0)
		yes = err == nil && is[0].Revents&unix.POLLHUP != 0
	})
	return yes
}
