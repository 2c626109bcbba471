package admin

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"
)

const (
	maxConnections = 256
	maxHead        = 16 << 10         // bytes
	headTimeout    = 10 * time.Second // for a request's head
	bodyTimeout    = 10 * time.Second // for its body, if it has one
	answerTimeout  = 30 * time.Second // for an answer that is not a stream
	idleTimeout    = time.Minute
	stopTimeout    = 5 * time.Second // for requests being answered at the end
	minToken       = 16              // bytes
)

// Check says why it may not be served at address: no token where strangers can
// come, or one that can be guessed.
func (a *Admin) Check(address net.Addr) error { return CheckToken(a.secret(), address) }

// CheckToken is Check for a token that is not in force yet.
func CheckToken(token string, address net.Addr) error {
	switch {
	case token == "" && !private(address):
		return fmt.Errorf("the administrator's side at %s could be reached by strangers: set a token, or listen on 127.0.0.1 or a unix socket", address)
	case token != "" && len(token) < minToken:
		return fmt.Errorf("the administrator's token is too short: take %d characters or more, from openssl rand -hex 32 say", minToken)
	}
	return nil
}

// private says whether only this machine's users reach an address.
func private(address net.Addr) bool {
	if address.Network() == "unix" {
		return true
	}
	ip, err := netip.ParseAddrPort(address.String())
	return err == nil && ip.Addr().Unmap().IsLoopback()
}

// Serve answers at l until ctx ends, and closes l. Nil: ctx has ended, and
// nothing of it is left. So that a drain can be watched, let ctx outlive it.
func (a *Admin) Serve(ctx context.Context, l net.Listener) error {
	if err := a.Check(l.Addr()); err != nil {
		l.Close()
		return err
	}
	s := a.server(ctx)
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		shutdown(s)
	})
	err := s.Serve(l)
	if stop() {
		s.Close()
		return err
	}
	<-stopped
	return nil
}

// server bounds what a peer may take.
func (a *Admin) server(ctx context.Context) *http.Server {
	return &http.Server{
		Handler:           a.Handler(),
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ConnState:         a.counted(),
		ReadHeaderTimeout: headTimeout,
		WriteTimeout:      answerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHead,
		ErrorLog:          slog.NewLogLogger(a.log().Handler(), slog.LevelDebug),
	}
}

// shutdown lets requests finish, those that last too long excepted.
func shutdown(s *http.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	if s.Shutdown(ctx) != nil {
		s.Close()
	}
}

// counted closes connections that are too many. The listener is not wrapped for
// it: that would hide TLS from the server.
func (a *Admin) counted() func(net.Conn, http.ConnState) {
	var open atomic.Int64
	return func(c net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			if open.Add(1) > maxConnections {
				a.suspect("too many connections to the administrator's side", c.RemoteAddr().String())
				c.Close()
			}
		case http.StateClosed:
			open.Add(-1)
		}
	}
}

// suspect logs what a stranger did, once a second at most.
func (a *Admin) suspect(what, client string) {
	a.warn.Do(func() { a.log().Warn(what, "client", client) })
}
