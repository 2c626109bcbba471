// Package message is WebSocket (RFC 6455) as whole messages, seen from either
// side of the wire: a Conn is one peer's connection after the handshake. The
// gateway, the message hub and the client commands stand on it; a stream
// session, to which messages mean nothing, does not.
package message

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"

	"github.com/wsbridge/wsbridge/deflate"
	"github.com/wsbridge/wsbridge/frame"
)

const (
	defaultMaxBytes     = 16 << 20
	defaultWriteTimeout = 30 * time.Second
	keptBytes           = 64 << 10 // of reassembly memory that is kept for the next message
)

// Message is one whole message.
type Message struct {
	Text bool // UTF-8, checked on the way in; otherwise binary
	Data []byte
}

// Source gives what the peer sent. Next returns at least one byte, valid until
// Release, or an error: io.EOF for the end. While Next waits it should hold no
// memory.
type Source interface {
	Next() ([]byte, error)
	Release()
}

// Options is how a connection is to be carried. The zero value is a client's,
// seen from the server.
type Options struct {
	// FromServer: the peer is a server, so what we send is masked (RFC 6455, 5.3).
	FromServer bool
	// Early is what the peer sent along with its handshake.
	Early []byte
	// Source reads the connection; nil: with a buffer of its own.
	Source Source
	// MaxBytes is the largest message taken; default 16 MiB.
	MaxBytes int
	// WriteTimeout is how long the peer may take for one frame; default 30 s.
	WriteTimeout time.Duration
	// Heartbeat pings this often; a peer silent for two pings is given up. 0: off.
	Heartbeat time.Duration
	// Idle gives up a connection without a message either way for so long. 0: off.
	Idle time.Duration
	// Acked, when set, is how many bytes the peer's system has taken, by which a
	// peer is known to live whose pings wait behind much else; 0: not known.
	Acked func() int64
	// Control, when set, is told of pings and pongs instead of pings being
	// answered. It may not keep payload.
	Control func(op ws.OpCode, payload []byte)
	// Deflate compresses, as a server; nil: that was not negotiated.
	Deflate *deflate.Codec
}

// Conn is one peer's connection. One goroutine may Read; any may write.
type Conn struct {
	conn    net.Conn
	o       Options
	source  Source
	decoder frame.Decoder
	out     Writer

	rest   []byte // read, not decoded
	held   bool   // rest is the source's, to be released
	parted bool   // the peer's Close was read
	part   []byte // what there is of a message in pieces

	reading                         atomic.Bool // waits for the peer
	heard, received, sent, messages atomic.Int64

	mu    sync.Mutex
	cause error // why the connection was given up, once it was
	watch *watch
}

// Why a connection is given up.
var (
	ErrUnanswered = errors.New("answered none of two pings")
	ErrIdle       = errors.New("session idle")
)

// CloseError is the peer's Close frame; Code is 1005 when it held none.
type CloseError struct {
	Code   ws.StatusCode
	Reason string
}

func (e *CloseError) Error() string {
	if e.Reason == "" {
		return fmt.Sprintf("closed with %d", e.Code)
	}
	return fmt.Sprintf("closed with %d: %s", e.Code, e.Reason)
}

// New carries conn, which Finish closes.
func New(conn net.Conn, o Options) *Conn {
	o.MaxBytes = cmp.Or(o.MaxBytes, defaultMaxBytes)
	o.WriteTimeout = cmp.Or(o.WriteTimeout, defaultWriteTimeout)
	c := &Conn{conn: conn, o: o, source: o.Source, rest: o.Early}
	if c.source == nil {
		c.source = &ownSource{conn: conn}
	}
	c.decoder.FromServer, c.decoder.Deflate = o.FromServer, o.Deflate != nil
	c.out = Writer{conn: conn, masked: o.FromServer, timeout: o.WriteTimeout, deflate: o.Deflate}
	c.o.Early = nil
	c.watch = startWatch(c)
	return c
}

// Read returns the next message; its Data is valid until the next Read. Pings
// are answered on the way. The error is a *CloseError for the peer's Close, a
// *frame.Error for a breach of the protocol or a message too large, the cause
// when the connection was given up, and otherwise the connection's own: io.EOF
// for a peer that left without a Close. CloseCode says how to answer it.
func (c *Conn) Read() (Message, error) {
	if cap(c.part) > keptBytes {
		c.part = nil
	}
	c.part = c.part[:0]
	for whole := true; ; {
		ev, err := c.next()
		if err != nil {
			return Message{}, err
		}
		if ev.Compressed {
			return c.inflate(ev)
		}
		if whole && ev.Last {
			return c.take(Message{ev.Text, ev.Payload})
		}
		if whole = false; len(c.part)+len(ev.Payload) > c.o.MaxBytes {
			return Message{}, c.tooLarge()
		}
		c.part = append(c.part, ev.Payload...)
		if ev.Last {
			return c.take(Message{ev.Text, c.part})
		}
	}
}

func (c *Conn) take(m Message) (Message, error) {
	if len(m.Data) > c.o.MaxBytes {
		return Message{}, c.tooLarge()
	}
	c.received.Add(int64(len(m.Data)))
	c.messages.Add(1)
	return m, nil
}

func (c *Conn) tooLarge() error {
	return &frame.Error{Code: ws.StatusMessageTooBig, Reason: fmt.Sprintf("message is larger than %d bytes", c.o.MaxBytes)}
}

// next is the next piece of a message.
func (c *Conn) next() (frame.Event, error) {
	for {
		ev, err := c.scan()
		if err != nil || ev.Kind == frame.Data {
			return ev, err
		}
		if err := c.fill(); err != nil {
			return frame.Event{}, err
		}
	}
}

// scan looks through what was read for a piece, and answers the pings before it.
func (c *Conn) scan() (ev frame.Event, err error) {
	var pongs frame.Pongs
	for len(c.rest) > 0 && err == nil && ev.Kind != frame.Data {
		var n int
		ev, n, err = c.decoder.Next(c.rest)
		c.rest = c.rest[n:]
		if err == nil {
			err = c.control(ev, &pongs)
		}
	}
	c.out.SendPongs(pongs)
	return ev, err
}

func (c *Conn) control(ev frame.Event, pongs *frame.Pongs) error {
	switch {
	case ev.Kind == frame.Close:
		c.parted = true
		return &CloseError{ev.Code, ev.Reason}
	case ev.Kind == frame.Ping && c.o.Control != nil:
		c.o.Control(ws.OpPing, ev.Payload)
	case ev.Kind == frame.Ping:
		pongs.Add(ev.Payload)
	case ev.Kind == frame.Pong && c.o.Control != nil:
		c.o.Control(ws.OpPong, ev.Payload)
	}
	return nil
}

// fill reads more from the peer.
func (c *Conn) fill() (err error) {
	if c.held {
		c.source.Release()
		c.held = false
	}
	c.reading.Store(true)
	c.rest, err = c.source.Next()
	c.reading.Store(false)
	if err != nil {
		c.rest = nil
		return c.because(err)
	}
	c.held = true
	c.heard.Add(int64(len(c.rest)))
	return nil
}

// because is err, or the reason the connection was given up if that is behind
// it; nil stays nil.
func (c *Conn) because(err error) error {
	if err == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause != nil {
		return c.cause
	}
	return err
}

// Write sends m as one frame, which the peer has to take within WriteTimeout.
// After a Close frame it returns ErrClosed. To a server, whose frames are
// masked, m.Data is scrambled where it lies.
func (c *Conn) Write(m Message) error {
	op := ws.OpBinary
	if m.Text {
		op = ws.OpText
	}
	err := c.out.message(op, m.Data)
	if err == nil {
		c.sent.Add(int64(len(m.Data)))
		c.messages.Add(1)
	}
	return c.because(err)
}

// WriteFrames sends whole unmasked frames of n payload bytes together, as
// Frame makes them. It is for clients only.
func (c *Conn) WriteFrames(frames []byte, messages, n int) error {
	err := c.out.Whole(frames)
	if err == nil {
		c.sent.Add(int64(n))
		c.messages.Add(int64(messages))
	}
	return c.because(err)
}

// TryFrames is WriteFrames as far as the peer takes them at once. What it leaves
// Unsent is the caller's; what it has Begun, the caller has to Flush.
func (c *Conn) TryFrames(frames []byte, messages, n int) (Progress, error) {
	progress, err := c.out.Try(frames)
	if progress != Unsent {
		c.sent.Add(int64(n))
		c.messages.Add(int64(messages))
	}
	return progress, c.because(err)
}

// Flush waits until the peer has taken frames that were begun.
func (c *Conn) Flush() error { return c.because(c.out.Flush()) }

// Frame appends m as a server sends it: encode once, send to many.
func Frame(dst []byte, m Message) []byte {
	op := ws.OpBinary
	if m.Text {
		op = ws.OpText
	}
	return append(frame.AppendHeader(dst, op, len(m.Data)), m.Data...)
}

// Ping and Pong send a control frame of at most 125 bytes.
func (c *Conn) Ping(payload []byte) error { return c.because(c.out.control(ws.OpPing, payload)) }
func (c *Conn) Pong(payload []byte) error { return c.because(c.out.control(ws.OpPong, payload)) }

// Close sends a Close frame, once; nothing is sent after it. The peer's own
// Close is still to be read. Code 1005 sends none; codes that may not be sent
// go as what they stand for, see Sendable.
func (c *Conn) Close(code ws.StatusCode, reason string) error {
	return c.out.SendClose(Sendable(code), reason)
}

// GiveUp makes Read return why from now on, and gives writes under way until
// then to end.
func (c *Conn) GiveUp(why error, until time.Time) {
	c.mu.Lock()
	if c.cause == nil {
		c.cause = why
	}
	c.mu.Unlock()
	c.conn.SetReadDeadline(time.Unix(1, 0))
	c.out.deadline(until)
}

// Expect gives the peer until then to say its last: Read fails after it.
func (c *Conn) Expect(until time.Time) { c.conn.SetReadDeadline(until) }

// Finish ends the connection, once a Close frame was sent. It waits, until
// then, for the peer's own: a connection closed on unread bytes is reset, and
// the peer might never see ours. A server closes the connection itself (RFC
// 6455, 7.1.1). No other method may be called after it.
func (c *Conn) Finish(until time.Time) {
	c.watch.stop()
	defer c.conn.Close()
	c.conn.SetDeadline(until)
	half, ok := c.conn.(interface{ CloseWrite() error })
	if !c.waited() && (!ok || failed(half.CloseWrite())) {
		return
	}
	for !c.waited() {
		if len(c.rest) == 0 && c.fill() != nil {
			return
		}
		ev, n, err := c.decoder.Next(c.rest)
		if c.rest = c.rest[n:]; err != nil {
			c.rest = nil
		}
		c.parted = c.parted || ev.Kind == frame.Close
	}
}

// failed tells whether a half-close did; where there is none, the peer's Close is
// to be had all the same.
func failed(err error) bool { return err != nil && !errors.Is(err, errors.ErrUnsupported) }

// waited tells that nothing more is to come that matters.
func (c *Conn) waited() bool { return c.parted && !c.o.FromServer }

// Cut closes the connection at once; what waits in Read or Write fails.
func (c *Conn) Cut() { c.conn.Close() }

// Stats is what a connection carried: payload bytes from and to the peer, and
// messages of both ways.
type Stats struct{ Received, Sent, Messages int64 }

// Stats may be called at any time.
func (c *Conn) Stats() Stats {
	return Stats{c.received.Load(), c.sent.Load(), c.messages.Load()}
}

// RemoteAddr is the peer's address.
func (c *Conn) RemoteAddr() net.Addr { return c.conn.RemoteAddr() }
