// Package bridge joins WebSocket clients to targets: it accepts connections,
// looks at their first bytes, answers HTTP and the opening handshake, and
// carries the bytes of every session until both ends have ended well.
package bridge

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Target is where a session's bytes go. Dial opens it once per session; the
// session closes what Dial returns. String names it in logs ("host:port").
type Target interface {
	Dial(ctx context.Context) (net.Conn, error)
	String() string
}

// Limits bound what clients may take. A zero field means its default.
type Limits struct {
	Sessions      int           // live sessions; default from the open-file limit
	SessionsPerIP int           // live sessions of one client address; 0: no limit of its own
	SniffTimeout  time.Duration // to the first bytes; default 3 s
	HeaderTimeout time.Duration // for a TLS handshake, and for a request head; default 10 s each
	EndTimeout    time.Duration // from a session's first end to its last; default 30 s
}

// Server is the bridge. The zero value plus Route works; set the fields before
// the first Serve and leave them alone after it.
type Server struct {
	// Route chooses the target of an upgrade while an HTTP status can still
	// be said. A *Refusal as error is answered as it says.
	Route func(*http.Request) (Target, error)
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
	// Log gets one line per session at its end; nil: slog.Default().
	Log *slog.Logger
	// Traffic, when set, gets websockify's glyphs, one per read and write.
	Traffic io.Writer
}

// Refusal is an answer given instead of a session.
type Refusal struct {
	Status int    // HTTP status
	Reason string // one line for the person at the other end
}

func (r *Refusal) Error() string { return r.Reason }

// ErrServerClosed is returned by Serve after Shutdown.
var ErrServerClosed = errors.New("bridge: server closed")

// Serve accepts connections from l until Shutdown, which closes l. It may be
// called for several listeners at once.
func (s *Server) Serve(l net.Listener) error { return ErrServerClosed }

// Shutdown closes the listeners, tells every session 1001, and waits for them
// to end. When ctx ends first it cuts what is left and returns ctx's error.
func (s *Server) Shutdown(ctx context.Context) error { return nil }
