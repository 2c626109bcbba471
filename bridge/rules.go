package bridge

import (
	"crypto/tls"
	"net/http"
	"time"
)

// Rules are what a client meets that comes to a Server.
type Rules struct {
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
func (r *Rules) quick() bool { return r.QuickRoute && !r.TLSOnly }
