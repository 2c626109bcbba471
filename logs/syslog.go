package logs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxWaiting records wait for the server, of maxRecord bytes each at most.
	maxWaiting = 1024

	// Between attempts. The pause doubles until a connection has lasted.
	minPause = 100 * time.Millisecond
	maxPause = 30 * time.Second
)

var errFull = errors.New("the syslog server does not keep up")

// syslog brings records to a server in the background. A record that cannot be
// sent is tried again until it can; those that come meanwhile wait, and when
// too many do, the newest are refused. What the server's system has taken over
// when the server dies is lost, as is what UDP loses: syslog confirms nothing.
type syslog struct {
	dialer dialer
	queue  chan []byte

	overflowed atomic.Bool // refuse records until half of the queue is gone

	closing chan struct{} // closed by close: send what waits, then end
	closed  sync.Once
	done    chan struct{} // closed when deliver has ended
	left    int           // that deliver could not send; to be read when done

	// The life of all dials and writes.
	ctx    context.Context
	cancel context.CancelFunc
}

// newSyslog reads what a connection needs, and makes none.
func newSyslog(o Options) (*syslog, error) {
	d, err := newDialer(o.Syslog)
	if err != nil {
		return nil, err
	}
	s := &syslog{
		dialer:  d,
		queue:   make(chan []byte, maxWaiting),
		closing: make(chan struct{}),
		done:    make(chan struct{}),
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s, nil
}

// put takes a record over, or refuses it; it does not wait.
func (s *syslog) put(record []byte) error {
	select {
	case <-s.closing:
		return os.ErrClosed
	default:
	}
	if s.overflowed.Load() && len(s.queue) > cap(s.queue)/2 {
		return errFull
	}
	select {
	case s.queue <- record:
		s.overflowed.Store(false)
		return nil
	default:
		s.overflowed.Store(true)
		return errFull
	}
}

// close sends what waits until ctx ends or the server fails once more.
func (s *syslog) close(ctx context.Context) error {
	s.closed.Do(func() { close(s.closing) })
	defer context.AfterFunc(ctx, s.cancel)()
	<-s.done
	if s.left > 0 {
		return fmt.Errorf("syslog server %s did not get the last %d records", s.dialer.address, s.left)
	}
	return nil
}

// deliver sends records one after the other until close. It remarks to state's
// loggers when the server fails and when it is back.
func (s *syslog) deliver(state *sinkState) {
	defer close(s.done)
	defer s.cancel()
	c := courier{syslog: s, state: state, pause: minPause}
	defer c.hangUp()
	for {
		select {
		case record := <-s.queue:
			if !c.send(record) {
				s.left = len(s.queue) + 1
				return
			}
		case <-s.closing:
			s.left = c.finish()
			return
		}
	}
}

// courier is deliver's: the connection, and what became of those before.
type courier struct {
	*syslog
	state *sinkState

	wire   *wire // nil: none
	pause  time.Duration
	failed bool // the last attempt
}

// send tries until record is sent; false: close does not wait any longer.
func (c *courier) send(record []byte) bool {
	for {
		err := c.attempt(record)
		if err == nil {
			c.healed()
			return true
		}
		c.complain(err)
		if !c.rest() {
			return false
		}
	}
}

// finish sends what waits still, and returns how many it could not send.
func (c *courier) finish() (left int) {
	for len(c.queue) > 0 {
		if !c.send(<-c.queue) {
			return len(c.queue) + 1
		}
	}
	return 0
}

func (c *courier) attempt(record []byte) error {
	if c.wire != nil && c.wire.over() {
		c.hangUp()
	}
	if c.wire == nil {
		w, err := c.dialer.dial(c.ctx)
		if err != nil {
			return err
		}
		c.wire = w
	}
	err := c.wire.send(record)
	if err != nil {
		c.hangUp()
	}
	return err
}

func (c *courier) hangUp() {
	if c.wire == nil {
		return
	}
	if time.Since(c.wire.since) > maxPause {
		c.pause = minPause
	}
	c.wire.close()
	c.wire = nil
}

// rest waits before the next attempt. While closing there is none.
func (c *courier) rest() bool {
	select {
	case <-c.closing:
		return false
	default:
	}
	timer := time.NewTimer(c.pause)
	defer timer.Stop()
	c.pause = min(2*c.pause, maxPause)
	select {
	case <-timer.C:
	case <-c.closing: // one last attempt
	}
	return true
}

func (c *courier) complain(err error) {
	if c.failed {
		return
	}
	c.failed = true
	c.state.others.Warn("syslog server fails, trying again", slog.Any("server", c.dialer.address), slog.Any("err", err))
}

func (c *courier) healed() {
	if !c.failed {
		return
	}
	c.failed = false
	c.state.all.Info("syslog server is back", slog.Any("server", c.dialer.address))
}
