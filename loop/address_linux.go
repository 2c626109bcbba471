package loop

import (
	"encoding/binary"
	"net/netip"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// address is a TCP socket's address as the kernel writes it.
type address unix.RawSockaddrInet6

// name is getpeername or getsockname.
func name(call uintptr, fd int) (netip.AddrPort, unix.Errno) {
	var a address
	size := uint32(unsafe.Sizeof(a))
	_, _, errno := unix.RawSyscall(call, uintptr(fd), uintptr(unsafe.Pointer(&a)), uintptr(unsafe.Pointer(&size)))
	return a.addrPort(), errno
}

// addrPort is a as package net has it: IPv4 is not dressed up as IPv6. It is
// zero for a socket of another kind.
func (a *address) addrPort() netip.AddrPort {
	switch a.Family {
	case unix.AF_INET:
		four := (*unix.RawSockaddrInet4)(unsafe.Pointer(a))
		return netip.AddrPortFrom(netip.AddrFrom4(four.Addr), port(&four.Port))
	case unix.AF_INET6:
		addr := netip.AddrFrom16(a.Addr).Unmap()
		if a.Scope_id != 0 {
			addr = addr.WithZone(strconv.FormatUint(uint64(a.Scope_id), 10))
		}
		return netip.AddrPortFrom(addr, port(&a.Port))
	}
	return netip.AddrPort{}
}

// port is in network order, whatever that of the machine is.
func port(p *uint16) uint16 { return binary.BigEndian.Uint16((*[2]byte)(unsafe.Pointer(p))[:]) }
