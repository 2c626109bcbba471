package bridge

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"time"
)

// Rules are what a client meets that comes to a Server.
type Rules struct {
	// Announced, when set, reads what a proxy in front says of a new connection,
	// before anything else and until the deadline. Not valid: nothing was said.
	Announced func(conn net.Conn, deadline time.Time) (client, local netip.AddrPort, err error)
	// Admits, when set, says who may speak to us at all, and to others why not.
	Admits func(client net.Addr) (reason string, ok bool)
	// Identify, when set, is a request as its client sent it to the first proxy
	// that is believed: RemoteAddr is the client's.
	Identify func(*http.Request) *http.Request
	// Route says where an upgrade goes while an HTTP status can still be
	// said. A *Refusal as error is answered as it says.
	Route func(*http.Request) (Route, error)
	// QuickRoute says that Route never waits and has no use for the request's
	// context, so that it may be called where waiting would hold up sessions.
	QuickRoute bool
	// Handler answers every request that is not an upgrade; nil: 404.
	Handler http.Handler
	// TLS, when set, is offered to clients whose first byte asks for it.
	TLS *tls.Config
	// TLSOnly refuses plain clients.
	TLSOnly bool
	// Subprotocols, when not empty, are the only ones chosen from.
	Subprotocols []string
	// Text sends target bytes as text frames instead of binary ones.
	Text bool
	// Legacy takes clients of versions 8 and 7 of the drafts and of hixie-76 and
	// hixie-75 too.
	Legacy bool
	// Heartbeat pings every client this often, and closes one that answers
	// none of two; 0: off.
	Heartbeat time.Duration
	// SessionIdle closes a session silent both ways for this long; 0: off.
	SessionIdle time.Duration
	Limits      Limits
	// LogPath is what the log may hold of a request's path, where that has a
	// secret in it; nil: all of it. Of a query no value is ever logged.
	LogPath func(path string) string
}

// Limits bound what clients may take. A zero field means its default.
type Limits struct {
	Sessions      int           // live sessions; default from the open-file limit
	SessionsPerIP int           // live sessions of one client address; 0: no limit of its own
	SniffTimeout  time.Duration // to the first bytes; default 3 s
	HeaderTimeout time.Duration // for a TLS handshake, and for a request head; default 10 s each
	EndTimeout    time.Duration // from a session's first end to its last; default 30 s

	connections int // open connections that are no session; default from the open-file limit
}

// quick says that an upgrade of a plain client can be decided on without waiting.
func (r *Rules) quick() bool { return r.QuickRoute && !r.TLSOnly && r.Announced == nil }

func (r *Rules) refuses(client net.Addr) (reason string, refused bool) {
	if r.Admits == nil {
		return "", false
	}
	reason, ok := r.Admits(client)
	return reason, !ok
}

func (r *Rules) identify(request *http.Request) *http.Request {
	if r.Identify == nil {
		return request
	}
	return r.Identify(request)
}
