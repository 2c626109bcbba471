package check

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/wsbridge/wsbridge/target"
)

// visit is a check under way: what one step leaves for the next ones.
type visit struct {
	Check
	patience time.Duration // of a step

	server  target.WebSocket
	tls     *tls.Config          // of server; nil without TLS
	state   *tls.ConnectionState // of the first TLS handshake; nil: it failed
	fault   error                // by which it failed
	first   net.Conn             // with which it was done; nil: closed
	tickets *ticketCache
	trusted bool // the certificate was checked, and is good
	doubted bool // it was checked, and is not

	early   *attempt // what the probe of ws found out about the upgrade
	session *session // from upgrade to close
}

// attempt is an upgrade and how it ended.
type attempt struct {
	up  *target.Upgraded
	err error
}

// leave ends what is still open.
func (v *visit) leave() {
	if v.first != nil {
		v.first.Close()
	}
	if v.early != nil && v.early.up != nil {
		v.early.up.Conn.Close()
	}
	if v.session != nil {
		v.session.cut()
	}
}

// transport is what TLS goes over, or WebSocket without TLS.
func (v *visit) transport() target.Target {
	if over, ok := v.server.Over.(target.TLS); ok {
		return over.Over
	}
	return v.server.Over
}

// open is the server's TLS with every certificate taken: steps judge for
// themselves.
func (v *visit) open() *tls.Config {
	config := v.tls.Clone()
	config.InsecureSkipVerify = true
	return config
}

// judged is the server's TLS as step trust left it: what was found good there
// has to be good on every connection that follows.
func (v *visit) judged() *tls.Config {
	config := v.open()
	if v.trusted {
		config.VerifyConnection = func(state tls.ConnectionState) error { return v.judge(state).fault(v.AllowCN) }
	}
	return config
}

// asking is the server, reached as the steps before allow.
func (v *visit) asking() target.WebSocket {
	w := v.server
	w.Timeout = v.patience
	if over, ok := w.Over.(target.TLS); ok {
		over.Config = v.judged()
		w.Over = over
	}
	return w
}

// dialTLS does a handshake with config. The caller closes the connection.
func (v *visit) dialTLS(ctx context.Context, config *tls.Config) (net.Conn, *tls.ConnectionState, error) {
	conn, err := target.TLS{Over: v.transport(), Config: config, Timeout: v.patience}.Dial(ctx)
	if err != nil {
		return nil, nil, err
	}
	state := conn.(interface{ ConnectionState() tls.ConnectionState }).ConnectionState()
	return conn, &state, nil
}

// secrets tells whether the request has something in it that only the right
// server should see.
func (v *visit) secrets() bool {
	for name := range v.server.Header {
		if name != "Origin" {
			return true
		}
	}
	return v.Send != "" || strings.Contains(v.server.Path, "?")
}

func timedOut(err error) bool {
	var timeout net.Error
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
}

// oneLine keeps a report's lines lines, and a terminal safe, whatever a server
// says.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return '.'
		}
		return r
	}, strings.Join(strings.Fields(s), " "))
}
