package bridge

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"syscall"
	"time"
)

// lane is one stream of a client's HTTP/2 connection as the net.Conn a session
// is carried on: the request's body is what is read, the answer's what is
// written. HTTP/2's own flow control holds up who writes to a slow reader, and
// what came and was not read is bounded by streamBuffer.
//
// One goroutine reads. Deadlines are a net.Conn's: they may be moved, and none
// passes but for who waits. Close ends the answer; a write under way is cut
// short by a reset of the stream.
type lane struct {
	body    io.ReadCloser
	answer  http.ResponseWriter
	control *http.ResponseController
	under   net.Conn // the client's connection, with all its lanes; nil: not known
	local   net.Addr
	remote  net.Addr

	arrived chan error    // from attend: there are bytes, or why there are no more
	taken   chan struct{} // to attend: they were read
	waiting bool          // the reader knows of bytes
	reads   *deadline

	turn   sync.Mutex // of who writes
	writes *deadline

	closed chan struct{}
	once   sync.Once

	mu     sync.Mutex
	busy   bool        // a write is under way
	rescue *time.Timer // runs once that write is cut short
}

// newLane is for r's handler, which has to finish it.
func newLane(w http.ResponseWriter, r *http.Request) *lane {
	l := &lane{body: r.Body, answer: w, control: http.NewResponseController(w), remote: laneAddr(r.RemoteAddr)}
	l.under, _ = r.Context().Value(underKey{}).(net.Conn)
	l.local, _ = r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	l.arrived, l.taken, l.closed = make(chan error), make(chan struct{}), make(chan struct{})
	l.reads, l.writes = newDeadline(nil), newDeadline(l.cutShort)
	return l
}

// attend waits in the reader's stead, so that the reader can leave: a body has
// no deadline that can be moved. A read of no bytes waits for some, and keeps no
// buffer meanwhile.
func (l *lane) attend() {
	for {
		_, err := l.body.Read(nil)
		select {
		case l.arrived <- err:
		case <-l.closed:
			return
		}
		if err != nil {
			continue // the next reader is told the same
		}
		select {
		case <-l.taken:
		case <-l.closed:
			return
		}
	}
}

// wait returns when Read has something to return, or the reason it never will.
func (l *lane) wait() error {
	passed := l.reads.passed()
	switch {
	case isClosed(l.closed):
		return net.ErrClosed
	case isClosed(passed):
		return os.ErrDeadlineExceeded
	case l.waiting:
		return nil
	}
	select {
	case err := <-l.arrived:
		l.waiting = err == nil
		return laneError(err)
	case <-l.closed:
		return net.ErrClosed
	case <-passed:
		return os.ErrDeadlineExceeded
	}
}

func (l *lane) Read(p []byte) (int, error) {
	if err := l.wait(); err != nil {
		return 0, err
	}
	n, err := l.body.Read(p)
	l.waiting = false
	select {
	case l.taken <- struct{}{}:
	case <-l.closed:
	}
	return n, laneError(err)
}

// Write returns when the client's flow control has let all of p out.
func (l *lane) Write(p []byte) (int, error) {
	l.turn.Lock()
	defer l.turn.Unlock()
	if err := l.begin(); err != nil {
		return 0, err
	}
	n, err := l.answer.Write(p)
	if err == nil {
		err = l.control.Flush()
	}
	if cut := l.end(); err != nil && cut {
		return n, os.ErrDeadlineExceeded
	}
	if err != nil {
		err = errors.Join(syscall.ECONNRESET, err)
	}
	return n, err
}

func (l *lane) begin() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case isClosed(l.closed):
		return net.ErrClosed
	case isClosed(l.writes.passed()):
		return os.ErrDeadlineExceeded
	}
	l.busy = true
	return nil
}

// end tells whether the write was cut short.
func (l *lane) end() (cut bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.busy = false
	if l.rescue != nil {
		l.rescue.Stop()
	}
	return l.rescue != nil
}

// cutShort resets the stream if a write is under way. A client that takes not
// even the reset is not reading its connection, which is closed then.
func (l *lane) cutShort() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.busy || l.rescue != nil {
		return
	}
	l.rescue = time.AfterFunc(briefTimeout, l.hangUp)
	l.control.SetWriteDeadline(time.Unix(1, 0))
}

func (l *lane) hangUp() {
	l.mu.Lock()
	stuck := l.busy
	l.mu.Unlock()
	if stuck && l.under != nil {
		l.under.Close()
	}
}

// Close may be called more than once.
func (l *lane) Close() error {
	l.once.Do(func() {
		l.mu.Lock()
		close(l.closed)
		l.mu.Unlock()
		l.reads.set(time.Time{})
		l.writes.set(time.Time{})
		l.cutShort()
	})
	return nil
}

// finish waits until the lane is closed and nobody uses the answer any more. The
// request's handler ends with it.
func (l *lane) finish() {
	<-l.closed
	l.turn.Lock()
	l.turn.Unlock() //lint:ignore SA2001 to wait is all
	l.body.Close()
}

// CloseWrite is not to be had: net/http ends an answer and its request together.
func (l *lane) CloseWrite() error { return errors.ErrUnsupported }

func (l *lane) SetReadDeadline(t time.Time) error  { l.reads.set(t); return nil }
func (l *lane) SetWriteDeadline(t time.Time) error { l.writes.set(t); return nil }

func (l *lane) SetDeadline(t time.Time) error {
	l.reads.set(t)
	l.writes.set(t)
	return nil
}

func (l *lane) LocalAddr() net.Addr  { return l.local }
func (l *lane) RemoteAddr() net.Addr { return l.remote }

// laneAddr is a request's remote address.
type laneAddr string

func (laneAddr) Network() string  { return "tcp" }
func (a laneAddr) String() string { return string(a) }

// laneError makes of a stream's reset by the client what a connection's is.
func laneError(err error) error {
	var reset streamError
	if errors.As(err, &reset) {
		return errors.Join(syscall.ECONNRESET, err)
	}
	return err
}

// streamError has the fields that net/http's error for a reset stream has, which
// errors.As fills in.
type streamError struct {
	StreamID uint32
	Code     uint32
	Cause    error
}

func (streamError) Error() string { return "stream reset" }

// laneSource reads a lane into lent buffers; while it waits it holds none.
type laneSource struct {
	lane *lane
	pool *buffers
}

func (s *laneSource) next(limit int) (*buffer, int, error) {
	if err := s.lane.wait(); err != nil {
		return nil, 0, err
	}
	b := s.pool.get()
	n, err := s.lane.Read(b.room()[:limit])
	if n == 0 {
		s.pool.put(b)
		return nil, 0, err
	}
	return b, n, nil
}
