package bridge

import (
	"context"
	"net"
	"net/http"
	"sync"
)

// noRequest counts the connections that ended in the middle of a request's head,
// or that net/http refused because of it: those it answers itself, and tells
// nobody. A connection without a byte is none of them: browsers open some to have
// them at hand. Nor is one whose broken request came along with a good one: net/http
// does not say.
const noRequest = "no valid request"

// asking are the connections whose next request has begun and is not known yet.
type asking struct{ conns sync.Map }

type askingKey struct{}

// asker is for http.Server.ConnContext.
func asker(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, askingKey{}, conn)
}

// asked is for the handler of r: what becomes of it is told elsewhere.
func (a *asking) asked(r *http.Request) { a.conns.Delete(r.Context().Value(askingKey{})) }

// moved is for http.Server.ConnState. It tells whether the connection has ended
// while it was asking.
func (a *asking) moved(conn net.Conn, state http.ConnState) (inVain bool) {
	if state == http.StateActive {
		a.conns.Store(conn, nil)
		return false
	}
	_, was := a.conns.LoadAndDelete(conn)
	return was && state == http.StateClosed
}

// moved follows a connection through the HTTP server.
func (s *Server) moved(conn net.Conn, state http.ConnState) {
	if s.asking.moved(conn, state) {
		s.counters.add(noRequest)
		s.log().Info("connection ended without a valid request", "client", conn.RemoteAddr().String())
	}
	step(conn, state)
}
