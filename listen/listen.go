package listen

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// keepAlive finds a client that vanished within a minute and a half.
var keepAlive = net.KeepAliveConfig{
	Enable:   true,
	Idle:     30 * time.Second,
	Interval: 15 * time.Second,
	Count:    4,
}

// Listen opens a for TCP; ctx bounds the look-up of a host name. Without a
// host it is one socket for IPv4 and IPv6, or for IPv4 alone where IPv6 is
// off; a host name that has both gives its IPv4 address. Accepted connections
// have keep-alive on and, as always in Go, TCP_NODELAY. The caller closes the
// listener. An error is one line for the person and wraps its cause.
func (a Address) Listen(ctx context.Context) (net.Listener, error) {
	var config net.ListenConfig
	setKeepAlive(&config, keepAlive)
	config.SetMultipathTCP(false) // splice(2) wants plain TCP
	if a.PreferIPv6 && a.isName() {
		l, err := config.Listen(ctx, "tcp6", a.String())
		if !hasNoIPv6(err) {
			return l, a.plain(err)
		}
	}
	l, err := config.Listen(ctx, a.network(), a.String())
	return l, a.plain(err)
}

func (a Address) isName() bool {
	_, err := netip.ParseAddr(a.Host)
	return a.Host != "" && err != nil
}

// hasNoIPv6 tells the one failure that IPv4 can help.
func hasNoIPv6(err error) bool {
	var unresolved *net.DNSError
	var unsuitable *net.AddrError
	return errors.As(err, &unresolved) || errors.As(err, &unsuitable) || errors.Is(err, syscall.EAFNOSUPPORT)
}

// network keeps 0.0.0.0 to IPv4, which to package net means everything.
func (a Address) network() string {
	if ip, err := netip.ParseAddr(a.Host); err == nil && ip.Is4() {
		return "tcp4"
	}
	return "tcp"
}

// plainError says in words for the person what its cause means.
type plainError struct {
	text  string
	cause error
}

func (e *plainError) Error() string { return e.text }
func (e *plainError) Unwrap() error { return e.cause }

func (a Address) plain(err error) error {
	if err == nil {
		return nil
	}
	return &plainError{a.explain(err), err}
}

func (a Address) explain(err error) string {
	var unresolved *net.DNSError
	switch {
	case errors.Is(err, errInUse):
		return fmt.Sprintf("port %d is already in use", a.Port)
	case errors.Is(err, errNotHere):
		return fmt.Sprintf("cannot bind %s: not an address of this machine", a.Host)
	case errors.Is(err, syscall.EAFNOSUPPORT):
		return fmt.Sprintf("cannot bind %s: IPv6 is off on this machine", a.Host)
	case errors.Is(err, errNotAllowed) && a.Port < 1024:
		return fmt.Sprintf("port %d needs root or CAP_NET_BIND_SERVICE", a.Port)
	case errors.As(err, &unresolved):
		return fmt.Sprintf("cannot resolve %s: %s", a.Host, unresolved.Err)
	}
	return fmt.Sprintf("cannot listen on %s: %v", a, err)
}
