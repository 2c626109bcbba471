package bridge

import (
	"net"
	"sync"

	"github.com/wsbridge/wsbridge/sniff"
)

// transport is what a TLS client's tls.Conn stands on. During the handshake
// and HTTP it passes everything through. In a session, writes between cork and
// uncork are gathered, and reads do not block (see secureSource).
type transport struct {
	net.Conn
	pool  *buffers
	gate  *gate  // reads without blocking; nil until detach
	turn  *turn  // of the handshake; nil after it
	place *place // nil in a session

	mu     sync.Mutex // crypto/tls may also write from a Read (key update)
	corked bool
	out    *buffer // what was written since cork
	n      int
}

// CloseWrite is what crypto/tls and net/http look for.
func (t *transport) CloseWrite() error { return closeWrite(t.Conn) }

// detach leaves the sniffed connection behind for the raw socket, read through
// a gate from now on; false where the system offers none.
func (t *transport) detach() bool {
	t.place = nil
	sniffed, ok := t.Conn.(*sniff.Conn)
	if !ok {
		return t.gate != nil
	}
	raw, rest := sniffed.Detach()
	raw = bare(raw)
	t.Conn = &prefixed{raw, rest, nil}
	if t.gate = newGate(raw, rest, t.pool); t.gate != nil {
		t.Conn = raw
	}
	return t.gate != nil
}

func (t *transport) Read(p []byte) (int, error) {
	if t.gate != nil {
		return t.gate.tryRead(p)
	}
	if t.turn != nil {
		return t.readInTurn(p)
	}
	return t.Conn.Read(p)
}

// readInTurn holds no turn while it waits for the client.
func (t *transport) readInTurn(p []byte) (int, error) {
	t.turn.release()
	t.place.waits(func(string) { t.Conn.Close() })
	n, err := t.Conn.Read(p)
	if err != nil {
		return n, err
	}
	if !t.place.heard() {
		return 0, errGaveWay
	}
	if err := t.turn.take(); err != nil {
		return 0, err
	}
	return n, nil
}

// wait returns when Read may find something: bytes, an end or an error.
func (t *transport) wait() error { return t.gate.wait() }

func (t *transport) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.corked {
		return t.Conn.Write(p)
	}
	for done := 0; ; {
		m := copy(t.out[t.n:], p[done:])
		t.n += m
		if done += m; done == len(p) {
			return done, nil
		}
		if err := t.flush(); err != nil {
			return done, err
		}
	}
}

func (t *transport) cork() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.corked, t.out, t.n = true, t.pool.get(), 0
}

func (t *transport) uncork() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	err := t.flush()
	t.pool.put(t.out)
	t.corked, t.out = false, nil
	return err
}

// flush needs mu.
func (t *transport) flush() error {
	if t.n == 0 {
		return nil
	}
	_, err := t.Conn.Write(t.out[:t.n])
	t.n = 0
	return err
}

// prefixed is a connection with bytes that were read ahead of it.
type prefixed struct {
	net.Conn
	rest  []byte
	place *place // while it is no session
}

// detached is c without the looking.
func detached(c *sniff.Conn, p *place) *prefixed {
	raw, rest := c.Detach()
	return &prefixed{raw, rest, p}
}

func (c *prefixed) Read(p []byte) (int, error) {
	if len(c.rest) == 0 {
		return c.Conn.Read(p)
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

// Detach returns what is below, and what was read ahead and is still unread.
func (c *prefixed) Detach() (net.Conn, []byte) { return c.Conn, c.rest }

func (c *prefixed) CloseWrite() error { return closeWrite(c.Conn) }
