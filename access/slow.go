package access

import (
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// slow is a target that keeps to an Allowance.
type slow struct {
	net.Conn
	shares []*share
	bytes  int64        // 0: no limit
	left   atomic.Int64 // of them
	end    time.Time    // zero: never

	reads, writes pace
	writing       sync.Mutex // keeps a Write in one piece
	closing       sync.Once
}

var (
	errBytes = &Error{"session has used up its bytes", errors.New("session has used up its bytes")}
	errTime  = &Error{"session has used up its time", errors.New("session has used up its time")}
)

const (
	minPiece = 64       // bytes, however narrow the line
	maxPiece = 64 << 10 // bytes, however wide
	pieces   = 20       // in a second
)

func (c *slow) join(s *share) {
	if s != nil {
		c.shares = append(c.shares, s)
	}
}

// Read waits until what was read before has passed, and then reads a piece.
func (c *slow) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return c.Conn.Read(p)
	}
	if err := c.ready(&c.reads); err != nil {
		return 0, err
	}
	n, err := c.Conn.Read(p[:min(len(p), c.piece())])
	for _, s := range c.shares {
		c.reads.after(s.toClient.pass(n, s.rate.Load()))
	}
	c.spend(n)
	return n, c.why(err)
}

// Write writes p piece by piece.
func (c *slow) Write(p []byte) (n int, err error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	for {
		m, err := c.writePiece(p[n:min(len(p), n+c.piece())])
		n += m
		if err != nil || n == len(p) {
			return n, err
		}
	}
}

func (c *slow) writePiece(p []byte) (int, error) {
	if err := c.ready(&c.writes); err != nil {
		return 0, err
	}
	n, err := c.Conn.Write(p)
	for _, s := range c.shares {
		c.writes.after(s.toTarget.pass(n, s.rate.Load()))
	}
	c.spend(n)
	return n, c.why(err)
}

// piece is how many bytes may go at once: so few that they are soon over.
func (c *slow) piece() int {
	piece := int64(maxPiece)
	for _, s := range c.shares {
		if rate := s.rate.Load(); rate > 0 {
			piece = min(piece, rate/pieces)
		}
	}
	piece = max(piece, minPiece)
	if c.bytes > 0 {
		piece = min(piece, max(c.left.Load(), 1))
	}
	return int(piece)
}

// ready waits for p, and says why it waits no longer.
func (c *slow) ready(p *pace) error {
	err := p.wait()
	if c.usedUp() {
		return errBytes
	}
	return c.why(err)
}

func (c *slow) usedUp() bool { return c.bytes > 0 && c.left.Load() <= 0 }

// spend counts n bytes. After the last a Read that waits is ended.
func (c *slow) spend(n int) {
	if c.bytes > 0 && n > 0 && c.left.Add(-int64(n)) <= 0 {
		c.SetReadDeadline(time.Time{})
	}
}

// why tells a deadline that was the session's from one that was asked for.
func (c *slow) why(err error) error {
	switch {
	case !errors.Is(err, os.ErrDeadlineExceeded):
		return err
	case c.usedUp():
		return errBytes
	case !c.end.IsZero() && !time.Now().Before(c.end):
		return errTime
	}
	return err
}

// SetDeadline is SetReadDeadline and SetWriteDeadline.
func (c *slow) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// SetReadDeadline ends a Read that waits, whatever for. When the bytes are used
// up it is over for good: a later one must not take back what ended the Read.
func (c *slow) SetReadDeadline(t time.Time) error {
	if t = c.before(t); c.usedUp() {
		t = time.Unix(1, 0)
	}
	c.reads.set(t)
	return c.Conn.SetReadDeadline(t)
}

// SetWriteDeadline ends a Write that waits, whatever for.
func (c *slow) SetWriteDeadline(t time.Time) error {
	t = c.before(t)
	c.writes.set(t)
	return c.Conn.SetWriteDeadline(t)
}

// before is t, or the session's end if that is earlier.
func (c *slow) before(t time.Time) time.Time {
	if c.end.IsZero() || !t.IsZero() && t.Before(c.end) {
		return t
	}
	return c.end
}

// CloseWrite ends the sending side. A target that has no sides of its own is
// closed: there is no other way to tell it.
func (c *slow) CloseWrite() error { return closeWrite(c.Conn, c) }

// Close ends a Read and a Write that wait.
func (c *slow) Close() error {
	c.closing.Do(func() {
		c.reads.close()
		c.writes.close()
		for _, s := range c.shares {
			if s.leave != nil {
				s.leave()
			}
		}
	})
	return c.Conn.Close()
}

// closeWrite is inner's, if it has one, or outer's Close.
func closeWrite(inner, outer net.Conn) error {
	if half, ok := inner.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.Join(errors.ErrUnsupported, outer.Close())
}

// pace is when one direction of one session may go on. The zero value may.
type pace struct {
	mu       sync.Mutex
	due      time.Time
	deadline time.Time
	closed   bool
	changed  chan struct{} // closed when deadline or closed change; nil: nobody waits
}

// wait returns when the pace may go on, or why it may not.
func (p *pace) wait() error {
	for {
		left, changed, err := p.look(time.Now())
		if err != nil || left == 0 {
			return err
		}
		timer := time.NewTimer(left)
		select {
		case <-timer.C:
		case <-changed:
		}
		timer.Stop()
	}
}

// look is how long there is to wait, unless changed is closed before.
func (p *pace) look(now time.Time) (left time.Duration, changed chan struct{}, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closed:
		return 0, nil, net.ErrClosed
	case !p.deadline.IsZero() && !now.Before(p.deadline):
		return 0, nil, os.ErrDeadlineExceeded
	case !now.Before(p.due):
		return 0, nil, nil
	}
	left = p.due.Sub(now)
	if !p.deadline.IsZero() {
		left = min(left, p.deadline.Sub(now))
	}
	if p.changed == nil {
		p.changed = make(chan struct{})
	}
	return left, p.changed, nil
}

// after makes the pace go on no earlier than due.
func (p *pace) after(due time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.due = later(p.due, due)
}

func (p *pace) set(deadline time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.deadline = deadline
	p.wake()
}

func (p *pace) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.wake()
}

// wake needs mu.
func (p *pace) wake() {
	if p.changed != nil {
		close(p.changed)
		p.changed = nil
	}
}
