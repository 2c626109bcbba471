package bridge

import (
	"crypto/tls"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// asked is what a live session asked for, so that other rules can be tried on it.
type asked struct {
	host, uri string
	header    http.Header // of askedHeaders; nil: none of them
	tls       *tls.ConnectionState
}

// keptBytes is how much of a request is kept at most.
const keptBytes = 4 << 10

// askedHeaders are those that decisions depend on.
var askedHeaders = []string{
	"Authorization", "Cookie", "Origin", "Sec-Websocket-Protocol", "Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto",
}

// rememberAsked copies, so that a session does not keep its whole request head;
// nil: it is too much to be kept.
func rememberAsked(r *http.Request) *asked {
	text := r.Host + r.URL.RequestURI()
	a := &asked{host: text[:len(r.Host)], uri: text[len(r.Host):]}
	size := len(text)
	for _, name := range askedHeaders {
		for _, value := range r.Header[name] {
			if a.header == nil {
				a.header = http.Header{}
			}
			a.header[name] = append(a.header[name], strings.Clone(value))
			size += len(value)
		}
	}
	if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
		a.tls = r.TLS
	}
	if size > keptBytes {
		return nil
	}
	return a
}

// request is the upgrade once more, as far as it was kept.
func (a *asked) request(from string) (*http.Request, error) {
	u, err := url.ParseRequestURI(a.uri)
	if err != nil {
		return nil, err
	}
	header := a.header.Clone()
	if header == nil {
		header = http.Header{}
	}
	return &http.Request{
		Method: http.MethodGet, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		URL: u, RequestURI: a.uri, Host: a.host, Header: header, RemoteAddr: from, TLS: a.tls,
	}, nil
}

// Review tries judge on what every live session asked for, and returns the
// errors by the session's ID: those that would not be let in now. It takes as
// long as judge does. Only headers that decisions depend on are still there; a
// request of more than 4 KiB is not tried.
func (s *Server) Review(judge func(*http.Request) error) map[string]error {
	s.once.Do(s.start)
	refused := map[string]error{}
	for l, id := range s.sessions.numbered() {
		who := l.who()
		if who.asked == nil {
			continue
		}
		r, err := who.asked.request(who.addr)
		if err == nil {
			err = judge(r)
		}
		if err != nil {
			refused[strconv.FormatUint(id, 10)] = err
		}
	}
	return refused
}
