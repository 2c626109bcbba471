package bridge

import (
	"log"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	headBytes    = 16 << 10         // of a request head
	headLines    = 100              // of a request head
	idleTimeout  = 60 * time.Second // between two requests of a connection
	writeTimeout = 30 * time.Second // for the client to take one piece of an answer
)

// serveHTTP answers one request, or turns it into a session.
func (s *Server) serveHTTP(w http.ResponseWriter, r *http.Request) {
	s.asking.asked(r)
	r = s.now().identify(r)
	switch {
	case headerLines(r.Header) > headLines:
		s.refuse(w, r, &Refusal{Status: http.StatusRequestHeaderFieldsTooLarge, Reason: "too many header lines"})
	case isPreface(r):
		s.refuse(w, r, &Refusal{Status: http.StatusHTTPVersionNotSupported, Reason: "HTTP/2 is spoken here over TLS only"})
	case isUpgrade(r):
		s.upgrade(w, r)
	case isTunnel(r):
		s.tunnel(w, r)
	default:
		s.lastAnswer(w)
		s.plain(&patient{w, http.NewResponseController(w), r.ProtoMajor >= 2}, r)
	}
}

func headerLines(h http.Header) (lines int) {
	for _, values := range h {
		lines += len(values)
	}
	return lines
}

// plain answers a request that is no upgrade. A body nobody asked for has as
// long to arrive as a head has; over HTTP/2 it would be kept meanwhile.
func (s *Server) plain(w *patient, r *http.Request) {
	switch {
	case r.ContentLength == 0:
	case w.shared && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		r.Body.Close()
	default:
		if r.ProtoMajor == 1 {
			w.Header().Set("Connection", "close") // RFC 9112, 6.1: two may have read two ends of it
		}
		w.control.SetReadDeadline(time.Now().Add(s.limits().HeaderTimeout))
	}
	handler := s.now().Handler
	if handler == nil {
		http.NotFound(w, r)
		return
	}
	handler.ServeHTTP(w, r)
	w.extend() // for what is still to be flushed
}

// retryAfter is in how many seconds who got a 503 had better come again.
const retryAfter = "5"

// refuse answers an upgrade that gets no session, counts it and logs it.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, refusal *Refusal) {
	s.counters.add(refusal.Reason)
	s.log().Info("upgrade refused", "client", r.RemoteAddr, "path", s.pathForLog(r), "status", refusal.Status, "reason", refusal.Reason)
	h := w.Header()
	maps.Copy(h, refusal.Header)
	switch refusal.Status {
	case http.StatusUpgradeRequired:
		h["Upgrade"], h["Sec-WebSocket-Version"] = []string{"websocket"}, []string{s.now().versions()}
	case http.StatusMethodNotAllowed:
		h.Set("Allow", http.MethodGet)
	case http.StatusServiceUnavailable:
		if h.Get("Retry-After") == "" {
			h.Set("Retry-After", retryAfter)
		}
	}
	h.Set("Connection", "close")
	h.Set("X-Content-Type-Options", "nosniff")
	p := &patient{w, http.NewResponseController(w), r.ProtoMajor >= 2}
	p.extend()
	if r.ContentLength != 0 && !p.shared { // net/http reads on in a body before it closes
		p.control.SetReadDeadline(time.Now().Add(s.limits().HeaderTimeout))
	}
	http.Error(p, refusal.Reason, refusal.Status)
}

// patient gives the client writeTimeout for every piece of an answer, so that
// a long answer may take its time and a client that stopped reading may not.
type patient struct {
	http.ResponseWriter
	control *http.ResponseController
	shared  bool // over HTTP/2, where a deadline that passes between two writes counts
}

func (p *patient) Write(b []byte) (int, error) {
	p.extend()
	defer p.relax()
	return p.ResponseWriter.Write(b)
}

// FlushError is for http.ResponseController.
func (p *patient) FlushError() error {
	p.extend()
	defer p.relax()
	return p.control.Flush()
}

func (p *patient) extend() { p.control.SetWriteDeadline(time.Now().Add(writeTimeout)) }

func (p *patient) relax() {
	if p.shared {
		p.control.SetWriteDeadline(time.Time{})
	}
}

// Unwrap is for http.ResponseController.
func (p *patient) Unwrap() http.ResponseWriter { return p.ResponseWriter }

// pathForLog is what the log may hold of r's path and query.
func (s *Server) pathForLog(r *http.Request) string {
	u := *r.URL
	if logPath := s.now().LogPath; logPath != nil {
		u.Path = logPath(u.Path)
	}
	return redact(&u)
}

// redact is u's path and query as the log may hold it: tokens are in query
// values, so no value is shown.
func redact(u *url.URL) string {
	if u.RawQuery == "" {
		return u.Path
	}
	var out []string
	for pair := range strings.SplitSeq(u.RawQuery, "&") {
		name, _, ok := strings.Cut(pair, "=")
		if !ok {
			name = ""
		}
		out = append(out, name+"=***")
	}
	return u.Path + "?" + strings.Join(out, "&")
}

// asRefusal makes an HTTP answer of a Route error; what is no Refusal is ours
// to know and not the client's.
func asRefusal(err error) *Refusal {
	if refusal, ok := err.(*Refusal); ok {
		return refusal
	}
	return &Refusal{Status: http.StatusInternalServerError, Reason: "cannot choose a target"}
}

func slogAsLog(l *slog.Logger) *log.Logger { return slog.NewLogLogger(l.Handler(), slog.LevelWarn) }
