package bridge

import (
	"bufio"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/gobwas/ws"

	"github.com/wsbridge/wsbridge/deflate"
	"github.com/wsbridge/wsbridge/message"
)

// isUpgrade tells whether r asks for a WebSocket, rightly or not.
func isUpgrade(r *http.Request) bool { return headerHas(r.Header, "Upgrade", "websocket") }

// headerHas looks for a whole member of a list header, whose name is as
// http.Header has it, over all its lines and in any case (RFC 9110, 5.6.1).
func headerHas(h http.Header, name, member string) bool {
	for _, line := range h[name] {
		for m := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.Trim(m, " \t"), member) {
				return true
			}
		}
	}
	return false
}

// checkUpgrade holds the client's opening handshake against what HTTP itself
// asks of it; a relay's target looks at the rest.
func checkUpgrade(r *http.Request) *Refusal {
	switch {
	case r.Method != http.MethodGet:
		return &Refusal{Status: http.StatusMethodNotAllowed, Reason: "a WebSocket upgrade must be a GET request"}
	case !r.ProtoAtLeast(1, 1):
		return &Refusal{Status: http.StatusHTTPVersionNotSupported, Reason: "a WebSocket upgrade needs HTTP/1.1"}
	case r.ContentLength != 0 || len(r.TransferEncoding) > 0:
		return badUpgrade("a WebSocket upgrade must not carry a body")
	case !headerHas(r.Header, "Connection", "upgrade"):
		return badUpgrade("header 'Connection: Upgrade' is missing")
	}
	return nil
}

// checkVersion holds the handshake against RFC 6455, 4.2.1. Spoken are the
// versions to tell of.
func checkVersion(r *http.Request, spoken string) *Refusal {
	keys, versions := r.Header[keyHeader], r.Header["Sec-Websocket-Version"]
	switch {
	case len(versions) == 0:
		return badUpgrade("header 'Sec-WebSocket-Version: 13' is missing")
	case len(versions) > 1 || versions[0] != version:
		return wrongVersion(spoken + " only")
	case len(keys) != 1 || !validKey(keys[0]):
		return badUpgrade("header 'Sec-WebSocket-Key' must be there once, with 16 bytes in base64")
	}
	return nil
}

func wrongVersion(only string) *Refusal {
	return &Refusal{Status: http.StatusUpgradeRequired, Reason: "this server speaks WebSocket version " + only}
}

func badUpgrade(reason string) *Refusal {
	return &Refusal{Status: http.StatusBadRequest, Reason: reason}
}

// keyHeader is as http.Header has it, which is looked up without writing it anew.
const keyHeader = "Sec-Websocket-Key"

func validKey(key string) bool {
	const size = 16
	var nonce [size + 2]byte // which is what 24 characters may stand for
	if len(key) != base64.StdEncoding.EncodedLen(size) {
		return false
	}
	n, err := base64.StdEncoding.Decode(nonce[:], []byte(key))
	return err == nil && n == size
}

// upgrade answers the opening handshake and starts the session.
func (s *Server) upgrade(w http.ResponseWriter, r *http.Request) {
	d := decisionOf(r)
	if d == nil {
		d = s.decide(r)
	}
	release := s.admit(r, d)
	if d.era != rfc6455 && d.refusal == nil {
		s.tellEra(r, d.era)
	}
	switch {
	case d.refusal != nil:
		s.refuse(w, r, d.refusal)
	case d.route.Relay != nil:
		s.relay(w, r, d.route, release)
	case d.route.Service != nil:
		s.visit(w, r, d, release)
	default:
		s.begin(w, r, d, s.newSession(r, d, release))
	}
}

// decision is what becomes of an upgrade.
type decision struct {
	era         era    // the client's, unless a relay speaks with it
	subprotocol string // of a stream session; services and relays choose their own
	route       Route
	deflate     *deflate.Params // nil: nothing is compressed
	refusal     *Refusal        // nil: go ahead
	began       time.Time
}

// decide is everything that can say no before the handshake is answered, but
// for slots and for what the target says of it.
func (s *Server) decide(r *http.Request) *decision {
	began := time.Now()
	d := s.rule(r)
	d.began = began
	return d
}

func (s *Server) rule(r *http.Request) *decision {
	rules, e := s.now(), eraOf(r.Header)
	rules.rename(r, e)
	if refusal := checkUpgrade(r); refusal != nil {
		return &decision{refusal: refusal}
	}
	route, err := rules.Route(r)
	d := &decision{route: route}
	switch {
	case err != nil:
		d.refusal = asRefusal(err)
	case route.Relay == nil:
		d.era = e
		d.refusal = rules.checkEra(r, e, route)
	}
	if d.refusal == nil && route.Target != nil {
		d.choose(r.Header, e.carries(rules.Subprotocols))
	}
	if d.refusal == nil && s.mayCompress(d) {
		d.compress(r.Header)
	}
	return d
}

// choose is for a session of bytes.
func (d *decision) choose(h http.Header, allowed []string) {
	var ok bool
	if d.subprotocol, ok = chooseSubprotocol(h, allowed); !ok {
		d.refusal = badUpgrade("none of the offered subprotocols is allowed; allowed: " + strings.Join(allowed, ", "))
	}
}

// Explain is what would become of the upgrade r, in words. No slot is taken, and
// nobody is dialled. The error is a *Refusal.
func (s *Server) Explain(r *http.Request) (string, error) {
	d := s.decide(r)
	switch {
	case d.refusal != nil:
		return "", d.refusal
	case d.route.Relay != nil:
		return "the handshake goes to " + d.route.Relay.String(), nil
	case d.route.Service != nil:
		return "a session with messages to " + fmt.Sprint(d.route.Service), nil
	case d.subprotocol != "":
		return fmt.Sprintf("a session with bytes to %s, subprotocol %s", d.route.Target, d.subprotocol), nil
	}
	return "a session with bytes to " + d.route.Target.String(), nil
}

// admit takes a slot, or makes the decision a refusal.
func (s *Server) admit(r *http.Request, d *decision) (release func()) {
	if d.refusal != nil {
		return nil
	}
	slot, refusal := s.sessions.admit(r.RemoteAddr)
	if refusal != nil || d.route.Begin == nil {
		d.refusal = refusal
		return slot
	}
	leave, err := d.route.Begin()
	if err != nil {
		slot()
		d.refusal = asRefusal(err)
		return nil
	}
	return func() {
		slot()
		leave()
	}
}

func (s *Server) clientID(r *http.Request, user, subprotocol string) clientID {
	return clientID{addr: r.RemoteAddr, user: user, path: s.pathForLog(r), subprotocol: subprotocol, http: r.ProtoMajor, asked: rememberAsked(r)}
}

// newSession is the stream session of an upgrade that has its slot.
func (s *Server) newSession(r *http.Request, d *decision, release func()) *session {
	return &session{
		server: s, start: d.began, to: d.route.Target, release: release, mode: s.modeFor(d),
		id: s.clientID(r, d.route.User, d.subprotocol), deflate: s.codec(d),
	}
}

// begin sends the 101, dials, and leaves the HTTP server behind: the session
// runs in goroutines of its own, whose stacks have not grown.
func (s *Server) begin(w http.ResponseWriter, r *http.Request, d *decision, session *session) {
	conn, early, err := s.switchOver(w, r, d, d.subprotocol)
	if err != nil {
		s.left(session.id, conn, err)
		session.release()
		return
	}
	s.prepare(session, early)
	s.launch(session, conn)
}

// switchOver is answer in the words of the client's version.
func (s *Server) switchOver(w http.ResponseWriter, r *http.Request, d *decision, subprotocol string) (net.Conn, []byte, error) {
	if d.era != rfc6455 {
		return s.answerOld(w, r, d.era, subprotocol)
	}
	return answer(w, r, d.header(subprotocol), s.limits().HeaderTimeout)
}

// left is all of a client that did not take the 101.
func (s *Server) left(id clientID, conn net.Conn, err error) {
	s.log().Debug("client left during the handshake", "client", id.addr, "err", err)
	if conn != nil {
		conn.Close()
	}
}

// prepare is after the 101; early is what came with the handshake.
func (s *Server) prepare(session *session, early []byte) {
	s.greeted("upgrade", session.start)
	session.early = early
	session.start = time.Now()
}

// launch starts a prepared session on the client's connection.
func (s *Server) launch(session *session, conn net.Conn) {
	session.client = s.tap(conn, clientGlyphs)
	session.from = newSource(session.client, &s.buffers)
	session.out = message.NewWriter(session.client)
	s.sessions.enter(session)
	session.open()
}

func (s *Server) modeFor(d *decision) mode {
	switch {
	case d.era == hixie75:
		return hixie75Mode
	case d.era == hixie76:
		return hixie76Mode
	case d.subprotocol == "base64":
		return base64Mode
	case s.now().Text:
		return textMode
	}
	return binaryMode
}

// answer sends the 101 and returns the client's own connection with the bytes
// that came along with its handshake: they are its first frames.
func answer(w http.ResponseWriter, r *http.Request, header http.Header, timeout time.Duration) (net.Conn, []byte, error) {
	// The upgrader looks at the first line of a header only; checkUpgrade has
	// looked at all.
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", "websocket")
	conn, rw, _, err := ws.HTTPUpgrader{Timeout: timeout, Header: header}.Upgrade(r, w)
	if err != nil {
		return conn, nil, fmt.Errorf("answer the handshake: %w", err)
	}
	conn, early := detach(conn, rw.Reader)
	return conn, early, nil
}

// detach is a hijacked connection free of all layers, and what was read of it.
func detach(conn net.Conn, from *bufio.Reader) (net.Conn, []byte) {
	early := make([]byte, from.Buffered())
	from.Read(early)
	conn, rest := unwrap(conn)
	return conn, append(early, rest...)
}

// unwrap returns what the session reads and writes, free of the layers that
// sniffing and HTTP needed, and the bytes left in them.
func unwrap(conn net.Conn) (bared net.Conn, rest []byte) {
	if layer, ok := conn.(interface{ Detach() (net.Conn, []byte) }); ok {
		conn, rest = layer.Detach()
	}
	if c, ok := conn.(*tls.Conn); ok {
		return &secureConn{c, c.NetConn().(*transport)}, rest
	}
	return bare(conn), rest
}
