package passthrough

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// endTimeout is how long, once one side has ended, nothing may move.
	endTimeout = 30 * time.Second
	// briefTimeout is the same once a side is gone and takes nothing more.
	briefTimeout = 2 * time.Second
)

// buffer takes a TLS record.
type buffer [16 << 10]byte

// ending is why a join ended: who, and in which words.
type ending struct{ by, reason string }

var (
	endIdle     = ending{"bridge", "session idle"}
	endShutdown = ending{"bridge", "bridge shutting down"}
)

// join is a client and a target after the 101. Each direction is carried by a
// goroutine of the proxy's until its side ends; then the other side is told by
// a half-close and may go on. Silence of both ends the join: for Idle while
// both live, for endTimeout or briefTimeout from the first end on.
type join struct {
	client, target side

	began  time.Time
	moved  atomic.Int64 // when the last byte was, in ns since began
	detach func() bool  // the context no longer ends the join

	mu    sync.Mutex
	limit time.Duration // of silence; 0: none
	timer *time.Timer   // nil as long as there is no limit
	end   ending        // the first one; the zero value while both sides live
}

// side is one end of a join. The proxy copies from it by WriteTo.
type side struct {
	net.Conn
	name  string
	early []byte // what the peer said along with the handshake: it comes first
	moved atomic.Int64
	peer  *side
	join  *join
	to    *Target // lends buffers and pipes
}

func newJoin(to *Target, target net.Conn, early []byte) *join {
	j := &join{began: time.Now(), limit: to.Idle}
	j.client = side{name: "client", peer: &j.target, join: j, to: to}
	j.target = side{Conn: target, name: "target", early: early, peer: &j.client, join: j, to: to}
	return j
}

func (j *join) setClient(conn net.Conn, early []byte) {
	j.client.Conn, j.client.early = conn, early
}

// start watches the join: for silence, and for the end of ctx.
func (j *join) start(ctx context.Context) {
	j.moved.Store(int64(time.Since(j.began)))
	j.mu.Lock()
	j.arm()
	j.mu.Unlock()
	j.detach = context.AfterFunc(ctx, func() { j.cut(endShutdown) })
}

// arm needs mu.
func (j *join) arm() {
	switch {
	case j.limit == 0:
	case j.timer == nil:
		j.timer = time.AfterFunc(j.limit, j.check)
	default:
		j.timer.Reset(j.limit)
	}
}

// check is the timer's: it ends the join unless something has moved.
func (j *join) check() {
	j.mu.Lock()
	silent := time.Since(j.began) - time.Duration(j.moved.Load())
	over := silent >= j.limit
	if !over {
		j.timer.Reset(j.limit - silent)
	}
	j.mu.Unlock()
	if over {
		j.cut(endIdle)
	}
}

// ended notes why the join ends, the first time, and how patient to be with
// what is left.
func (j *join) ended(why ending, patience time.Duration) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.end == (ending{}) {
		j.end = why
	}
	if j.limit == 0 || patience < j.limit {
		j.limit = patience
		j.moved.Store(int64(time.Since(j.began)))
		j.arm()
	}
}

// cut ends both sides at once, with nothing said: between which bytes a frame
// of ours could go is known to the two sides alone.
func (j *join) cut(why ending) {
	j.ended(why, briefTimeout)
	for _, s := range []*side{&j.client, &j.target} {
		s.SetDeadline(time.Unix(1, 0))
	}
}

// finish stops watching, once both directions have ended, and says why they did.
func (j *join) finish() ending {
	j.detach()
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.timer != nil {
		j.timer.Stop()
	}
	return j.end
}

// WriteTo carries all that s says to its peer, which is what the writer leads
// to, and returns no error: how a direction ended must not cut the other one.
func (s *side) WriteTo(io.Writer) (int64, error) {
	err := s.carry()
	s.to.log().Debug("nothing more to carry", "from", s.name, "err", err)
	var lost *writeError
	if errors.As(err, &lost) {
		s.join.ended(endingOf(s.peer.name, lost.err))
		// Closing on unread bytes would reset the connection, and cost s what
		// it has not read yet.
		io.Copy(io.Discard, s.Conn)
	} else {
		s.join.ended(endingOf(s.name, err))
	}
	return s.moved.Load(), nil
}

// carry returns what reading s ended by, or a *writeError.
func (s *side) carry() error {
	early := s.early
	s.early = nil
	if err := s.deliver(early); err != nil {
		return err
	}
	if err := s.splice(); !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return s.copy()
}

func (s *side) copy() error {
	b, ok := s.to.buffers.Get().(*buffer)
	if !ok {
		b = new(buffer)
	}
	defer s.to.buffers.Put(b)
	for {
		n, err := s.Read(b[:])
		if err := s.deliver(b[:n]); err != nil {
			return err
		}
		if err != nil {
			return err
		}
	}
}

// deliver writes p to the peer.
func (s *side) deliver(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	n, err := s.peer.Write(p)
	s.count(n)
	if err != nil {
		return &writeError{err}
	}
	return nil
}

// count notes n bytes that have reached the peer.
func (s *side) count(n int) {
	s.moved.Add(int64(n))
	s.join.moved.Store(int64(time.Since(s.join.began)))
}

// CloseWrite tells s that nothing more comes, and leaves it its own say where
// its connection can; where not, it is closed.
func (s *side) CloseWrite() error {
	half, ok := s.Conn.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		s.Conn.Close()
	}
	return nil
}

// writeError is the peer's error.
type writeError struct{ err error }

func (e *writeError) Error() string { return e.err.Error() }

// endingOf names what a side ended by, and how much patience is left for the
// other one.
func endingOf(name string, err error) (ending, time.Duration) {
	switch {
	case err == io.EOF:
		return ending{name, name + " closed"}, endTimeout
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return ending{name, name + " vanished"}, briefTimeout
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return ending{name, name + " reset"}, briefTimeout
	case errors.Is(err, os.ErrDeadlineExceeded):
		return endIdle, briefTimeout // cut has said more
	}
	return ending{name, name + " failed"}, briefTimeout
}
