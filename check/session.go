package check

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/gobwas/ws"

	"github.com/wsbridge/wsbridge/frame"
	"github.com/wsbridge/wsbridge/message"
	"github.com/wsbridge/wsbridge/target"
)

const (
	maxMessage = 1 << 20
	maxHeard   = 64 << 10 // kept of what a server says unasked
	pings      = 3
)

// session is one WebSocket connection. A goroutine reads it; what it reads
// waits until a step takes it.
type session struct {
	conn        *message.Conn
	raw         net.Conn
	subprotocol string
	patience    time.Duration
	heard       []byte // the last data that came

	mail  chan message.Message
	pongs chan []byte
	ended chan struct{} // closed after err is set
	err   error
	done  chan struct{} // closed when nobody takes anything any more
}

func newSession(up *target.Upgraded, patience time.Duration) *session {
	s := &session{
		raw:         up.Conn,
		subprotocol: up.Subprotocol,
		patience:    patience,
		mail:        make(chan message.Message),
		pongs:       make(chan []byte),
		ended:       make(chan struct{}),
		done:        make(chan struct{}),
	}
	s.conn = message.New(up.Conn, message.Options{
		FromServer:   true,
		Early:        up.Early,
		MaxBytes:     maxMessage,
		WriteTimeout: patience,
		Control:      s.control,
	})
	go s.listen()
	return s
}

// listen reads until the server's Close, its end, or the session's.
func (s *session) listen() {
	defer close(s.ended)
	for {
		m, err := s.conn.Read()
		if err != nil {
			s.err = err
			return
		}
		m.Data = bytes.Clone(m.Data)
		select {
		case s.mail <- m:
		case <-s.done:
		}
	}
}

func (s *session) control(op ws.OpCode, payload []byte) {
	if op == ws.OpPing {
		s.conn.Pong(payload)
		return
	}
	select {
	case s.pongs <- bytes.Clone(payload):
	case <-s.done:
	}
}

// cut ends the session at once.
func (s *session) cut() {
	close(s.done)
	s.conn.Cut()
	<-s.ended
}

// part ends it as the protocol has it, as far as the server plays along soon:
// that is checked elsewhere.
func (s *session) part() {
	close(s.done)
	s.conn.Expect(time.Now().Add(s.patience / 5))
	s.conn.Close(ws.StatusNormalClosure, "")
	<-s.ended
	s.conn.Cut()
}

// next is the next message, or why there is none.
func (s *session) next(ctx context.Context) (message.Message, error) {
	for {
		select {
		case m := <-s.mail:
			s.keep(m)
			return m, nil
		case <-s.pongs:
		case <-s.ended:
			return message.Message{}, endOf(s.err)
		case <-ctx.Done():
			return message.Message{}, ctx.Err()
		}
	}
}

func (s *session) keep(m message.Message) {
	s.heard = append(s.heard, m.Data...)
	if over := len(s.heard) - maxHeard; over > 0 {
		s.heard = slices.Delete(s.heard, 0, over)
	}
}

// ping waits for its own pong, and hands what else comes to take.
func (s *session) ping(ctx context.Context, take func(message.Message) error) (time.Duration, error) {
	payload := rand.Text()
	start := time.Now()
	s.conn.Ping([]byte(payload)) // what is wrong with the connection, listen finds out
	for {
		select {
		case m := <-s.mail:
			s.keep(m)
			if err := take(m); err != nil {
				return 0, err
			}
		case pong := <-s.pongs:
			if string(pong) == payload {
				return time.Since(start), nil
			}
		case <-s.ended:
			return 0, endOf(s.err)
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

func anything(message.Message) error { return nil }

// endOf has the words for why a server says nothing more.
func endOf(err error) error {
	var closed *message.CloseError
	var breach *frame.Error
	switch {
	case errors.As(err, &closed):
		return fmt.Errorf("the server %s", closed)
	case errors.As(err, &breach):
		return fmt.Errorf("the server breaks the protocol: %s", breach.Reason)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the server left without a Close frame (1006 in a browser)")
	}
	return fmt.Errorf("the connection broke: %w", err)
}

// ping is step 11.
func (v *visit) ping(ctx context.Context) finding {
	var times []float64
	for range pings {
		took, err := v.session.ping(ctx, anything)
		if timedOut(err) {
			return fail("no answer to a ping: the server, or a proxy in between, leaves out control frames")
		} else if v.session.saidGoodbye() {
			return warn("no answer to a ping: %v before it", err).stop()
		} else if err != nil {
			return fail("no answer to a ping: %v", err)
		}
		times = append(times, milliseconds(took))
	}
	return ok("%d of %d pings came back, in %s ms", pings, pings, list(times)).with(map[string][]float64{"ms": times})
}

// saidGoodbye tells whether the server has ended the session, with 1000: it had
// nothing more to say, and is not broken.
func (s *session) saidGoodbye() bool {
	var closed *message.CloseError
	return s.over() && errors.As(s.err, &closed) && closed.Code == ws.StatusNormalClosure
}

func list(times []float64) string {
	var words []string
	for _, t := range times {
		words = append(words, fmt.Sprintf("%.1f", t))
	}
	return strings.Join(words, ", ")
}

// close is step 14: a Close frame, its echo, and the end of the connection,
// which is the server's to make (RFC 6455, 7.1.1).
func (v *visit) close(ctx context.Context) finding {
	s := v.session
	if s.over() {
		return skip("%v before", endOf(s.err))
	}
	if err := s.conn.Close(ws.StatusNormalClosure, "check is done"); err != nil && !s.over() {
		return fail("no Close frame could be sent: %v", err)
	}
	err := s.untilEnd(ctx)
	var closed *message.CloseError
	switch {
	case timedOut(err):
		return fail("no answer to a Close frame: clients have to wait for it, browsers up to two seconds")
	case !errors.As(err, &closed):
		return fail("%v", endOf(err))
	}
	until, _ := ctx.Deadline()
	s.raw.SetReadDeadline(until)
	f := ok("the Close frame was answered with %d", closed.Code)
	if closed.Code != ws.StatusNormalClosure {
		f = f.but("1000 was expected")
	}
	if n, err := io.Copy(io.Discard, s.raw); timedOut(err) {
		f = f.but("the server does not close the connection after it")
	} else if n > 0 {
		f = f.but("the server sends more behind its Close frame")
	}
	return f
}

func (s *session) over() bool {
	select {
	case <-s.ended:
		return true
	default:
		return false
	}
}

// reason is why the session ended, if it did, or else err.
func (s *session) reason(err error) error {
	if s.over() {
		return endOf(s.err)
	}
	return err
}

// untilEnd is the error that ended the session.
func (s *session) untilEnd(ctx context.Context) error {
	for {
		select {
		case <-s.mail:
		case <-s.pongs:
		case <-s.ended:
			return s.err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
