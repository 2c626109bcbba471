// Package connect carries a stream over WebSocket, from the client's side: what
// a program writes goes to the server as binary messages, and what the server
// sends comes back as bytes.
package connect

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/gobwas/ws"

	"github.com/wsbridge/wsbridge/message"
	"github.com/wsbridge/wsbridge/target"
)

const (
	bufferBytes = 32 << 10
	lastWords   = 2 * time.Second
	// forever is how long a server may take to take a message: it may wait for
	// something slow behind it.
	forever = 365 * 24 * time.Hour
	// defaultPatience is for a server that was told Close and says nothing.
	defaultPatience = 30 * time.Second
)

// Pipe is a way to a server.
type Pipe struct {
	Server target.WebSocket
	// Retry is how long a server that cannot be reached is tried again; 0: not
	// at all. A session that has begun is never begun anew.
	Retry time.Duration
	// KeepAlive pings this often, so that proxies see the connection alive; 0:
	// never. Answers are not waited for.
	KeepAlive time.Duration
	// Patience is how long the server may be silent after in has ended; default
	// 30 s.
	Patience time.Duration
}

// Carry opens a session and carries in to the server and the server's bytes to
// out, each as fast as the other side takes them. The end of in is told to the
// server by a Close frame, and what it still says then is delivered. Carry
// returns nil when the server closes with 1000 or without a code; otherwise an
// *Error. A Read of in under way then is ended if in has a read deadline, and
// else left to itself. Carry closes neither in nor out.
func (p Pipe) Carry(ctx context.Context, in io.Reader, out io.Writer) error {
	up, err := p.dial(ctx)
	if err != nil {
		return err
	}
	s := &session{
		base64:   up.Subprotocol == "base64",
		patience: cmp.Or(p.Patience, defaultPatience),
		sent:     make(chan struct{}),
		over:     make(chan struct{}),
	}
	s.conn = message.New(up.Conn, message.Options{FromServer: true, Early: up.Early, WriteTimeout: forever})
	stop := context.AfterFunc(ctx, func() { s.conn.GiveUp(context.Cause(ctx), time.Now().Add(lastWords)) })
	defer stop()
	go s.toServer(in)
	if p.KeepAlive > 0 {
		go s.keepAlive(p.KeepAlive)
	}
	return s.finish(in, s.fromServer(out))
}

// session is one under way.
type session struct {
	conn     *message.Conn
	base64   bool // both ways: text that is base64
	patience time.Duration
	sent     chan struct{} // closed when in has ended and Close was sent
	over     chan struct{} // closed when the server has ended
}

// toServer reads in to its end.
func (s *session) toServer(in io.Reader) {
	buf := make([]byte, bufferBytes)
	for {
		n, err := in.Read(buf)
		if n > 0 && s.send(buf[:n]) != nil {
			break // fromServer knows why
		}
		if err != nil {
			s.conn.Close(ws.StatusNormalClosure, "")
			break
		}
	}
	s.conn.Expect(time.Now().Add(s.patience))
	close(s.sent)
}

func (s *session) send(p []byte) error {
	if s.base64 {
		return s.conn.Write(message.Message{Text: true, Data: base64.StdEncoding.AppendEncode(nil, p)})
	}
	return s.conn.Write(message.Message{Data: p})
}

// fromServer writes what the server says to out, until one of them ends.
func (s *session) fromServer(out io.Writer) error {
	for {
		m, err := s.conn.Read()
		if err != nil {
			return err
		}
		data := m.Data
		if s.base64 {
			if data, err = base64.StdEncoding.AppendDecode(nil, m.Data); err != nil {
				return fmt.Errorf("the server's message is not base64: %w", err)
			}
		}
		if _, err := out.Write(data); err != nil {
			return &outError{err}
		}
		if s.isSent() {
			s.conn.Expect(time.Now().Add(s.patience))
		}
	}
}

func (s *session) isSent() bool {
	select {
	case <-s.sent:
		return true
	default:
		return false
	}
}

// outError is what out failed by.
type outError struct{ cause error }

func (e *outError) Error() string { return e.cause.Error() }
func (e *outError) Unwrap() error { return e.cause }

// finish answers the server, stops what still goes on, and judges the end.
func (s *session) finish(in io.Reader, end error) error {
	close(s.over)
	s.conn.GiveUp(end, time.Now().Add(lastWords)) // a write to the server may wait for it
	s.conn.Close(farewell(end))
	if d, ok := in.(interface{ SetReadDeadline(time.Time) error }); ok && d.SetReadDeadline(time.Unix(1, 0)) == nil {
		<-s.sent
	}
	s.conn.Finish(time.Now().Add(lastWords))
	return s.judge(end)
}

// farewell is what the server is told.
func farewell(end error) (ws.StatusCode, string) {
	var out *outError
	if errors.As(end, &out) || errors.Is(end, context.Canceled) {
		return ws.StatusGoingAway, "client gone"
	}
	return message.CloseCode(end)
}

func (s *session) judge(end error) error {
	var closed *message.CloseError
	var out *outError
	switch {
	case errors.As(end, &closed) && (closed.Code == ws.StatusNormalClosure || closed.Code == ws.StatusNoStatusRcvd):
		return nil
	case errors.As(end, &closed):
		return &Error{"close", fmt.Errorf("the server %w", closed)}
	case errors.As(end, &out):
		return &Error{"output", out.cause}
	case s.isSent() && isTimeout(end):
		return &Error{"close", fmt.Errorf("the server did not answer the end within %v", s.patience)}
	case errors.Is(end, io.EOF):
		return &Error{"close", errors.New("the server left without a Close frame: something may be missing")}
	}
	return &Error{"close", end}
}

// keepAlive pings until the session is over.
func (s *session) keepAlive(every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.conn.Ping(nil) // waits behind what the server does not take
		case <-s.over:
			return
		}
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}
