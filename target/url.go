package target

import (
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// maxURL leaves room for a token in the query.
const maxURL = 8 << 10

// ParseWebSocket reads "ws://host:port/path?query", wss:// for TLS, and
// "ws+unix:/run/x.sock:/path" for a unix socket. Without a port 80 is meant, or
// 443. A user and password before the host become an Authorization header. With
// wss, o.TLS says whom to believe; nil is that of empty TLSOptions. An error is
// one line that says what to write, and shows neither password nor query.
func ParseWebSocket(s string, o Options) (WebSocket, error) {
	if len(s) > maxURL {
		return WebSocket{}, fmt.Errorf("URL of %d bytes: write ws://host:port/path, in at most %d bytes", len(s), maxURL)
	}
	w, err := o.webSocket(s)
	if err != nil {
		return WebSocket{}, fmt.Errorf("URL %q: %w", withoutSecrets(s), err)
	}
	w.Timeout = o.Timeout
	return w, nil
}

func (o Options) webSocket(s string) (WebSocket, error) {
	scheme, rest, ok := strings.Cut(s, ":")
	if scheme = strings.ToLower(scheme); ok && scheme == "ws+unix" {
		return o.unixWebSocket(rest)
	}
	if !ok || !strings.HasPrefix(rest, "//") {
		return WebSocket{}, errors.New("the scheme is missing: write ws://host:port/path, or wss:// for TLS")
	}
	switch scheme {
	case "ws", "wss":
	case "http", "https":
		return WebSocket{}, fmt.Errorf("%s is for pages: write %s://", scheme, map[string]string{"http": "ws", "https": "wss"}[scheme])
	default:
		return WebSocket{}, errors.New("the scheme is not one of WebSocket: write ws://, or wss:// for TLS")
	}
	if strings.Contains(rest, "#") {
		return WebSocket{}, errors.New("a fragment is never sent: leave out # and what is behind it")
	}
	u, err := url.Parse(scheme + ":" + rest)
	if err != nil {
		return WebSocket{}, errors.New(urlFault(err))
	}
	return o.fromURL(u)
}

// urlFault is the fault without the URL around it, which may hold secrets.
func urlFault(err error) string {
	var fault *url.Error
	if errors.As(err, &fault) {
		return fault.Err.Error() + ": write ws://host:port/path"
	}
	return "not a URL: write ws://host:port/path"
}

func (o Options) fromURL(u *url.URL) (WebSocket, error) {
	usual := map[string]string{"ws": "80", "wss": "443"}[u.Scheme]
	host, address, err := hostAndAddress(u, usual)
	if err != nil {
		return WebSocket{}, err
	}
	w := WebSocket{Over: TCP{Address: address, Timeout: o.Timeout}, Host: host, Path: u.RequestURI()}
	if u.Scheme == "wss" {
		w.Over = TLS{Over: w.Over, Config: o.webTLS(address), Timeout: o.Timeout}
	}
	if u.User != nil {
		w.Header = http.Header{"Authorization": {basic(u.User)}}
	}
	return w, nil
}

// hostAndAddress are the Host header, which leaves out a usual port, and where
// to connect.
func hostAndAddress(u *url.URL, usual string) (host, address string, err error) {
	inner := u.Hostname()
	if strings.Contains(inner, ":") {
		inner = "[" + inner + "]"
	}
	name, err := parseHost(inner)
	if err != nil {
		return "", "", err
	}
	port := usual
	if u.Port() != "" {
		if port, err = parsePort(u.Port()); err != nil {
			return "", "", err
		}
	}
	address = net.JoinHostPort(name, port)
	if port == usual {
		return strings.TrimSuffix(address, ":"+port), address, nil
	}
	return address, address, nil
}

// webTLS is o.TLS as HTTP has it. The name is set, so that it holds through a
// proxy too.
func (o Options) webTLS(address string) *tls.Config {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.TLS != nil {
		config = o.TLS.Clone()
	}
	if config.ServerName == "" {
		config.ServerName = hostOf(TCP{Address: address})
	}
	if config.NextProtos == nil {
		config.NextProtos = []string{"http/1.1"}
	}
	return config
}

// unixWebSocket reads "/run/x.sock:/path", with or without "//" in front.
func (o Options) unixWebSocket(s string) (WebSocket, error) {
	if strings.HasPrefix(s, "///") {
		s = s[2:]
	}
	socket, path, _ := strings.Cut(s, ":")
	if !strings.HasPrefix(socket, "/") && !strings.HasPrefix(socket, "@") {
		return WebSocket{}, errors.New("the path of the socket is missing: write ws+unix:/run/x.sock:/path")
	}
	if path != "" && !strings.HasPrefix(path, "/") {
		return WebSocket{}, errors.New("behind the socket stands a path: write ws+unix:/run/x.sock:/path")
	}
	if path != "" {
		u, err := url.ParseRequestURI(path)
		if err != nil {
			return WebSocket{}, errors.New(urlFault(err))
		}
		path = u.RequestURI()
	}
	over, err := Options{Timeout: o.Timeout}.Unix(socket)
	return WebSocket{Over: over, Host: "localhost", Path: path}, err
}

// basic is RFC 7617.
func basic(u *url.Userinfo) string {
	password, _ := u.Password()
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(u.Username()+":"+password))
}

// withoutSecrets leaves out what is before the host's @ and behind a ?.
func withoutSecrets(s string) string {
	s, _, _ = strings.Cut(s, "?")
	scheme, rest, ok := strings.Cut(s, "//")
	if !ok {
		return s[strings.LastIndexByte(s, '@')+1:]
	}
	authority, path, _ := strings.Cut(rest, "/")
	host := authority[strings.LastIndexByte(authority, '@')+1:]
	return strings.TrimSuffix(scheme+"//"+host+"/"+path, "/")
}
