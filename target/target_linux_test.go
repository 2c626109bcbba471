package target

import (
	"net"
	"testing"

	"golang.org/x/sys/unix"
)

func TestSocketOptions(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	c, err := TCP{Address: l.Addr().String()}.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) {
		for name, option := range map[string][2]int{
			"TCP_NODELAY":  {unix.IPPROTO_TCP, unix.TCP_NODELAY},
			"SO_KEEPALIVE": {unix.SOL_SOCKET, unix.SO_KEEPALIVE},
		} {
			if on, err := unix.GetsockoptInt(int(fd), option[0], option[1]); err != nil || on == 0 {
				t.Errorf("%s is off (%v)", name, err)
			}
		}
	})
}
