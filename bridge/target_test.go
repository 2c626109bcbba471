package bridge

import (
	"context"
	"net"
	"net/http"

	"github.com/wsbridge/wsbridge/target"
)

// to routes every upgrade to one target.
func to(t Target) func(*http.Request) (Route, error) {
	return func(*http.Request) (Route, error) { return Route{Target: t}, nil }
}

// named is a TCP target by name.
func named(address string) Target { return target.TCP{Address: address} }

// failing is a target that cannot be dialled.
type failing struct{ err error }

func (f failing) Dial(context.Context) (net.Conn, error) { return nil, f.err }
func (f failing) String() string                         { return "failing" }

type timeoutError struct{}

func (timeoutError) Error() string   { return "took too long" }
func (timeoutError) Timeout() bool   { return true }
func (timeoutError) Temporary() bool { return true }

type tellingError struct{}

func (tellingError) Error() string       { return "secret details" }
func (tellingError) CloseReason() string { return "target has gone fishing" }
