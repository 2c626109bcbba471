package loop

import (
	"cmp"
	"io"
	"net/netip"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Events are what a socket can do, or what its owner wants to know.
type Events uint32

// Readable is also said of an end or an error: reading tells which.
const (
	Readable Events = unix.EPOLLIN
	Writable Events = unix.EPOLLOUT
)

// Owner is told when its sockets are ready for what it wants.
type Owner interface {
	Ready(s *Socket, can Events)
}

// Socket is a non-blocking stream socket in a loop. Its methods are for the
// loop's goroutine. Read and Write return ErrWouldBlock instead of waiting.
type Socket struct {
	loop       *Loop
	owner      Owner
	fd         int
	generation int32  // tells it from sockets that had its descriptor before
	wants      Events // what the owner is told of
	watched    bool   // by the kernel, for
	watching   Events // this: wants, and perhaps reading that was wanted before
}

// errWouldBlock is a type of its own so that an error costs no allocation.
type errWouldBlock struct{}

func (errWouldBlock) Error() string { return "operation would block" }

// ErrWouldBlock says that nothing can be read or written now.
var ErrWouldBlock error = errWouldBlock{}

// Open gives fd, which s closes from now on, to the loop. s must be new; it
// wants nothing yet. It is for the loop's goroutine.
func (l *Loop) Open(s *Socket, fd int, owner Owner) {
	l.generation++
	*s = Socket{loop: l, owner: owner, fd: fd, generation: l.generation}
	for len(l.sockets) <= fd {
		l.sockets = append(l.sockets, make([]*Socket, max(64, len(l.sockets)))...)
	}
	l.sockets[fd] = s
}

// Want sets what the owner is told of; an error means that the system is out
// of memory for watches. That nothing is to be read any more the kernel is told
// only once there is something: often it is wanted again before.
func (s *Socket) Want(events Events) error {
	if events == s.wants || s.loop == nil {
		return nil
	}
	s.wants = events
	if s.watched && s.watching == events|Readable {
		return nil
	}
	return s.watch()
}

// watch tells the kernel what is wanted.
func (s *Socket) watch() error {
	if s.watched && s.watching == s.wants {
		return nil
	}
	op := unix.EPOLL_CTL_MOD
	if !s.watched {
		op = unix.EPOLL_CTL_ADD
	}
	event := unix.EpollEvent{Events: uint32(s.wants), Fd: int32(s.fd), Pad: s.generation}
	if _, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(s.loop.epoll), uintptr(op), uintptr(s.fd), uintptr(unsafe.Pointer(&event)), 0, 0); errno != 0 {
		return errno
	}
	s.watching, s.watched = s.wants, true
	return nil
}

func (s *Socket) unwatch() {
	unix.EpollCtl(s.loop.epoll, unix.EPOLL_CTL_DEL, s.fd, nil)
	s.watching, s.watched = 0, false
}

// Close closes the socket; it leaves the loop with its descriptor. Closing it
// again, or one that was never opened, is nothing.
func (s *Socket) Close() {
	if s.loop == nil {
		return
	}
	s.loop.sockets[s.fd] = nil
	unix.Close(s.fd)
	*s = Socket{}
}

// Release takes the socket out of the loop and returns its descriptor, which is
// the caller's.
func (s *Socket) Release() (fd int) {
	if s.watched {
		s.unwatch()
	}
	fd = s.fd
	s.loop.sockets[fd] = nil
	*s = Socket{}
	return fd
}

// Duplicate is another descriptor of the socket, which is the caller's.
func (s *Socket) Duplicate() (fd int, err error) {
	return unix.FcntlInt(uintptr(s.fd), unix.F_DUPFD_CLOEXEC, 0)
}

// Move makes to, which must be new, what s was, with another owner.
func (s *Socket) Move(to *Socket, owner Owner) {
	*to = *s
	to.owner = owner
	s.loop.sockets[s.fd] = to
	*s = Socket{}
}

// Accept accepts a connection of a listening TCP socket; the descriptor is the
// caller's. What a client did to one that is not ready is not told.
func (s *Socket) Accept() (fd int, from netip.AddrPort, err error) {
	for {
		var a address
		size := uint32(unsafe.Sizeof(a))
		fd, _, errno := unix.RawSyscall6(unix.SYS_ACCEPT4, uintptr(s.fd), uintptr(unsafe.Pointer(&a)), uintptr(unsafe.Pointer(&size)), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
		switch errno {
		case 0:
			return int(fd), a.addrPort(), nil
		case unix.EINTR, unix.ECONNABORTED:
			continue
		case unix.EAGAIN:
			return -1, from, ErrWouldBlock
		}
		return -1, from, errno
	}
}

// RTT is how long the kernel thinks a round trip to the peer takes; 0: it does
// not know.
func (s *Socket) RTT() time.Duration { return rtt(s.fd) }

func rtt(fd int) time.Duration {
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		return 0
	}
	return time.Duration(info.Rtt) * time.Microsecond
}

// Acked is how many bytes the peer has acknowledged; 0: not known.
func (s *Socket) Acked() int64 {
	info, err := unix.GetsockoptTCPInfo(s.fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		return 0
	}
	return int64(info.Bytes_acked)
}

// Abandon has Close throw away what the peer has not taken, which the kernel would
// keep for it: the peer gets a reset.
func (s *Socket) Abandon() {
	unix.SetsockoptLinger(s.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
}

// CloseWrite ends the sending side.
func (s *Socket) CloseWrite() {
	if s.loop != nil {
		unix.Shutdown(s.fd, unix.SHUT_WR)
	}
}

// Connected tells how connecting goes; an error is its end.
func (s *Socket) Connected() (bool, error) {
	if errno, err := unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_ERROR); err != nil || errno != 0 {
		return false, cmp.Or(err, error(unix.Errno(errno)))
	}
	peer, errno := name(unix.SYS_GETPEERNAME, s.fd)
	if errno == unix.ENOTCONN {
		return false, nil
	}
	own, _ := name(unix.SYS_GETSOCKNAME, s.fd)
	switch {
	case errno != 0:
		return false, errno
	case own == peer:
		// Where nobody listens on a port of the range that connecting takes its
		// own ports from, a socket can be connected to itself.
		return false, unix.ECONNREFUSED
	}
	return true, nil
}

// Read reads once. The stream's end is io.EOF.
func (s *Socket) Read(p []byte) (int, error) { return s.read(p, 0) }

// Peek is Read of bytes that stay.
func (s *Socket) Peek(p []byte) (int, error) { return s.read(p, unix.MSG_PEEK) }

func (s *Socket) read(p []byte, flags int) (int, error) {
	n, err := transfer(unix.SYS_RECVFROM, s.fd, p, flags)
	if n == 0 && err == nil {
		err = io.EOF
	}
	return n, err
}

// Write writes what the socket takes now: less than all of p only together with
// an error.
func (s *Socket) Write(p []byte) (int, error) { return s.write(p, unix.MSG_NOSIGNAL) }

// WriteMore is Write of bytes that others follow at once.
func (s *Socket) WriteMore(p []byte) (int, error) {
	return s.write(p, unix.MSG_NOSIGNAL|unix.MSG_MORE)
}

// write takes a short count for what it means: no room.
func (s *Socket) write(p []byte, flags int) (int, error) {
	n, err := transfer(unix.SYS_SENDTO, s.fd, p, flags)
	if n < len(p) && err == nil {
		err = ErrWouldBlock
	}
	return n, err
}

// transfer is recv or send. A raw system call leaves the scheduler out of it,
// which is right for calls that never wait.
func transfer(call uintptr, fd int, p []byte, flags int) (int, error) {
	for {
		n, _, errno := unix.RawSyscall6(call, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), uintptr(flags), 0, 0)
		switch errno {
		case 0:
			return int(n), nil
		case unix.EINTR:
			continue
		case unix.EAGAIN:
			return 0, ErrWouldBlock
		}
		return 0, errno
	}
}

// SpliceFrom moves up to n bytes from the socket into a pipe; 0, nil is the
// stream's end.
func (s *Socket) SpliceFrom(pipe, n int) (int, error) { return splice(s.fd, pipe, n) }

// SpliceTo moves up to n bytes, which must be there, from a pipe to the socket.
func (s *Socket) SpliceTo(pipe, n int) (int, error) { return splice(pipe, s.fd, n) }

func splice(from, to, n int) (int, error) {
	for {
		m, _, errno := unix.RawSyscall6(unix.SYS_SPLICE, uintptr(from), 0, uintptr(to), 0, uintptr(n), unix.SPLICE_F_MOVE|unix.SPLICE_F_NONBLOCK)
		switch errno {
		case 0:
			return int(m), nil
		case unix.EINTR:
			continue
		case unix.EAGAIN:
			return 0, ErrWouldBlock
		}
		return 0, errno
	}
}
