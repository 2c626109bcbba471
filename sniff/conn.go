package sniff

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// ErrSilent says that the deadline passed before the client had sent enough
// to tell what it speaks.
var ErrSilent = errors.New("client sent nothing to go by in time")

// bufferSize takes a usual request head, or a ClientHello, in one read.
const bufferSize = 4096

type buffer [bufferSize]byte

var pool = sync.Pool{New: func() any { return new(buffer) }}

// Conn is a connection whose first bytes were looked at and are still to be
// read. It holds a buffer only until they are. Like any net.Conn it allows
// one reader beside one writer; Close closes the raw connection.
type Conn struct {
	net.Conn
	buf    *buffer // from pool, or nil
	unread []byte  // the part of buf nobody has read yet
}

// New wraps c. Sniff must come before the first Read.
func New(c net.Conn) *Conn { return &Conn{Conn: c} }

// Sniff waits until Look can tell what the client speaks, but not longer than
// timeout in all; a success clears the read deadline. The error is io.EOF when the
// client left without a byte, and ErrSilent when time ran out. A client that
// leaves in the middle is HTTP: that server answers what was left unfinished.
// Sniff closes nothing.
func (c *Conn) Sniff(timeout time.Duration) (Kind, error) {
	if err := c.SetReadDeadline(time.Now().Add(timeout)); err != nil {
		return HTTP, err
	}
	c.buf = pool.Get().(*buffer)
	kind, err := c.fill()
	if err != nil {
		c.unread = nil
	}
	c.release()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return HTTP, ErrSilent
	}
	if err != nil {
		return HTTP, err
	}
	return kind, c.SetReadDeadline(time.Time{})
}

// fill reads into buf until Look can tell, and sets unread.
func (c *Conn) fill() (Kind, error) {
	for n := 0; ; {
		m, err := c.Conn.Read(c.buf[n:])
		n += m
		kind, skip, more := Look(c.buf[:n])
		c.unread = c.buf[skip:n]
		if !more || n > 0 && err == io.EOF {
			return kind, nil
		}
		if err != nil {
			return HTTP, err
		}
	}
}

// Read reads the looked-at bytes first, then the raw connection.
func (c *Conn) Read(p []byte) (int, error) {
	if len(c.unread) == 0 {
		return c.Conn.Read(p)
	}
	n := copy(p, c.unread)
	c.unread = c.unread[n:]
	c.release()
	return n, nil
}

// release gives the buffer back once it is drained.
func (c *Conn) release() {
	if c.buf != nil && len(c.unread) == 0 {
		pool.Put(c.buf)
		c.buf, c.unread = nil, nil
	}
}

// Detach hands over the raw connection and the looked-at bytes that nobody
// has read yet, which the caller now owns. c must not be used after it.
func (c *Conn) Detach() (net.Conn, []byte) {
	var rest []byte
	if len(c.unread) > 0 {
		rest = append(rest, c.unread...)
		c.unread = nil
	}
	c.release()
	return c.Conn, rest
}

// CloseWrite shuts the sending side down where the raw connection can, and is
// errors.ErrUnsupported where it cannot.
func (c *Conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return fmt.Errorf("half-close of %T: %w", c.Conn, errors.ErrUnsupported)
}
