package connect

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"time"

	"github.com/wsbridge/wsbridge/target"
)

const (
	firstPause = 250 * time.Millisecond
	maxPause   = 5 * time.Second
)

// Error is why there is no session, or why it did not end well. Step is the
// step of wsbridge check that looks at it: resolve, connect, tls, trust,
// upgrade or close; output is the other side, ours.
type Error struct {
	Step string
	Err  error
}

func (e *Error) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// dial tries until there is a session, an error that time does not mend, or
// Retry is over.
func (p Pipe) dial(ctx context.Context) (*target.Upgraded, error) {
	until := time.Now().Add(p.Retry)
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		up, err := p.Server.Dial(ctx)
		if err == nil {
			return up, nil
		}
		e := &Error{p.stepOf(err), err}
		if !e.passing() || time.Now().Add(pause).After(until) {
			return nil, e
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, e
		}
	}
}

// passing tells whether the server may do better later.
func (e *Error) passing() bool {
	var refused *target.HandshakeError
	if errors.As(e, &refused) {
		return refused.Status >= 500
	}
	return e.Step != "trust"
}

// stepOf says which step of a dial failed.
func (p Pipe) stepOf(err error) string {
	var (
		dns         *net.DNSError
		op          *net.OpError
		certificate *tls.CertificateVerificationError
	)
	_, secure := p.Server.Over.(target.TLS)
	switch {
	case errors.Is(err, target.ErrUpgrade):
		return "upgrade"
	case errors.As(err, &certificate):
		return "trust"
	case errors.As(err, &dns):
		return "resolve"
	case secure && !(errors.As(err, &op) && op.Op == "dial"):
		return "tls"
	}
	return "connect"
}
