package check

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/wsbridge/wsbridge/target"
)

// upgradeData is what step upgrade tells a program.
type upgradeData struct {
	Status      int    `json:"status"`
	Subprotocol string `json:"subprotocol,omitempty"`
	Server      string `json:"server,omitempty"`
	Location    string `json:"location,omitempty"`
	Body        string `json:"body,omitempty"` // of a refusal, at most 512 bytes
}

// upgrade is step 9. Nothing that is secret goes to a server that step trust
// did not believe.
func (v *visit) upgrade(ctx context.Context) finding {
	if v.doubted && v.secrets() {
		return skip("the certificate is not good, and -H, --auth, --send or the query may be secret: -n sends them nevertheless").stop()
	}
	try := v.early
	v.early = nil
	if try == nil {
		up, err := v.asking().Dial(ctx)
		try = &attempt{up, err}
	}
	if try.err != nil {
		return upgradeFault(try.err)
	}
	v.session = newSession(try.up, v.patience)
	f := ok("101 Switching Protocols, Sec-WebSocket-Accept is right")
	if try.up.Subprotocol != "" {
		f.detail += ", subprotocol " + try.up.Subprotocol
	} else if len(v.server.Subprotocols) > 0 {
		f = f.but("none of the subprotocols was chosen: Chrome and Node then refuse the server")
	}
	return f.with(upgradeData{Status: 101, Subprotocol: try.up.Subprotocol, Server: try.up.Header.Get("Server")})
}

func upgradeFault(err error) finding {
	var refused *target.HandshakeError
	if !errors.As(err, &refused) {
		if timedOut(err) {
			return fail("the server takes the request and does not answer")
		}
		return fail("%v", err)
	}
	h := refused.Header
	data := upgradeData{refused.Status, "", h.Get("Server"), h.Get("Location"), strings.ToValidUTF8(string(refused.Body), "?")}
	detail := refused.Error()
	if advice := adviceFor(refused); advice != "" {
		detail += ": " + advice
	}
	if body := bytes.TrimSpace(refused.Body); len(body) > 0 {
		detail += fmt.Sprintf("; it says: %s", body)
	}
	return fail("%s", detail).with(data)
}

// adviceFor says what such an answer mostly means.
func adviceFor(e *target.HandshakeError) string {
	switch e.Status {
	case http.StatusOK:
		return "a page lives here, not a WebSocket: is the path right?"
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return "clients do not follow: ask for " + e.Header.Get("Location")
	case http.StatusUnauthorized:
		return "it wants --auth user:password, or a token"
	case http.StatusForbidden:
		return "it may want an Origin (-o), a token (-H, or in the URL), or another address"
	case http.StatusNotFound:
		return "the path is not right, or a proxy in front does not know it"
	case http.StatusUpgradeRequired, http.StatusBadRequest:
		return "a proxy in front may not pass on the Upgrade and Connection headers"
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return "a proxy in front does not reach the server behind it"
	}
	return ""
}

// bareLF is step 10: the request as hands type it into openssl s_client.
func (v *visit) bareLF(ctx context.Context) finding {
	if v.NoLF {
		return skip("not asked for: --no-lf")
	}
	w := v.asking()
	over := w.Over
	conn, err := over.Dial(ctx)
	if err != nil {
		return warn("%v", err)
	}
	up, err := w.Upgrade(ctx, lfConn{conn})
	if err != nil {
		conn.Close()
		return warn("lines that end in LF alone are refused: %v; a test typed by hand into openssl s_client fails unless it has -crlf", err)
	}
	up.Conn = conn
	newSession(up, v.patience).part()
	return ok("lines that end in LF alone are understood")
}

// lfConn writes no CR. The head of a request has them only at line ends.
type lfConn struct{ net.Conn }

func (c lfConn) Write(p []byte) (int, error) {
	_, err := c.Conn.Write(bytes.ReplaceAll(p, []byte("\r"), nil))
	return len(p), err
}
