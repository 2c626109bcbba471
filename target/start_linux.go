package target

import (
	"cmp"
	"errors"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// Start begins what Dial does to an address that needs no looking up, for an
// event loop: it returns a non-blocking socket, which the caller closes. It is
// connected, or has failed, when it can be written to; timeout is how long that
// may take. errors.ErrUnsupported: only Dial can reach this target.
func (t TCP) Start() (fd int, timeout time.Duration, err error) {
	to, err := netip.ParseAddrPort(t.Address)
	if err != nil || t.Guard != nil || to.Addr().Zone() != "" || to.Addr().IsUnspecified() || to.Addr().Is4In6() {
		return -1, 0, errors.ErrUnsupported
	}
	var family int
	var address unix.Sockaddr
	if to.Addr().Is4() {
		family, address = unix.AF_INET, &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}
	} else {
		family, address = unix.AF_INET6, &unix.SockaddrInet6{Port: int(to.Port()), Addr: to.Addr().As16()}
	}
	fd, err = unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, 0, err
	}
	setOptions(fd)
	if err = unix.Connect(fd, address); err != nil && err != unix.EINPROGRESS {
		unix.Close(fd)
		return -1, 0, err
	}
	return fd, cmp.Or(t.Timeout, defaultTimeout), nil
}

// setOptions is what package net sets for Dial.
func setOptions(fd int) {
	seconds := func(d time.Duration) int { return int(d / time.Second) }
	unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
	unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, seconds(keepAlive.Idle))
	unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, seconds(keepAlive.Interval))
	unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPCNT, keepAlive.Count)
}
