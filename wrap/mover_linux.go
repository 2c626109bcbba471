package wrap

import (
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// mover answers the binds of a program. It must not run on a thread that is
// under the filter: it binds.
type mover struct {
	listener *listener
	port     uint16 // a bind of this one
	moved    uint16 // is done here
	report   func(report)
	told     map[string]bool // what was reported: once is enough, and cannot block
}

// serve answers until the process ends.
func (m *mover) serve() {
	for {
		n, errno := m.listener.receive()
		switch errno {
		case 0:
			errno, handled := m.bind(n)
			m.listener.answer(n, errno, handled)
		case unix.EINTR, unix.ENOENT:
		default:
			unix.Close(m.listener.fd) // binds fail now, they do not hang
			m.tell("blind", report{Blind: "seccomp: " + errno.Error()})
			return
		}
	}
}

// bind does the program's bind if it is one of ours.
func (m *mover) bind(n *notification) (errno unix.Errno, handled bool) {
	call, err := decode(n)
	if err != nil {
		return m.blind(n, err)
	}
	addr, err := call.address()
	if err != nil {
		return m.blind(n, err)
	}
	if addr.Port() != m.port {
		return 0, false
	}
	fd, err := call.socket()
	if err != nil {
		return m.blind(n, err)
	}
	defer unix.Close(fd)
	if !isTCP(fd) || !m.listener.waits(n) {
		return 0, false
	}
	to, err := m.move(fd, addr.Addr())
	if err != nil {
		errno, _ := err.(unix.Errno)
		return errno, true
	}
	m.tell(to.String(), report{Moved: to.String()})
	return 0, true
}

// blind leaves a bind to the kernel. It is worth words unless the kernel will
// find the same fault, or the thread has gone.
func (m *mover) blind(n *notification, err error) (unix.Errno, bool) {
	switch err {
	case unix.EFAULT, unix.EBADF, unix.EINVAL, unix.EAFNOSUPPORT, unix.ESRCH:
	default:
		if m.listener.waits(n) {
			m.tell("blind", report{Blind: fmt.Sprintf("process %d: %v", n.pid, err)})
		}
	}
	return 0, false
}

func (m *mover) tell(key string, r report) {
	if !m.told[key] {
		m.told[key] = true
		m.report(r)
	}
}

// move binds fd, the program's own socket, to the moved port on the loopback
// address of asked's family, and says where. SO_REUSEADDR lets it in beside the
// socket that reserves the port.
func (m *mover) move(fd int, asked netip.Addr) (netip.AddrPort, error) {
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return netip.AddrPort{}, err
	}
	to := netip.AddrPortFrom(loopback(asked), m.moved)
	err := bind(fd, to)
	if err == unix.EADDRNOTAVAIL && asked.Is6() { // IPv6 is off; the socket may do both
		to = netip.AddrPortFrom(mapped4(), m.moved)
		if bind(fd, to) == nil {
			err = nil
		}
	}
	if err == unix.EINVAL && boundTo(fd) == to {
		err = nil // a signal interrupted the program's call, and the kernel restarts it
	}
	return to, err
}

// loopback is the address of this machine that a socket bound to asked gets.
func loopback(asked netip.Addr) netip.Addr {
	switch {
	case asked.Is4():
		return netip.AddrFrom4([4]byte{127, 0, 0, 1})
	case asked.Is4In6():
		return mapped4()
	}
	return netip.IPv6Loopback()
}

// mapped4 is 127.0.0.1 to an IPv6 socket.
func mapped4() netip.Addr { return netip.MustParseAddr("::ffff:127.0.0.1") }

func bind(fd int, to netip.AddrPort) error {
	if to.Addr().Is4() {
		return unix.Bind(fd, &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()})
	}
	return unix.Bind(fd, &unix.SockaddrInet6{Port: int(to.Port()), Addr: to.Addr().As16()})
}

// boundTo is where fd is bound; zero if it cannot be told.
func boundTo(fd int) netip.AddrPort {
	switch name, _ := unix.Getsockname(fd); name := name.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(name.Addr), uint16(name.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(name.Addr), uint16(name.Port))
	}
	return netip.AddrPort{}
}

// isTCP tells a TCP socket, plain or multipath, from any other file.
func isTCP(fd int) bool {
	protocol, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PROTOCOL)
	return err == nil && (protocol == unix.IPPROTO_TCP || protocol == unix.IPPROTO_MPTCP)
}
