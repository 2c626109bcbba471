// Package access says who may come in, how often, how fast and for how long,
// and what may be dialled for them. A Gate is asked when a client arrives, an
// Allowance makes a target's connection as slow as it has to be, TargetRules
// look at every address before it is dialled, and Expect listens to a target's
// first bytes. Rules are text, as people write it: see the Parse functions,
// whose errors say what to write.
package access

import (
	"net"
	"net/http"
	"net/netip"
)

// Gate is who may come in and how many. The zero value lets everybody in. Set
// the fields before the first use and leave them alone after it; the methods
// may be called at the same time, and never wait.
type Gate struct {
	Clients  Rules    // by client address
	Origins  *Origins // by the page that a browser shows; nil: any
	Rate     *Rates   // new sessions of one client address; nil: any
	UserRate *Rates   // new sessions of one user; nil: any
	Users    *Counts  // live sessions of one user; nil: any
	Targets  *Counts  // live sessions to one target; nil: any
}

// Enter is asked of every upgrade before anything else; client is who sent it,
// as Address or a trusted proxy says. It takes nothing, so that it may be asked
// again. The error is a *Refusal.
func (g *Gate) Enter(r *http.Request, client netip.Addr) error {
	if reason, ok := g.Clients.Admits(client); !ok {
		return forbidden(reason)
	}
	return g.Origins.Check(r)
}

// Begin counts a new session, when all else has said yes; release ends it and
// may be called more than once. A client without an address, and an empty name,
// have no limit. The error is a *Refusal: then there is no session to release,
// but one of the client's address may have been counted as new.
func (g *Gate) Begin(client netip.Addr, user, target string) (release func(), err error) {
	leaveUser, err := g.Users.Acquire(user)
	if err != nil {
		return nil, err
	}
	leaveTarget, err := g.Targets.Acquire(target)
	if err != nil {
		leaveUser()
		return nil, err
	}
	release = func() { leaveTarget(); leaveUser() }
	if err = g.Rate.Take(AddressKey(client)); err == nil {
		err = g.UserRate.Take(user)
	}
	if err != nil {
		release()
		return nil, err
	}
	return release, nil
}

// Address is the client's of "192.0.2.7:4711", as http.Request.RemoteAddr has
// it; the zero Addr where there is none, as with a unix socket.
func Address(remote string) netip.Addr {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		host = remote
	}
	address, _ := netip.ParseAddr(host)
	return address.Unmap()
}

// Refusal is an HTTP answer given instead of a session. Its fields are those of
// bridge.Refusal, so that one converts to the other. Reason is one of a few: it
// holds nothing that a client chose.
type Refusal struct {
	Status int         // HTTP status
	Reason string      // one line for the person at the other end
	Header http.Header // further header lines; may be nil
}

func (r *Refusal) Error() string { return r.Reason }

func forbidden(reason string) *Refusal {
	return &Refusal{Status: http.StatusForbidden, Reason: reason}
}

// Error is the end of a session, or why it has none, in words for both sides.
type Error struct {
	Reason string // for the client: at most 60 bytes, without addresses and paths
	Err    error  // the whole story, for the log
}

func (e *Error) Error() string { return e.Err.Error() }

// Unwrap gives the whole story.
func (e *Error) Unwrap() error { return e.Err }

// CloseReason is the Reason, fit for a WebSocket Close frame.
func (e *Error) CloseReason() string { return e.Reason }
