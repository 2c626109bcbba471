package wrap

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// abi is one way to call bind(2): a system call of one architecture, if its
// argument number arg, compared with value by jump, says so.
type abi struct {
	arch, nr uint32
	arg      uint32
	jump     uint16 // unix.BPF_JEQ or unix.BPF_JGE
	value    uint32
}

// The smallest address of TCP is that of IPv4. Shorter ones, such as those of
// netlink, are not worth a notification.
const smallestAddress = unix.SizeofSockaddrInet4

// socketcall is the one system call for sockets of old i386 programs: its
// first argument is socketcallBind, its second points to those of bind(2).
const (
	socketcall     = 102
	socketcallBind = 2
	x32            = 0x40000000 // marks the system calls of the x32 ABI
)

// abis are, by GOARCH, all that the kernel of a machine may run.
var abis = map[string][]abi{
	"amd64": {
		{unix.AUDIT_ARCH_X86_64, 49, 2, unix.BPF_JGE, smallestAddress},
		{unix.AUDIT_ARCH_X86_64, x32 | 49, 2, unix.BPF_JGE, smallestAddress},
		{unix.AUDIT_ARCH_I386, 361, 2, unix.BPF_JGE, smallestAddress},
		{unix.AUDIT_ARCH_I386, socketcall, 0, unix.BPF_JEQ, socketcallBind},
	},
	"arm64": {
		{unix.AUDIT_ARCH_AARCH64, 200, 2, unix.BPF_JGE, smallestAddress},
		{unix.AUDIT_ARCH_ARM, 282, 2, unix.BPF_JGE, smallestAddress},
	},
}

// Offsets in struct seccomp_data, both machines being little-endian.
const (
	dataNr   = 0
	dataArch = 4
	dataArgs = 16
)

// filter asks us about every bind(2) and allows all the rest.
func filter(calls []abi) []unix.SockFilter {
	const load = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
	const equal = unix.BPF_JMP | unix.BPF_K | unix.BPF_JEQ
	const give = unix.BPF_RET | unix.BPF_K
	var program []unix.SockFilter
	for _, c := range calls {
		program = append(program, // Jf leads to the next call
			unix.SockFilter{Code: load, K: dataArch},
			unix.SockFilter{Code: equal, K: c.arch, Jf: 5},
			unix.SockFilter{Code: load, K: dataNr},
			unix.SockFilter{Code: equal, K: c.nr, Jf: 3},
			unix.SockFilter{Code: load, K: dataArgs + 8*c.arg},
			unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_K | c.jump, K: c.value, Jf: 1},
			unix.SockFilter{Code: give, K: unix.SECCOMP_RET_USER_NOTIF},
		)
	}
	return append(program, unix.SockFilter{Code: give, K: unix.SECCOMP_RET_ALLOW})
}

// notification is struct seccomp_notif: a thread that waits in a system call.
type notification struct {
	id      uint64
	pid     uint32 // the thread's
	flags   uint32
	nr      int32
	arch    uint32
	pointer uint64 // of the instruction
	args    [6]uint64
}

// response is struct seccomp_notif_resp.
type response struct {
	id    uint64
	value int64
	errno int32 // negative
	flags uint32
}

// listener is the file that the notifications of a filter come from.
type listener struct {
	fd       int
	received []uint64 // of the kernel's size of a notification or more
	answered []uint64 // and of a response
}

// listen puts the filter on this thread, which must be locked, and on all that
// it forks from now on. Where that takes no_new_privs, it is set.
func listen() (*listener, *failure) {
	calls := abis[runtime.GOARCH]
	if calls == nil {
		return nil, &failure{Text: "not written for " + runtime.GOARCH, Unsupported: true}
	}
	var sizes struct{ notification, response, data uint16 }
	if _, errno := seccomp(unix.SECCOMP_GET_NOTIF_SIZES, 0, unsafe.Pointer(&sizes)); errno != 0 {
		return nil, refused("seccomp", errno)
	}
	fd, errno := install(filter(calls))
	if errno != 0 {
		return nil, refused("seccomp", errno)
	}
	return &listener{
		fd:       fd,
		received: words(max(uintptr(sizes.notification), unsafe.Sizeof(notification{}))),
		answered: words(max(uintptr(sizes.response), unsafe.Sizeof(response{}))),
	}, nil
}

// words is room for size bytes, aligned.
func words(size uintptr) []uint64 { return make([]uint64, (size+7)/8) }

// install prefers, of what the kernel has, that a signal does not interrupt a
// bind which we already look at (Linux 5.19).
func install(program []unix.SockFilter) (fd int, errno unix.Errno) {
	prog := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	for _, more := range []uintptr{unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, 0} {
		flags := unix.SECCOMP_FILTER_FLAG_NEW_LISTENER | more
		fd, errno = seccomp(unix.SECCOMP_SET_MODE_FILTER, flags, unsafe.Pointer(&prog))
		if errno == unix.EACCES && unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == nil {
			fd, errno = seccomp(unix.SECCOMP_SET_MODE_FILTER, flags, unsafe.Pointer(&prog))
		}
		if errno != unix.EINVAL {
			break
		}
	}
	return fd, errno
}

func seccomp(operation, flags uintptr, args unsafe.Pointer) (int, unix.Errno) {
	n, _, errno := unix.Syscall(unix.SYS_SECCOMP, operation, flags, uintptr(args))
	return int(n), errno
}

// receive waits for the next notification, which is good until the next call.
// ENOENT: its thread was killed meanwhile.
func (l *listener) receive() (*notification, unix.Errno) {
	clear(l.received) // as the kernel demands
	n := (*notification)(unsafe.Pointer(&l.received[0]))
	return n, l.ioctl(unix.SECCOMP_IOCTL_NOTIF_RECV, unsafe.Pointer(n))
}

// waits tells whether n's thread still waits, so that what was found under its
// number is its own.
func (l *listener) waits(n *notification) bool {
	id := n.id
	return l.ioctl(unix.SECCOMP_IOCTL_NOTIF_ID_VALID, unsafe.Pointer(&id)) == 0
}

// answer ends the call with errno, 0 being success; unhandled, it goes on in
// the kernel as if nobody had asked. A thread that is gone needs no answer.
func (l *listener) answer(n *notification, errno unix.Errno, handled bool) {
	clear(l.answered)
	r := (*response)(unsafe.Pointer(&l.answered[0]))
	r.id = n.id
	r.errno = -int32(errno)
	if !handled {
		r.flags = unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE
		r.errno = 0
	}
	l.ioctl(unix.SECCOMP_IOCTL_NOTIF_SEND, unsafe.Pointer(r))
}

func (l *listener) ioctl(request uintptr, arg unsafe.Pointer) unix.Errno {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(l.fd), request, uintptr(arg))
	return errno
}

// refused puts errno, the answer to call, in words.
func refused(call string, errno unix.Errno) *failure {
	text := call + ": " + errno.Error()
	switch errno {
	case unix.ENOSYS, unix.EINVAL:
		text += ": the kernel is older than Linux 5.6, or a container's policy hides the call"
	case unix.EPERM, unix.EACCES:
		text += ": forbidden by a container's policy or by the rules of ptrace"
	case unix.EBUSY:
		text += ": a container manager, or a wrap around this one, already listens to this process's system calls"
	}
	return &failure{Text: text, Errno: errno, Unsupported: true}
}
