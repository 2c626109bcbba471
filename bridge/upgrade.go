package bridge

import (
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/gobwas/httphead"
	"github.com/gobwas/ws"

	"github.com/wsbridge/wsbridge/sniff"
)

// isUpgrade tells whether r asks for a WebSocket, rightly or not.
func isUpgrade(r *http.Request) bool { return headerHas(r.Header, "Upgrade", "websocket") }

// headerHas looks for a token in a list header, over all its lines and in any
// case (RFC 9110, 5.6.1).
func headerHas(h http.Header, name, token string) (found bool) {
	for _, line := range h.Values(name) {
		httphead.ScanTokens([]byte(line), func(t []byte) bool {
			found = found || strings.EqualFold(string(t), token)
			return !found
		})
	}
	return found
}

// checkUpgrade holds the client's opening handshake against RFC 6455, 4.2.1.
func checkUpgrade(r *http.Request) *Refusal {
	bad := func(reason string) *Refusal { return &Refusal{Status: http.StatusBadRequest, Reason: reason} }
	keys, versions := r.Header.Values("Sec-WebSocket-Key"), r.Header.Values("Sec-WebSocket-Version")
	switch {
	case r.Method != http.MethodGet:
		return &Refusal{Status: http.StatusMethodNotAllowed, Reason: "a WebSocket upgrade must be a GET request"}
	case !r.ProtoAtLeast(1, 1):
		return &Refusal{Status: http.StatusHTTPVersionNotSupported, Reason: "a WebSocket upgrade needs HTTP/1.1"}
	case r.ContentLength != 0 || len(r.TransferEncoding) > 0:
		return bad("a WebSocket upgrade must not carry a body")
	case !headerHas(r.Header, "Connection", "upgrade"):
		return bad("header 'Connection: Upgrade' is missing")
	case len(versions) == 0:
		return bad("header 'Sec-WebSocket-Version: 13' is missing")
	case len(versions) > 1 || versions[0] != "13":
		return &Refusal{Status: http.StatusUpgradeRequired, Reason: "this server speaks WebSocket version 13 only"}
	case len(keys) != 1 || !validKey(keys[0]):
		return bad("header 'Sec-WebSocket-Key' must be there once, with 16 bytes in base64")
	}
	return nil
}

func validKey(key string) bool {
	nonce, err := base64.StdEncoding.DecodeString(key)
	return err == nil && len(nonce) == 16
}

// upgrade answers the opening handshake and starts the session.
func (s *Server) upgrade(w http.ResponseWriter, r *http.Request) {
	session, refusal := s.admit(r)
	if refusal != nil {
		s.refuse(w, r, refusal)
		return
	}
	s.begin(w, r, session)
}

// admit gives an upgrade its session, which holds a slot, or says why not.
func (s *Server) admit(r *http.Request) (*session, *Refusal) {
	subprotocol, route, refusal := s.decide(r)
	if refusal != nil {
		return nil, refusal
	}
	release, refusal := s.sessions.admit(r.RemoteAddr)
	if refusal != nil {
		return nil, refusal
	}
	id := clientID{addr: r.RemoteAddr, user: route.User, path: s.pathForLog(r), subprotocol: subprotocol}
	return &session{server: s, to: route.Target, release: release, id: id}, nil
}

// decide is everything that can say no before the handshake is answered.
func (s *Server) decide(r *http.Request) (subprotocol string, route Route, refusal *Refusal) {
	if refusal = checkUpgrade(r); refusal != nil {
		return "", Route{}, refusal
	}
	subprotocol, ok := chooseSubprotocol(r.Header, s.Subprotocols)
	if !ok {
		reason := "none of the offered subprotocols is allowed; allowed: " + strings.Join(s.Subprotocols, ", ")
		return "", Route{}, &Refusal{Status: http.StatusBadRequest, Reason: reason}
	}
	if refusal := refusalOf(r); refusal != nil {
		return "", Route{}, refusal
	}
	route, err := s.Route(r)
	if err != nil {
		return "", Route{}, asRefusal(err)
	}
	return subprotocol, route, nil
}

// begin sends the 101, dials, and leaves the HTTP server behind: the session
// runs in goroutines of its own, whose stacks have not grown.
func (s *Server) begin(w http.ResponseWriter, r *http.Request, session *session) {
	conn, early, err := answer(w, r, session.id.subprotocol, s.limits.HeaderTimeout)
	if err != nil {
		s.left(session, conn, err)
		return
	}
	s.prepare(session, early)
	s.launch(session, conn)
}

// left is all of a session whose client did not take the 101.
func (s *Server) left(session *session, conn net.Conn, err error) {
	s.log().Debug("client left during the handshake", "client", session.id.addr, "err", err)
	if conn != nil {
		conn.Close()
	}
	session.release()
}

// prepare is after the 101; early is what came with the handshake.
func (s *Server) prepare(session *session, early []byte) {
	session.early = early
	session.log, session.start = s.log(), time.Now()
	session.mode = s.modeFor(session.id.subprotocol)
}

// launch starts a prepared session on the client's connection.
func (s *Server) launch(session *session, conn net.Conn) {
	session.client = s.tap(conn, clientGlyphs)
	session.from = newSource(session.client, &s.buffers)
	session.out = &frameWriter{conn: session.client}
	s.sessions.start(session, session.open)
}

func (s *Server) modeFor(subprotocol string) mode {
	switch {
	case subprotocol == "base64":
		return base64Mode
	case s.Text:
		return textMode
	}
	return binaryMode
}

// answer sends the 101 and returns the client's own connection with the bytes
// that came along with its handshake: they are its first frames.
func answer(w http.ResponseWriter, r *http.Request, subprotocol string, timeout time.Duration) (net.Conn, []byte, error) {
	header := http.Header{}
	if subprotocol != "" {
		header["Sec-WebSocket-Protocol"] = []string{subprotocol}
	}
	// The upgrader looks at the first line of a header only; checkUpgrade has
	// looked at all.
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", "websocket")
	conn, rw, _, err := ws.HTTPUpgrader{Timeout: timeout, Header: header}.Upgrade(r, w)
	if err != nil {
		return conn, nil, fmt.Errorf("answer the handshake: %w", err)
	}
	early := make([]byte, rw.Reader.Buffered())
	rw.Reader.Read(early)
	conn, rest := unwrap(conn)
	return conn, append(early, rest...), nil
}

// unwrap returns what the session reads and writes, free of the layers that
// sniffing and HTTP needed, and the bytes left in them.
func unwrap(conn net.Conn) (net.Conn, []byte) {
	switch c := conn.(type) {
	case *sniff.Conn:
		return c.Detach()
	case *prefixed:
		return c.Conn, c.rest
	case *tls.Conn:
		return &secureConn{c, c.NetConn().(*transport)}, nil
	}
	return conn, nil
}
