package wrap

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"regexp"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// call is one thread's bind(fd, pointer, length).
type call struct {
	thread  int
	fd      int
	pointer uintptr // in the thread's memory
	length  int32
}

func decode(n *notification) (call, error) {
	args := n.args
	if n.arch == unix.AUDIT_ARCH_I386 && n.nr == socketcall {
		var packed [12]byte
		if err := peek(int(n.pid), uintptr(uint32(args[1])), packed[:]); err != nil {
			return call{}, err
		}
		for i := range 3 {
			args[i] = uint64(binary.LittleEndian.Uint32(packed[4*i:]))
		}
	}
	return call{int(n.pid), int(int32(args[0])), uintptr(args[1]), int32(args[2])}, nil
}

// address is what the thread wants to bind to. What is no address of TCP is an
// error that the kernel would find too, or has port 0.
func (c call) address() (netip.AddrPort, error) {
	var raw [unix.SizeofSockaddrInet6]byte
	if c.length < smallestAddress {
		return netip.AddrPort{}, unix.EINVAL
	}
	got := raw[:min(int(c.length), len(raw))]
	if err := peek(c.thread, c.pointer, got); err != nil {
		return netip.AddrPort{}, err
	}
	return parse(got), nil
}

// parse reads a struct sockaddr_in or sockaddr_in6; the zero AddrPort is
// anything else. To bind(2), family 0 and address 0 is IPv4 too.
func parse(raw []byte) netip.AddrPort {
	const short = 24 // an old sockaddr_in6, without the scope, is allowed
	family := binary.NativeEndian.Uint16(raw)
	port := binary.BigEndian.Uint16(raw[2:])
	four := netip.AddrFrom4([4]byte(raw[4:8]))
	switch {
	case family == unix.AF_INET, family == unix.AF_UNSPEC && four.IsUnspecified():
		return netip.AddrPortFrom(four, port)
	case family == unix.AF_INET6 && len(raw) >= short:
		return netip.AddrPortFrom(netip.AddrFrom16([16]byte(raw[8:24])), port)
	}
	return netip.AddrPort{}
}

// peek reads a thread's memory at pointer into to, all of it.
func peek(thread int, pointer uintptr, to []byte) error {
	local := []unix.Iovec{{Base: unsafe.SliceData(to)}}
	local[0].SetLen(len(to))
	remote := []unix.RemoteIovec{{Base: pointer, Len: len(to)}}
	n, err := unix.ProcessVMReadv(thread, local, remote, 0)
	if err == nil && n < len(to) {
		err = unix.EFAULT
	}
	return err
}

// socket is a duplicate of the file that the call is about. The caller closes
// it.
func (c call) socket() (int, error) {
	pid, err := pidfd(c.thread)
	if err != nil {
		return -1, err
	}
	defer unix.Close(pid)
	return unix.PidfdGetfd(pid, c.fd, 0)
}

// pidfd opens a thread, or before Linux 6.9 its process, which has the same
// files unless the thread took pains.
func pidfd(thread int) (int, error) {
	const ofThread = unix.O_EXCL // PIDFD_THREAD
	fd, err := unix.PidfdOpen(thread, ofThread)
	if err != unix.EINVAL {
		return fd, err
	}
	pid, err := processOf(thread)
	if err != nil {
		return -1, err
	}
	return unix.PidfdOpen(pid, 0)
}

var tgid = regexp.MustCompile(`(?m)^Tgid:\s*(\d+)$`)

// processOf is the process that a thread belongs to.
func processOf(thread int) (int, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", thread))
	if err != nil {
		return 0, err
	}
	found := tgid.FindSubmatch(status)
	if found == nil {
		return 0, unix.ESRCH
	}
	return strconv.Atoi(string(found[1]))
}

// probe tries on a process what moving a bind takes.
func probe(process int) *failure {
	fd, err := unix.PidfdOpen(process, 0)
	if errno, _ := err.(unix.Errno); errno != 0 {
		return gone(refused("pidfd_open", errno))
	}
	defer unix.Close(fd)
	file, err := unix.PidfdGetfd(fd, 0, 0)
	if err == nil {
		unix.Close(file)
	} else if errno, _ := err.(unix.Errno); errno != unix.EBADF {
		return gone(refused("pidfd_getfd", errno))
	}
	// Reading nothing shows a policy; the rules of ptrace have shown already.
	if errno, _ := peek(process, 0, nil).(unix.Errno); errno != 0 {
		return gone(refused("process_vm_readv", errno))
	}
	return nil
}

// gone forgives a failure that says that the process has ended.
func gone(f *failure) *failure {
	if f.Errno == unix.ESRCH {
		return nil
	}
	return f
}
