// Package target opens the far end of a session.
package target

import (
	"context"
	"net"
	"time"
)

// TCP is a target reached over TCP.
type TCP struct {
	Address string        // host:port; an IPv6 host in brackets
	Timeout time.Duration // for the whole dial, all addresses; default 10 s
}

// Dial connects to the first of the host's addresses that answers (RFC 8305).
// The caller closes the connection.
func (t TCP) Dial(ctx context.Context) (net.Conn, error) {
	d := net.Dialer{Timeout: t.Timeout}
	return d.DialContext(ctx, "tcp", t.Address)
}

func (t TCP) String() string { return t.Address }
