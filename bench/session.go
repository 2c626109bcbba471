//go:build linux

package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// sampleTime is how long one sample may take; every session's deadline.
const sampleTime = 2 * time.Minute

// readSize is a bulk client's read buffer; a small one is for the other loads.
const (
	readSize      = 4 * chunk
	smallReadSize = 4 << 10
)

// A session is one client of a proxy, at the end of which the target obeys commands.
type session struct {
	conn    net.Conn
	in      source
	framed  bool
	pattern pattern
	forget  func() bool     // stop watching the context
	took    []time.Duration // of each round trip
}

// open connects through the proxy at st. The caller closes the session; a
// cancelled context ends its reads and writes.
func open(ctx context.Context, st *station, buffer int) (*session, error) {
	conn, err := dial(ctx, st)
	if err != nil {
		return nil, err
	}
	s := &session{conn: conn, framed: st.proxy.framed()}
	if st.target != nil {
		s.pattern = st.target.pattern
	}
	conn.SetDeadline(time.Now().Add(sampleTime))
	s.forget = context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	if err := s.begin(st, buffer); err != nil {
		s.abandon()
		return nil, err
	}
	return s, nil
}

func dial(ctx context.Context, st *station) (net.Conn, error) {
	d := net.Dialer{Timeout: 10 * time.Second}
	if st.tls == nil || st.mixed {
		return d.DialContext(ctx, "tcp", st.listen)
	}
	return (&tls.Dialer{NetDialer: &d, Config: st.tls.client}).DialContext(ctx, "tcp", st.listen)
}

func (s *session) begin(st *station, buffer int) error {
	if !s.framed {
		s.in = &plainSource{r: s.conn, buf: make([]byte, buffer)}
		return nil
	}
	in := &frameSource{r: s.conn, buf: make([]byte, buffer)}
	s.in = in
	return in.handshake(s.conn, st.listen)
}

// wire returns payload as it goes over this session's wire, made once and sent often.
func (s *session) wire(payload []byte) []byte {
	if s.framed {
		return maskedFrame(opBinary, payload)
	}
	return payload
}

func (s *session) ask(what byte, n int64) error {
	_, err := s.conn.Write(s.wire(command(what, n)))
	return err
}

// expect reads n bytes of the pattern and compares them.
func (s *session) expect(n int64) error {
	for seen := int64(0); seen < n; {
		piece, err := s.in.next()
		if err != nil {
			return fmt.Errorf("after %d of %d bytes: %w", seen, n, err)
		}
		if !s.pattern.matches(seen, piece) {
			return fmt.Errorf("other bytes than sent, near byte %d of %d", seen, n)
		}
		seen += int64(len(piece))
		if seen > n {
			return fmt.Errorf("%d bytes more than the %d sent", seen-n, n)
		}
	}
	return nil
}

// download has the target send n bytes and reads them.
func (s *session) download(n int64) error {
	if err := s.ask(askDown, n); err != nil {
		return err
	}
	return s.expect(n)
}

// upload sends n bytes, whole chunks, and waits until the target has them all.
func (s *session) upload(n int64) error {
	if err := s.ask(askUp, n); err != nil {
		return err
	}
	wire := s.wire(s.pattern)
	for range n / chunk {
		if _, err := s.conn.Write(wire); err != nil {
			return err
		}
	}
	verdict, err := s.in.next()
	if err != nil {
		return fmt.Errorf("waiting for the target's verdict: %w", err)
	}
	if string(verdict) != string(verdictGood) {
		return errors.New("the target saw other bytes than were sent")
	}
	return nil
}

// echoSize is the payload of one request and of its answer.
const echoSize = 64

// echo does n round trips of echoSize bytes.
func (s *session) echo(n int) error {
	if err := s.ask(askEcho, int64(n)*echoSize); err != nil {
		return err
	}
	return s.trips(n, echoSize)
}

// trips sends n times size bytes, as one message where the client is framed, and
// each time waits until they are back.
func (s *session) trips(n, size int) error {
	wire := s.wire(s.pattern[:size])
	for range n {
		if err := s.trip(wire, size, time.Now()); err != nil {
			return err
		}
	}
	return nil
}

// trip sends wire, which holds size bytes, waits until they are back, and books how
// long that is since began.
func (s *session) trip(wire []byte, size int, began time.Time) error {
	if _, err := s.conn.Write(wire); err != nil {
		return err
	}
	if err := s.expect(int64(size)); err != nil {
		return err
	}
	s.took = append(s.took, time.Since(began))
	return nil
}

// close ends the session as a well-behaved client does and waits for the proxy's end.
func (s *session) close() error {
	defer s.abandon()
	if err := s.sayEnd(); err != nil {
		return err
	}
	for {
		_, err := s.in.next()
		if errors.Is(err, io.EOF) || errors.Is(err, errPeerClosed) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("waiting for the end: %w", err)
		}
	}
}

func (s *session) sayEnd() error {
	if s.framed {
		_, err := s.conn.Write(maskedFrame(opClose, []byte{0x03, 0xe8}))
		return err
	}
	return s.conn.(interface{ CloseWrite() error }).CloseWrite()
}

// abandon closes the connection at once.
func (s *session) abandon() {
	s.forget()
	s.conn.Close()
}
