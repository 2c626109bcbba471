package wrap

import (
	"fmt"
	"io"

	"golang.org/x/sys/unix"
)

// reservation is sockets bound to one port of both loopback addresses, or of
// 127.0.0.1 where IPv6 is off. They never listen. While they live the kernel
// gives the port to nobody who asks for any port, so that neither a stranger's
// service nor our own connection to it can be taken for the program; the
// program's sockets come beside them by SO_REUSEADDR.
type reservation []int

func (r reservation) Close() error {
	for _, fd := range r {
		unix.Close(fd)
	}
	return nil
}

// reserve takes a port that is free on both addresses.
func reserve() (port int, held io.Closer, err error) {
	const attempts = 100
	for range attempts {
		var r reservation
		if port, r, err = reserveBoth(); err == nil {
			return port, r, nil
		}
	}
	return 0, nil, fmt.Errorf("no free loopback port: %w", err)
}

func reserveBoth() (port int, r reservation, err error) {
	four, err := reserveAt(&unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}, unix.AF_INET)
	if err != nil {
		return 0, nil, err
	}
	port = int(boundTo(four).Port())
	six, err := reserveAt(&unix.SockaddrInet6{Addr: [16]byte{15: 1}, Port: port}, unix.AF_INET6)
	switch err {
	case nil:
		return port, reservation{four, six}, nil
	case unix.EAFNOSUPPORT, unix.EADDRNOTAVAIL: // IPv6 is off
		return port, reservation{four}, nil
	}
	unix.Close(four)
	return 0, nil, err
}

// reserveAt allows company only once it is alone.
func reserveAt(addr unix.Sockaddr, family int) (int, error) {
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	if err = unix.Bind(fd, addr); err == nil {
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}
