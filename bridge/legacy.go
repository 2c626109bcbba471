package bridge

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/wsbridge/wsbridge/frame"
)

// era is the version of the protocol that a client speaks.
type era uint8

const (
	rfc6455 era = iota // version 13, or what is refused as such
	hybi8              // draft-ietf-hybi-thewebsocketprotocol-08 to -12
	hybi7              // draft-ietf-hybi-thewebsocketprotocol-07
	hixie76            // draft-hixie-thewebsocketprotocol-76, draft-ietf-hybi-thewebsocketprotocol-00
	hixie75            // draft-hixie-thewebsocketprotocol-75
)

func (e era) String() string { return [...]string{"13", "8", "7", "hixie-76", "hixie-75"}[e] }

func (e era) hixie() bool { return e >= hixie76 }

// What Sec-WebSocket-Version says is spoken, without Rules.Legacy and with it.
const (
	version        = "13"
	legacyVersions = "13, 8, 7"
)

func (r *Rules) versions() string {
	if r.Legacy {
		return legacyVersions
	}
	return version
}

// eraOf tells an upgrade's version by its header: before it had a number, keys
// with spaces came, and before those nothing at all.
func eraOf(h http.Header) era {
	versions := h["Sec-Websocket-Version"]
	switch {
	case len(versions) == 1 && versions[0] == version:
		return rfc6455
	case len(versions) == 1 && versions[0] == hybi8.String():
		return hybi8
	case len(versions) == 1 && versions[0] == hybi7.String():
		return hybi7
	case len(versions) > 0 || len(h["Sec-Websocket-Key"]) > 0:
		return rfc6455
	case len(h["Sec-Websocket-Key1"]) > 0 || len(h["Sec-Websocket-Key2"]) > 0:
		return hixie76
	}
	return hixie75
}

// rename gives what a client says today's names, by which rules know them: an
// origin, for a relay's sake too, and what is said to the bridge itself.
func (r *Rules) rename(asked *http.Request, e era) {
	h := asked.Header
	switch {
	case e == rfc6455:
	case (e == hybi8 || e == hybi7) && h["Sec-Websocket-Origin"] != nil:
		h["Origin"] = h["Sec-Websocket-Origin"]
	case e == hixie76 && r.Legacy && asked.ContentLength == frame.HixieBody:
		asked.ContentLength = 0 // some clients count the bytes behind the head
	case e == hixie75 && r.Legacy && h["Websocket-Protocol"] != nil:
		h["Sec-Websocket-Protocol"] = h["Websocket-Protocol"]
		delete(h, "Websocket-Protocol")
	}
}

// checkEra holds the handshake against the client's version of the protocol,
// for a route that is no relay.
func (r *Rules) checkEra(asked *http.Request, e era, to Route) *Refusal {
	switch {
	case e != rfc6455 && !r.Legacy:
		return e.unspoken()
	case e.hixie() && to.Target == nil:
		return badUpgrade(fmt.Sprintf("%s carries bytes only; messages need WebSocket version 13, 8 or 7", e))
	case e == hixie76:
		_, _, err := hixieKeys(asked.Header)
		return err
	case e == hixie75:
		return nil
	case e != rfc6455:
		return checkOldKey(asked.Header)
	}
	return checkVersion(asked, r.versions())
}

// checkOldKey asks less of a key than RFC 6455 does: versions 8 and 7 came with
// keys that were not of 16 bytes.
func checkOldKey(h http.Header) *Refusal {
	if keys := h["Sec-Websocket-Key"]; len(keys) != 1 || keys[0] == "" {
		return badUpgrade("header 'Sec-WebSocket-Key' must be there once")
	}
	return nil
}

// unspoken refuses a version that there is only with Rules.Legacy.
func (e era) unspoken() *Refusal {
	if e == hixie75 { // or a handshake with its most telling lines missing
		return badUpgrade("header 'Sec-WebSocket-Version: 13' is missing; clients of hixie-75 need --legacy")
	}
	return wrongVersion(fmt.Sprintf("%s only; clients of version %s need --legacy", version, e))
}

// hixieKeys are the numbers in both keys of draft 76.
func hixieKeys(h http.Header) (one, two uint32, refusal *Refusal) {
	var numbers [2]uint32
	for i, name := range []string{"Sec-WebSocket-Key1", "Sec-WebSocket-Key2"} {
		keys := h.Values(name)
		if len(keys) != 1 {
			return 0, 0, badUpgrade(fmt.Sprintf("header '%s' must be there once", name))
		}
		number, err := frame.HixieKey(keys[0])
		if err != nil {
			return 0, 0, badUpgrade(fmt.Sprintf("header '%s' %v", name, err))
		}
		numbers[i] = number
	}
	return numbers[0], numbers[1], nil
}

// answerOld is answer for a client older than RFC 6455. The last bytes of a
// request of draft 76 may come after the answer's head: some proxies let nothing
// through before.
func (s *Server) answerOld(w http.ResponseWriter, r *http.Request, e era, subprotocol string) (net.Conn, []byte, error) {
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, nil, fmt.Errorf("answer the handshake: %w", err)
	}
	conn.SetDeadline(time.Now().Add(s.limits().HeaderTimeout))
	stop := context.AfterFunc(s.ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	_, err = conn.Write(e.switching(r, subprotocol))
	if err == nil && e == hixie76 {
		err = answerChallenge(conn, rw, r)
	}
	if !stop() {
		err = ErrServerClosed
	}
	if err != nil {
		return conn, nil, fmt.Errorf("answer the handshake: %w", err)
	}
	conn.SetDeadline(time.Time{})
	conn, early := detach(conn, rw.Reader)
	return conn, early, nil
}

// answerChallenge reads the end of a request of draft 76, and ends the answer.
func answerChallenge(conn net.Conn, from io.Reader, r *http.Request) error {
	var body [frame.HixieBody]byte
	if _, err := io.ReadFull(from, body[:]); err != nil {
		return err
	}
	one, two, _ := hixieKeys(r.Header) // checkEra has looked at them
	answer := frame.HixieAnswer(one, two, body)
	_, err := conn.Write(answer[:])
	return err
}

// switching is the answer's head. Clients of draft 75 compare its first three
// lines byte by byte, and those of both the Location with what they asked for.
func (e era) switching(r *http.Request, subprotocol string) []byte {
	status, prefix := "WebSocket Protocol Handshake", "Sec-"
	switch e {
	case hybi8, hybi7:
		return switching(nil, r.Header.Get(keyHeader), &decision{subprotocol: subprotocol})
	case hixie75:
		status, prefix = "Web Socket Protocol Handshake", ""
	}
	origin := r.Header.Get("Origin")
	if origin == "" { // no browser's, but the line must be there
		origin = "null"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "HTTP/1.1 101 %s\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n", status)
	fmt.Fprintf(&b, "%sWebSocket-Origin: %s\r\n%sWebSocket-Location: %s\r\n", prefix, origin, prefix, hixieLocation(r))
	if subprotocol != "" {
		fmt.Fprintf(&b, "%sWebSocket-Protocol: %s\r\n", prefix, subprotocol)
	}
	return []byte(b.String() + "\r\n")
}

// hixieLocation is the URL that the client asked for, as it wrote it.
func hixieLocation(r *http.Request) string {
	scheme, uri := "ws", r.RequestURI
	if r.TLS != nil {
		scheme = "wss"
	}
	if !strings.HasPrefix(uri, "/") {
		uri = r.URL.RequestURI()
	}
	return scheme + "://" + r.Host + uri
}

// tellEra is the log's line on a client of another version than 13.
func (s *Server) tellEra(r *http.Request, e era) {
	s.log().Info("legacy protocol", slog.String("client", r.RemoteAddr), slog.String("version", e.String()))
}
