package passthrough

import (
	"errors"
	"io"
	"net"
	"runtime"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// spliceMax is how much a pipe takes.
const spliceMax = 128 << 10

// splice carries s to its peer inside the kernel until s ends: socket -> pipe
// -> socket. A pipe is held only while bytes are in it, so silence costs
// nothing. errors.ErrUnsupported says that the kernel declines, and that no
// byte is on the way.
func (s *side) splice() error {
	from, to := rawConn(s.Conn), rawConn(s.peer.Conn)
	if from == nil || to == nil {
		return errors.ErrUnsupported
	}
	f := &filler{from: from, pipes: &s.to.pipes}
	f.try = f.fill
	for {
		p, n, err := f.next()
		if err != nil {
			return err
		}
		if err := p.drain(to, n, s.count); err != nil {
			p.close() // bytes are left in it
			return &writeError{err}
		}
		s.to.pipes.put(p)
	}
}

// rawConn is the socket of c, or nil when bytes mean more than what is on it.
func rawConn(c net.Conn) syscall.RawConn {
	switch c := c.(type) {
	case *net.TCPConn:
		raw, _ := c.SyscallConn()
		return raw
	case *net.UnixConn:
		raw, _ := c.SyscallConn()
		return raw
	}
	return nil
}

// filler moves what a socket has to say into pipes.
type filler struct {
	from  syscall.RawConn
	pipes *pipes
	try   func(fd uintptr) (done bool) // fill, bound once: a method value allocates

	pipe *pipe
	n    int
	err  error
}

// next waits for bytes and returns them in a pipe. io.EOF is the socket's end.
func (f *filler) next() (*pipe, int, error) {
	f.pipe, f.n, f.err = nil, 0, nil
	if err := f.from.Read(f.try); err != nil {
		return nil, 0, err
	}
	return f.pipe, f.n, f.err
}

func (f *filler) fill(fd uintptr) (done bool) {
	p, err := f.pipes.get()
	if err != nil {
		f.err = errors.ErrUnsupported // no descriptor left: copying takes none
		return true
	}
	n, err := splice(int(fd), p.w, spliceMax)
	if n > 0 {
		f.pipe, f.n = p, n
		return true
	}
	f.pipes.put(p)
	switch err {
	case unix.EAGAIN:
		return false
	case nil:
		f.err = io.EOF
	case unix.EINVAL, unix.ENOSYS:
		f.err = errors.ErrUnsupported
	default:
		f.err = err
	}
	return true
}

// splice moves up to n bytes without blocking; 0, nil is the end.
func splice(from, to, n int) (int, error) {
	for {
		m, err := unix.Splice(from, nil, to, nil, n, unix.SPLICE_F_MOVE|unix.SPLICE_F_NONBLOCK)
		if err != unix.EINTR {
			return int(m), err
		}
	}
}

// pipe is where bytes wait between two sockets.
type pipe struct{ r, w int }

// drain moves n bytes, which p holds, to the socket, and counts as it goes.
func (p *pipe) drain(to syscall.RawConn, n int, count func(int)) (err error) {
	rawErr := to.Write(func(fd uintptr) bool {
		for n > 0 {
			m, spliceErr := splice(p.r, int(fd), n)
			switch {
			case spliceErr == unix.EAGAIN:
				return false
			case spliceErr != nil:
				err = spliceErr
				return true
			}
			count(m)
			n -= m
		}
		return true
	})
	if err == nil {
		err = rawErr
	}
	return err
}

func (p *pipe) close() {
	runtime.SetFinalizer(p, nil)
	unix.Close(p.r)
	unix.Close(p.w)
}

// pipes keeps empty pipes for reuse. Those that nobody uses for a while are
// closed by the garbage collector.
type pipes struct{ pool sync.Pool }

func (ps *pipes) get() (*pipe, error) {
	if p, ok := ps.pool.Get().(*pipe); ok {
		return p, nil
	}
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return nil, err
	}
	unix.FcntlInt(uintptr(fds[1]), unix.F_SETPIPE_SZ, spliceMax)
	p := &pipe{fds[0], fds[1]}
	runtime.SetFinalizer(p, (*pipe).close)
	return p, nil
}

func (ps *pipes) put(p *pipe) { ps.pool.Put(p) }
