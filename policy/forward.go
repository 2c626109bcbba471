package policy

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	maxForwardConns = 64       // kept for later requests
	maxForwardHead  = 64 << 10 // of an answer, in bytes
	maxUserName     = 256      // bytes
	defaultUserName = "Remote-User"
)

// ForwardAuth is the auth plugin ForwardAuth: a server that answers for each
// request whether it may go on, as for nginx's auth_request, Traefik's
// ForwardAuth and Caddy's forward_auth. Set the fields before the first use.
type ForwardAuth struct {
	// Origin tells by which scheme, "https" say, and under which host the client
	// asked, where a trusted proxy stands in between; nil: as the connection
	// shows. A request's RemoteAddr is always its client's.
	Origin func(*http.Request) (proto, host string)

	url     string
	user    string   // the header with the user's name
	headers []string // passed on as the client sent them
	client  *http.Client
}

// passedOn are the client's headers that an authentication server decides by.
var passedOn = []string{"Accept", "Authorization", "Cookie", "Origin", "User-Agent"}

// passedBack are the headers of a no that the client needs to do better.
var passedBack = []string{"Location", "Set-Cookie", "Www-Authenticate"}

func openForwardAuth(source string, _ *slog.Logger) (Authenticator, error) {
	source, options, err := cutOptions(source, "user", "headers", "ca")
	if err != nil {
		return nil, err
	}
	if _, err := parseURL(source); err != nil {
		return nil, err
	}
	f := &ForwardAuth{url: source, user: defaultUserName, headers: passedOn}
	if err := f.setNames(options); err != nil {
		return nil, err
	}
	roots, err := loadRoots(options.Get("ca"))
	if err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost, transport.IdleConnTimeout = maxForwardConns, 30*time.Second
	transport.MaxResponseHeaderBytes, transport.DisableCompression = maxForwardHead, true
	transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	f.client = &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
	return f, nil
}

// setNames reads which headers are passed on, and which one has the user.
func (f *ForwardAuth) setNames(options url.Values) error {
	if options.Has("user") {
		f.user = options.Get("user")
	}
	if options.Has("headers") {
		list := strings.Join(options["headers"], ",")
		f.headers = strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
	}
	for _, name := range append([]string{f.user}, f.headers...) {
		if name == "" || strings.ContainsFunc(name, notToken) {
			return errors.New("user and headers name headers: write user=Remote-User&headers=Cookie,Authorization")
		}
	}
	if slices.ContainsFunc(f.headers, isOurs) {
		return errors.New("headers may not name X-Forwarded-*, X-Original-* nor what is of one connection: the bridge writes them itself")
	}
	return nil
}

// isOurs tells the headers a client has no say in.
func isOurs(name string) bool {
	name = http.CanonicalHeaderKey(name)
	switch name {
	case "Connection", "Content-Length", "Forwarded", "Host", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade":
		return true
	}
	return strings.HasPrefix(name, "X-Forwarded-") || strings.HasPrefix(name, "X-Original-") || strings.HasPrefix(name, "Proxy-")
}

// Close lets go of connections kept for later requests.
func (f *ForwardAuth) Close() error {
	f.client.CloseIdleConnections()
	return nil
}

// Authenticate asks the server.
func (f *ForwardAuth) Authenticate(r *http.Request) (string, error) {
	req, err := http.NewRequestWithContext(r.Context(), http.MethodGet, f.url, nil)
	if err != nil {
		return "", errors.New("forward auth: the URL cannot be asked")
	}
	req.Header = f.question(r)
	resp, err := f.client.Do(req)
	if err != nil {
		return "", fmt.Errorf("forward auth: %w", reasonOf(req, err))
	}
	defer resp.Body.Close()
	// Nothing in it counts. A connection whose body is read to its end is used again.
	io.CopyN(io.Discard, resp.Body, maxAnswer)
	return f.verdict(r, resp)
}

// question is the header of what the server is asked. What a client says of its
// way here is no part of it.
func (f *ForwardAuth) question(r *http.Request) http.Header {
	h := http.Header{}
	for _, name := range f.headers {
		name = http.CanonicalHeaderKey(name)
		if values := r.Header[name]; len(values) > 0 {
			h[name] = values
		}
	}
	if h.Get("User-Agent") == "" {
		h.Set("User-Agent", "wsbridge")
	}
	proto, host := f.origin(r)
	uri := r.URL.RequestURI()
	h.Set("X-Forwarded-Method", r.Method)
	h.Set("X-Forwarded-Proto", proto)
	h.Set("X-Forwarded-Host", host)
	h.Set("X-Forwarded-Uri", uri)
	h.Set("X-Forwarded-For", connectionAddress(r))
	h.Set("X-Original-Method", r.Method)
	h.Set("X-Original-Url", proto+"://"+host+uri)
	return h
}

func (f *ForwardAuth) origin(r *http.Request) (proto, host string) {
	switch {
	case f.Origin != nil:
		return f.Origin(r)
	case r.TLS != nil:
		return "https", r.Host
	}
	return "http", r.Host
}

// verdict is what an answer means.
func (f *ForwardAuth) verdict(r *http.Request, resp *http.Response) (string, error) {
	switch status := resp.StatusCode; {
	case status/100 == 2:
		user := resp.Header.Get(f.user)
		if len(user) > maxUserName || !utf8.ValidString(user) || strings.ContainsFunc(user, isControl) {
			return "", errors.New("forward auth: the user's name is too long, or has odd characters")
		}
		return user, nil
	case status == http.StatusUnauthorized:
		return "", f.no(resp, "the authentication server asks who you are", r.Header.Get("Authorization") != "")
	case status == http.StatusForbidden:
		return "", f.no(resp, "the authentication server says you may not enter", false)
	case isRedirect(status) && resp.Header.Get("Location") != "":
		return "", f.no(resp, "the authentication server sends you to another page first", false)
	default:
		return "", fmt.Errorf("forward auth: the server answered %d", status)
	}
}

func isRedirect(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

// no hands the server's no to the client, with what helps it to a yes.
func (f *ForwardAuth) no(resp *http.Response, reason string, guess bool) *Refusal {
	h := http.Header{}
	for _, name := range passedBack {
		if values := resp.Header[name]; len(values) > 0 {
			h[name] = values
		}
	}
	return &Refusal{Status: resp.StatusCode, Reason: reason, Header: h, guess: guess}
}
