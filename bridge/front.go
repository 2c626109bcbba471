package bridge

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/wsbridge/wsbridge/sniff"
)

// serveConn looks at what a new connection, whose place is p, speaks and hands it
// on, or refuses it and says why.
func (s *Server) serveConn(raw net.Conn, p *place, crowded bool) {
	if crowded {
		s.turnCrowdAway(raw)
		p.leave()
		return
	}
	stop := context.AfterFunc(s.ctx, func() { raw.Close() })
	p.waits(func(reason string) { sendAway(raw, reason) })
	var conn net.Conn
	if known := s.announced(raw); known != nil {
		conn = s.greet(known, p)
	}
	if !stop() && conn != nil {
		conn.Close()
		conn = nil
	}
	if conn == nil {
		p.leave()
		return
	}
	if c := openedOf(conn); c != nil && (s.direct(c) || s.refuseHead(c)) {
		return
	}
	s.handOn(conn)
}

// handOn gives a connection that speaks HTTP to the HTTP server.
func (s *Server) handOn(conn net.Conn) {
	p := placeOf(conn)
	if c, ok := conn.(*opened); !ok {
		p.waits(func(string) { below(conn).Close() })
	} else if c.decision == nil {
		p.waits(func(reason string) { sendAway(c.Conn, reason) })
	}
	if !s.handoff.give(conn) {
		p.leave()
	}
}

// greet returns the connection HTTP is to be spoken on, or nil when there is
// none: then raw is closed.
func (s *Server) greet(raw net.Conn, p *place) net.Conn {
	conn := sniff.New(raw)
	rules := s.now()
	kind, err := conn.Sniff(s.limits().SniffTimeout)
	if !p.heard() {
		return nil // whoever has its place closes it, and says why
	}
	reason, refused := rules.refuses(raw.RemoteAddr())
	switch {
	case err != nil:
		s.unheard(raw.RemoteAddr().String(), err)
		raw.Close()
	case refused:
		s.turnAway(conn, reason, lastWords(kind, reason))
	case kind == sniff.TLS && rules.TLS != nil:
		return s.handshake(conn, p, rules.TLS)
	case kind == sniff.TLS:
		s.turnAway(conn, "SSL connection but no certificate is configured", tlsRefusal)
	case kind == sniff.SSLv2:
		s.turnAway(conn, "SSLv2 hello refused: the client is too old", nil)
	case kind == sniff.FlashPolicy:
		s.answerFlash(conn)
	case kind == sniff.Indented:
		s.reject(conn, http.StatusBadRequest, "the request line begins with white space: paste the request without its indentation")
	case rules.TLSOnly:
		s.reject(conn, http.StatusBadRequest, "non-SSL connection received but disallowed: use wss:// or https://")
	default:
		return &opened{prefixed: detached(conn, p)}
	}
	return nil
}

// unheard is of a connection that ended before anybody knew what it speaks. Who
// comes and goes without a byte looks whether we are there, and is not counted.
func (s *Server) unheard(client string, err error) {
	if errors.Is(err, sniff.ErrSilent) {
		s.counters.add("nothing to go by in time")
	}
	s.log().Debug("connection closed before its first byte", "client", client, "err", err)
}

// tlsRefusal is a fatal handshake_failure alert (RFC 8446, 6.2): the client's
// error then speaks of TLS and not of a lost connection.
var tlsRefusal = []byte{21, 3, 1, 0, 2, 2, 40}

// tlsDenied is a fatal access_denied alert.
var tlsDenied = []byte{21, 3, 1, 0, 2, 2, 49}

// handshake does TLS under its own deadline. A failure is told by the alert.
func (s *Server) handshake(conn *sniff.Conn, p *place, config *tls.Config) net.Conn {
	ctx, cancel := context.WithTimeout(s.ctx, s.limits().HeaderTimeout)
	defer cancel()
	began := time.Now()
	growStack(0)
	below := &transport{Conn: conn, pool: &s.buffers, place: p, turn: &turn{of: s.turns, ctx: ctx}}
	secure := tls.Server(below, config)
	err := secure.HandshakeContext(ctx)
	below.turn.release()
	below.turn = nil
	if !p.heard() {
		conn.Close()
		return nil
	}
	if err != nil {
		s.counters.add("tls handshake failed")
		s.log().Warn("tls handshake failed", "client", conn.RemoteAddr().String(), "err", err)
		lingerClose(conn)
		return nil
	}
	if secure.ConnectionState().NegotiatedProtocol == acmeProtocol {
		s.log().Debug("ACME challenge answered", "client", conn.RemoteAddr().String())
		secure.Close()
		return nil
	}
	s.greeted("tls", began)
	return s.firstWords(secure, p)
}

// firstWords reads what a TLS client says first, which most often is a whole
// request head. HTTP/2 is left alone. nil: it said nothing in time, or left.
func (s *Server) firstWords(secure *tls.Conn, p *place) net.Conn {
	state := secure.ConnectionState()
	if state.NegotiatedProtocol == "h2" {
		return secure
	}
	until := time.Now().Add(s.limits().HeaderTimeout)
	secure.SetReadDeadline(until)
	room := s.heads.room()
	defer s.heads.rooms.Put(room)
	p.waits(func(string) { secure.NetConn().Close() })
	n, err := secure.Read(room[:])
	if !p.heard() || n == 0 {
		s.log().Debug("connection closed before its first request", "client", secure.RemoteAddr().String(), "err", err)
		secure.Close()
		return nil
	}
	secure.SetReadDeadline(time.Time{})
	words := &prefixed{secure, bytes.Clone(room[:n]), p}
	return &secured{&opened{prefixed: words, tls: &state}, until}
}

// growStack gives its goroutine at once, while there is little to move, the stack
// that a handshake needs (8 KiB and less than 16): grown step by step under the
// library's frames it cost a twentieth of the handshake.
//
//go:noinline
func growStack(at int) byte {
	var room [6 << 10]byte
	return room[at]
}

// acmeProtocol is of those who look whether we are who we say (RFC 8737): after
// the handshake they have nothing to say.
const acmeProtocol = "acme-tls/1"

// turnAway closes a connection that HTTP cannot be spoken on.
func (s *Server) turnAway(conn net.Conn, reason string, last []byte) {
	s.counters.add(reason)
	s.log().Warn(reason, "client", conn.RemoteAddr().String())
	sayLast(conn, last)
}

// sayLast closes a connection behind words to its client.
func sayLast(conn net.Conn, words []byte) {
	conn.SetWriteDeadline(time.Now().Add(lingerTimeout))
	conn.Write(words)
	lingerClose(conn)
}

// reject answers a connection before any request was read.
func (s *Server) reject(conn net.Conn, status int, reason string) {
	s.turnAway(conn, reason, plainAnswer(status, reason))
}

// plainAnswer refuses what the HTTP server does not see.
func plainAnswer(status int, reason string) []byte {
	again := ""
	if status == http.StatusServiceUnavailable {
		again = "Retry-After: " + retryAfter + "\r\n"
	}
	return fmt.Appendf(nil, "HTTP/1.1 %d %s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\n%sConnection: close\r\n\r\n%s\n",
		status, http.StatusText(status), len(reason)+1, again, reason)
}

// lastWords are for a client that is not admitted, in what it speaks.
func lastWords(kind sniff.Kind, reason string) []byte {
	if kind == sniff.TLS {
		return tlsDenied
	}
	return plainAnswer(http.StatusForbidden, reason)
}

// answerFlash gives the old plugin leave to connect to the port it asked on.
func (s *Server) answerFlash(conn net.Conn) {
	port := 0
	if local, ok := conn.LocalAddr().(*net.TCPAddr); ok {
		port = local.Port
	}
	conn.SetWriteDeadline(time.Now().Add(lingerTimeout))
	conn.Write(sniff.PolicyFile(port))
	lingerClose(conn)
}

// lingerTimeout and lingerBytes bound how long a connection that is turned away
// is read from before it closes: closing on unread bytes would reset it, and
// the client might never see the answer.
const (
	lingerTimeout = time.Second
	lingerBytes   = 256 << 10
)

func lingerClose(conn net.Conn) {
	defer conn.Close()
	if closeWrite(conn) != nil {
		return
	}
	conn.SetReadDeadline(time.Now().Add(lingerTimeout))
	io.CopyN(io.Discard, conn, lingerBytes)
}

// handoff is the listener inside the process: it gives the HTTP server the
// connections that were found to speak HTTP.
type handoff struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newHandoff() *handoff {
	return &handoff{conns: make(chan net.Conn), done: make(chan struct{})}
}

// give closes conn and returns false when the HTTP server takes no more.
func (h *handoff) give(conn net.Conn) bool {
	select {
	case h.conns <- conn:
		return true
	case <-h.done:
		conn.Close()
		return false
	}
}

func (h *handoff) Accept() (net.Conn, error) {
	select {
	case conn := <-h.conns:
		return conn, nil
	case <-h.done:
		return nil, net.ErrClosed
	}
}

func (h *handoff) Close() error {
	h.once.Do(func() { close(h.done) })
	return nil
}

func (h *handoff) Addr() net.Addr { return &net.UnixAddr{Name: "handoff", Net: "inproc"} }

// newWeb is the HTTP server behind every listener.
func (s *Server) newWeb() *http.Server {
	return &http.Server{
		Handler:           http.HandlerFunc(s.serveHTTP),
		ReadHeaderTimeout: s.limits().HeaderTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    headBytes - 4096, // net/http adds 4096 of its own
		ErrorLog:          slogAsLog(s.log()),
		ConnContext:       s.connContext,
		Protocols:         s.protocols(),
		HTTP2:             http2Config(),
		ConnState:         s.moved,
	}
}

// fronts are the goroutines that Shutdown waits for.
type fronts struct {
	mu    sync.Mutex
	ended bool
	all   sync.WaitGroup
}

// start runs f in one, unless they have ended: then it returns false.
func (fs *fronts) start(f func()) bool {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if !fs.ended {
		fs.all.Go(f)
	}
	return !fs.ended
}

// end lets no more start and waits for those there are.
func (fs *fronts) end() {
	fs.mu.Lock()
	fs.ended = true
	fs.mu.Unlock()
	fs.all.Wait()
}
