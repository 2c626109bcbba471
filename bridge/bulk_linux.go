package bridge

import (
	"sync"
	"syscall"

	"github.com/gobwas/ws"
	"golang.org/x/sys/unix"

	"github.com/wsbridge/wsbridge/frame"
	"github.com/wsbridge/wsbridge/message"
)

const (
	bulkMax  = 128 << 10 // payload of one spliced frame: browsers deliver whole frames only
	bulkMin  = 16 << 10  // fewer bytes than this are cheaper to copy
	pipesMax = 64        // pipes kept for reuse
)

// bulk moves target bytes to the client inside the kernel: target -> pipe, a
// frame header for as many bytes as the pipe took, pipe -> client. It holds a
// pipe only while bytes are in it.
type bulk struct {
	s        *session
	from, to syscall.RawConn
	try      func(fd uintptr) bool // bound once: a method value allocates
	pipe     *pipe
	n        int   // bytes in pipe
	lost     error // why the target ended: its socket tells once, and told us
}

// newBulk makes a bulk that moves nothing unless both sides are plain sockets.
func newBulk(s *session) *bulk {
	b := &bulk{s: s, from: rawConn(s.target), to: rawConn(s.client)}
	b.try = b.fill
	return b
}

// run moves frames as long as each is worth it, waiting for the target in
// between. It returns nil, with no byte left on the way, when little came, at
// the target's end or when the kernel declines: the copying path goes on and
// finds out. An error is the client's.
func (b *bulk) run() error {
	if b.from == nil || b.to == nil {
		return nil
	}
	for {
		b.n = 0
		b.from.Read(b.try)
		if b.n == 0 {
			return nil
		}
		if err := b.s.out.Exclusive(b.send); err != nil {
			b.pipe.close() // bytes are left in it
			return err
		}
		b.s.toClient.Add(int64(b.n))
		b.s.server.pipes.put(b.pipe)
		if b.n < bulkMin {
			return nil
		}
	}
}

// fill takes a pipe, moves what the socket has into it, and gives the pipe back
// when nothing came.
func (b *bulk) fill(fd uintptr) (done bool) {
	p := b.s.server.pipes.get()
	if p == nil {
		return true
	}
	n, err := splice(int(fd), p.w, bulkMax)
	if n > 0 {
		b.pipe, b.n = p, n
		return true
	}
	b.s.server.pipes.put(p)
	if err != nil && err != unix.EAGAIN && !declined(err) {
		b.lost = err
	}
	return err != unix.EAGAIN
}

// declined tells that the kernel does not splice here; other errors are the
// socket's.
func declined(err error) bool {
	return err == unix.EINVAL || err == unix.ENOSYS || err == unix.EPERM || err == unix.ENOMEM
}

// end is why the target ended, for which a read has err.
func (b *bulk) end(err error) error {
	if b != nil && b.lost != nil {
		return b.lost
	}
	return err
}

// send writes one frame of the bytes in the pipe. It runs inside exclusive.
func (b *bulk) send() error {
	if b.s.out.Closed() {
		return message.ErrClosed
	}
	head := frame.AppendHeader(make([]byte, 0, frame.HeaderRoom), ws.OpBinary, b.n)
	if err := sendMore(b.to, head); err != nil {
		return err
	}
	return b.pipe.drain(b.to, b.n)
}

// sendMore writes p to a socket and says that more follows at once.
func sendMore(c syscall.RawConn, p []byte) (err error) {
	rawErr := c.Write(func(fd uintptr) bool {
		for len(p) > 0 && err == nil {
			var n int
			n, err = unix.SendmsgN(int(fd), p, nil, nil, unix.MSG_MORE|unix.MSG_NOSIGNAL)
			p = p[max(n, 0):]
			if err == unix.EINTR {
				err = nil
			}
		}
		if err == unix.EAGAIN {
			err = nil
			return false
		}
		return true
	})
	if err == nil {
		err = rawErr
	}
	return err
}

// pipe is where bytes wait between two sockets.
type pipe struct{ r, w int }

// drain moves n bytes, which p holds, to the socket.
func (p *pipe) drain(c syscall.RawConn, n int) (err error) {
	rawErr := c.Write(func(fd uintptr) bool {
		for n > 0 {
			m, spliceErr := splice(p.r, int(fd), n)
			switch {
			case spliceErr == unix.EAGAIN:
				return false
			case spliceErr != nil:
				err = spliceErr
				return true
			}
			n -= m
		}
		return true
	})
	if err == nil {
		err = rawErr
	}
	return err
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

func (p *pipe) close() {
	unix.Close(p.r)
	unix.Close(p.w)
}

// pipes keeps empty pipes for reuse.
type pipes struct {
	mu   sync.Mutex
	free []*pipe
}

// get is nil when the system gives no pipe.
func (ps *pipes) get() *pipe {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if last := len(ps.free) - 1; last >= 0 {
		p := ps.free[last]
		ps.free = ps.free[:last]
		return p
	}
	var fds [2]int
	if unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK) != nil {
		return nil
	}
	unix.FcntlInt(uintptr(fds[1]), unix.F_SETPIPE_SZ, bulkMax)
	return &pipe{fds[0], fds[1]}
}

func (ps *pipes) put(p *pipe) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if len(ps.free) == pipesMax {
		p.close()
		return
	}
	ps.free = append(ps.free, p)
}

func (ps *pipes) close() {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	for _, p := range ps.free {
		p.close()
	}
	ps.free = nil
}
