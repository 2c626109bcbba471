// Package target opens the far end of a session: over TCP, a unix socket, and
// TLS over either.
package target

import (
	"cmp"
	"context"
	"net"
	"syscall"
	"time"
)

// defaultTimeout bounds a dial that was given no bound.
const defaultTimeout = 10 * time.Second

// keepAlive finds a peer that is gone within about a minute and a half.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 30 * time.Second, Interval: 15 * time.Second, Count: 4}

// Target is a far end. Dial connects to it, bounded by ctx and a time of the
// target's own; the caller closes the connection, which has a CloseWrite that
// keeps the other direction open. String names the target in logs.
//
// An error of Dial, or later of a connection's Read, that the person at the
// other end can be told about is an *Error; those of package net (refused,
// timed out, no such name) speak for themselves.
type Target interface {
	Dial(ctx context.Context) (net.Conn, error)
	String() string
}

// TCP is a target reached over TCP.
type TCP struct {
	Address  string        // host:port; an IPv6 host in brackets
	Timeout  time.Duration // for the whole dial, all addresses; default 10 s
	Resolver *net.Resolver // nil: net.DefaultResolver
	Guard    Guard         // nil: every address may be connected to
}

// Guard is asked about every address of a target just before it is connected
// to; its error is the dial's. (net.Dialer.ControlContext)
type Guard interface {
	Allows(target, address string) error
}

// Dial resolves the host and connects to the first of its addresses that
// answers, IPv6 and IPv4 side by side (RFC 8305); with several of a kind each
// gets its share of the time. The connection has TCP_NODELAY and keep-alive on;
// the caller closes it.
func (t TCP) Dial(ctx context.Context) (net.Conn, error) {
	d := net.Dialer{Timeout: cmp.Or(t.Timeout, defaultTimeout), KeepAliveConfig: keepAlive, Resolver: t.Resolver}
	if t.Guard != nil {
		d.ControlContext = func(_ context.Context, _, address string, _ syscall.RawConn) error {
			return t.Guard.Allows(t.Address, address)
		}
	}
	return d.DialContext(ctx, "tcp", t.Address)
}

func (t TCP) String() string { return t.Address }
