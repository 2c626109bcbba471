//go:build linux

package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"
)

// What a client may ask of the target; see command.
const (
	askDown = 'd' // send n bytes of the pattern
	askUp   = 'u' // read n bytes of the pattern, then answer verdict
	askEcho = 'e' // send back the next n bytes as they come
)

// The target's verdict after askUp.
const (
	verdictGood = 'y'
	verdictBad  = 'n' // the bytes were not the pattern's
)

const commandSize = 9

// command encodes what a client asks: one letter, then n in 8 bytes, big endian.
// A session carries any number of commands, one after the other.
func command(ask byte, n int64) []byte {
	return binary.BigEndian.AppendUint64([]byte{ask}, uint64(n))
}

// A target is the service behind the proxies. It serves every load of a table, so
// that a proxy's one fixed target address is enough.
type target struct {
	listener net.Listener
	pattern  pattern
	serve    func(net.Conn) // until the client is gone
	done     sync.WaitGroup

	mu     sync.Mutex
	closed bool
	conns  map[net.Conn]struct{}
}

// newTarget obeys commands on a free loopback port. The caller closes it.
func newTarget(p pattern) (*target, error) { return listen(p, commander{p}.serve) }

// listen accepts on a free loopback port and serves each connection. The caller
// closes the target.
func listen(p pattern, serve func(net.Conn)) (*target, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	t := &target{listener: ln, pattern: p, serve: serve, conns: map[net.Conn]struct{}{}}
	t.done.Add(1)
	go t.accept()
	return t, nil
}

func (t *target) address() string { return t.listener.Addr().String() }

// close ends every session and waits for it.
func (t *target) close() {
	t.listener.Close()
	t.mu.Lock()
	t.closed = true
	for c := range t.conns {
		c.Close()
	}
	t.mu.Unlock()
	t.done.Wait()
}

func (t *target) accept() {
	defer t.done.Done()
	for {
		c, err := t.listener.Accept()
		if err != nil {
			return // closed; else the loads run into their deadlines
		}
		if t.enter(c) {
			go t.session(c)
		}
	}
}

// enter books c so that close can end it; false after close.
func (t *target) enter(c net.Conn) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		c.Close()
		return false
	}
	t.conns[c] = struct{}{}
	t.done.Add(1)
	return true
}

func (t *target) leave(c net.Conn) {
	c.Close()
	t.mu.Lock()
	delete(t.conns, c)
	t.mu.Unlock()
	t.done.Done()
}

func (t *target) session(c net.Conn) {
	defer t.leave(c)
	t.serve(c)
}

// A commander does what clients ask.
type commander struct{ pattern pattern }

// serve obeys commands until the client is gone; a broken session shows at the client.
func (t commander) serve(c net.Conn) {
	var cmd [commandSize]byte
	for {
		if _, err := io.ReadFull(c, cmd[:]); err != nil {
			return
		}
		if err := t.obey(c, cmd[0], int64(binary.BigEndian.Uint64(cmd[1:]))); err != nil {
			return
		}
	}
}

func (t commander) obey(c net.Conn, ask byte, n int64) error {
	switch ask {
	case askDown:
		return t.down(c, n)
	case askUp:
		return t.up(c, n)
	case askEcho:
		return echo(c, n)
	}
	return fmt.Errorf("unknown command %q", ask)
}

func (t commander) down(c net.Conn, n int64) error {
	for n > 0 {
		k, err := c.Write(t.pattern[:min(n, chunk)])
		if err != nil {
			return err
		}
		n -= int64(k)
	}
	return nil
}

func (t commander) up(c net.Conn, n int64) error {
	buf, verdict := make([]byte, 4*chunk), []byte{verdictGood}
	for seen := int64(0); seen < n; {
		k, err := c.Read(buf[:min(n-seen, int64(len(buf)))])
		if err != nil {
			return err
		}
		if !t.pattern.matches(seen, buf[:k]) {
			verdict[0] = verdictBad
		}
		seen += int64(k)
	}
	_, err := c.Write(verdict)
	return err
}

func echo(c net.Conn, n int64) error {
	buf := make([]byte, 4<<10)
	for n > 0 {
		k, err := c.Read(buf[:min(n, int64(len(buf)))])
		if err != nil {
			return err
		}
		if _, err := c.Write(buf[:k]); err != nil {
			return err
		}
		n -= int64(k)
	}
	return nil
}
