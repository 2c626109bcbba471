package bridge

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"net"
	"net/http"
	"runtime/debug"
	"slices"
	"sync"
	"time"
)

// direct answers a WebSocket upgrade whose head has come in one piece, without
// the HTTP server and its goroutines: that is what most sessions begin with.
// Anything else it leaves as it is, done is false, for the HTTP server to answer:
// a refusal too, which keeps its one form, and what needs more than bytes.
func (s *Server) direct(c *opened) (done bool) {
	r, rest := s.heads.read(c.rest)
	if r == nil || !plainUpgrade(r) {
		return false
	}
	ctx, cancel := context.WithCancel(context.WithValue(s.ctx, http.LocalAddrContextKey, c.LocalAddr()))
	defer cancel()
	r = r.WithContext(ctx)
	r.RemoteAddr, r.TLS = c.RemoteAddr().String(), c.tls
	d, session := s.judge(s.now().identify(r))
	if session == nil {
		c.decision = d
		return false
	}
	c.place.leave()
	conn, _ := unwrap(c)
	if _, err := c.Conn.Write(switching(nil, r.Header.Get(keyHeader), d)); err != nil {
		s.left(session.id, conn, err)
		session.release()
		return true
	}
	s.prepare(session, bytes.Clone(rest))
	s.launch(session, conn)
	return true
}

// plainUpgrade tells whether there is nothing wrong with r but what Route finds.
func plainUpgrade(r *http.Request) bool {
	return headerLines(r.Header) <= headLines && isUpgrade(r) && checkUpgrade(r) == nil && checkVersion(r, version) == nil
}

// judge is what becomes of a plain upgrade; no session: whoever speaks HTTP is
// to go on with the decision.
func (s *Server) judge(r *http.Request) (*decision, *session) {
	d := s.decideCalmly(r)
	if d.route.Target == nil || d.refusal != nil {
		return d, nil
	}
	release := s.admit(r, d)
	if d.refusal != nil {
		return d, nil
	}
	return d, s.newSession(r, d, release)
}

// decideCalmly makes a refusal of a panic in Route: net/http, which is not there
// to do so, would not have let one request take every session along.
func (s *Server) decideCalmly(r *http.Request) (d *decision) {
	defer func() {
		if why := recover(); why != nil {
			s.log().Error("panic while choosing a target", "client", r.RemoteAddr, "panic", why, "stack", string(debug.Stack()))
			d = &decision{refusal: asRefusal(errPanic)}
		}
	}()
	return s.decide(r)
}

var errPanic = errors.New("panic")

// opened is a connection whose first bytes were read, and whose first upgrade may
// be decided on already: it is not to be asked for twice.
type opened struct {
	*prefixed
	decision *decision            // nil: none yet
	tls      *tls.ConnectionState // nil: a plain client
}

// secured is an opened TLS client's connection.
type secured struct {
	*opened
	until time.Time // for the rest of the request head
}

// ConnectionState is what net/http looks for.
func (c *secured) ConnectionState() tls.ConnectionState { return *c.tls }

// SetReadDeadline takes until in place of the first deadline, which net/http sets
// for the request head: the wait for that has begun before.
func (c *secured) SetReadDeadline(t time.Time) error {
	if !c.until.IsZero() {
		t, c.until = c.until, time.Time{}
	}
	return c.opened.SetReadDeadline(t)
}

type openedKey struct{}

// withDecision is for http.Server.ConnContext. Where there is a decision, requests
// come one after the other: HTTP/2 begins otherwise.
func withDecision(ctx context.Context, conn net.Conn) context.Context {
	if c := openedOf(conn); c != nil && c.decision != nil {
		return context.WithValue(ctx, openedKey{}, c)
	}
	return ctx
}

// openedOf is nil for a connection of another kind.
func openedOf(conn net.Conn) *opened {
	switch c := conn.(type) {
	case *opened:
		return c
	case *secured:
		return c.opened
	}
	return nil
}

// decisionOf is what was decided on before, once; nil: nothing.
func decisionOf(r *http.Request) *decision {
	c, ok := r.Context().Value(openedKey{}).(*opened)
	if !ok {
		return nil
	}
	d := c.decision
	c.decision = nil
	return d
}

// guid is what makes an accept key of a client's key (RFC 6455, 1.3).
const guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// switching appends the 101 answer.
func switching(dst []byte, key string, d *decision) []byte {
	b := append(append(slices.Grow(dst, 256), key...), guid...)
	accept := sha1.Sum(b[len(dst):])
	b = append(b[:len(dst)], "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "...)
	b = base64.StdEncoding.AppendEncode(b, accept[:])
	if d.subprotocol != "" {
		b = append(append(b, "\r\nSec-WebSocket-Protocol: "...), d.subprotocol...)
	}
	if d.deflate != nil {
		b = append(append(b, "\r\nSec-WebSocket-Extensions: "...), d.deflate.String()...)
	}
	return append(b, "\r\n\r\n"...)
}

// headSize is how much of a connection's first bytes is looked at for a head.
const headSize = 4096

// heads parses request heads that need no second look.
type heads struct{ pool, rooms sync.Pool }

// room is where to read a head; it is to be given back.
func (h *heads) room() *[headSize]byte {
	if room, ok := h.rooms.Get().(*[headSize]byte); ok {
		return room
	}
	return new([headSize]byte)
}

type headReader struct {
	from bytes.Reader
	in   *bufio.Reader
}

// read returns the request whose head p starts with, and what follows it. It is
// nil for a head that has not come to its end, and for one that is odd in any
// way: bytes other than printable ASCII, bare line feeds, another version of HTTP,
// names that are none, an expectation, not exactly one Host. The HTTP server looks
// at more than http.ReadRequest does, and knows best.
func (h *heads) read(p []byte) (r *http.Request, rest []byte) {
	end := bytes.Index(p, []byte("\r\n\r\n")) + 4
	if end < 4 || !bytes.HasPrefix(p, []byte("GET /")) || !plainHead(p[:end]) {
		return nil, nil
	}
	reader, ok := h.pool.Get().(*headReader)
	if !ok {
		reader = &headReader{in: bufio.NewReader(nil)}
	}
	reader.from.Reset(p[:end])
	reader.in.Reset(&reader.from)
	r, err := http.ReadRequest(reader.in)
	reader.from.Reset(nil)
	h.pool.Put(reader)
	if err != nil || r.Body != http.NoBody || r.Header["Expect"] != nil {
		return nil, nil
	}
	return r, p[end:]
}

// plainHead tells whether a head has nothing in it that needs a strict eye.
func plainHead(head []byte) bool {
	first, head, _ := bytes.Cut(head, []byte("\r\n"))
	if !printable(first) || !bytes.HasSuffix(first, []byte(" HTTP/1.1")) {
		return false
	}
	hosts := 0
	for len(head) > len("\r\n") {
		var line []byte
		line, head, _ = bytes.Cut(head, []byte("\r\n"))
		name, value, ok := bytes.Cut(line, []byte(":"))
		if !ok || !plainName(name) || !printable(value) {
			return false
		}
		if bytes.EqualFold(name, []byte("Host")) {
			if hosts++; !plainHost(bytes.TrimSpace(value)) {
				return false
			}
		}
	}
	return hosts == 1
}

// printable tells whether b is nothing but printable ASCII.
func printable(b []byte) bool {
	for _, c := range b {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}

// plainName tells whether a field's name is of letters, digits, - and _: a space
// in it, or before its colon, is for the HTTP server to refuse (RFC 9112, 5.1).
func plainName(name []byte) bool {
	for _, c := range name {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return len(name) > 0
}

// plainHost tells whether a Host is a name or an address, with a port or not.
func plainHost(host []byte) bool {
	for _, c := range host {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && bytes.IndexByte([]byte("-._:[]"), c) < 0 {
			return false
		}
	}
	return len(host) > 0
}
