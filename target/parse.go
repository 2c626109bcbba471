package target

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// maxText is more than any address takes: 253 bytes of name, 107 of path.
const maxText = 512

// Options is what targets share, wherever they are.
type Options struct {
	Timeout time.Duration // default 10 s
	TLS     *tls.Config   // from TLSOptions.Load; nil: no TLS
	Guard   Guard         // of TCP targets
}

// Parse is Options.Parse without any.
func Parse(s string) (Target, error) { return Options{}.Parse(s) }

// Parse reads "host:port", "192.0.2.1:5900", "[2001:db8::1]:5900", or the
// absolute path of a unix socket as "unix:/run/x.sock" or, as websockify has it,
// "unix_socket:/run/x.sock"; "unix:@name" is in Linux's abstract namespace. The
// port is what follows the last colon, so an IPv6 address without brackets
// works where it is written in full. An error is one line that says what to
// write, however hostile s is.
func (o Options) Parse(s string) (Target, error) {
	if len(s) > maxText {
		return nil, fmt.Errorf("target of %d bytes: write host:port, in at most %d bytes", len(s), maxText)
	}
	t, err := o.parse(s)
	if err != nil {
		return nil, fmt.Errorf("target %q: %w", s, err)
	}
	return t, nil
}

func (o Options) parse(s string) (Target, error) {
	if path, ok := cutPath(s); ok {
		return o.Unix(path)
	}
	address, err := parseAddress(s)
	if err != nil {
		return nil, err
	}
	return o.secure(TCP{Address: address, Timeout: o.Timeout, Guard: o.Guard})
}

// Unix is the target behind a unix socket, with the options.
func (o Options) Unix(path string) (Target, error) {
	if path == "" || strings.ContainsRune(path, 0) {
		return nil, errors.New("the path of a unix socket is not empty, and has no NUL in it")
	}
	return o.secure(Unix{Path: path, Timeout: o.Timeout})
}

// secure puts TLS over t, if there is to be any.
func (o Options) secure(t Target) (Target, error) {
	if o.TLS == nil {
		return t, nil
	}
	secure := TLS{Over: t, Config: o.TLS, Timeout: o.Timeout}
	if _, err := secure.config(); err != nil {
		return nil, err
	}
	return secure, nil
}

// cutPath takes the prefix off a path; without a path behind it, "unix" is a
// host like any other.
func cutPath(s string) (path string, ok bool) {
	for _, prefix := range []string{"unix:", "unix_socket:"} {
		path, ok = strings.CutPrefix(s, prefix)
		if ok && (strings.HasPrefix(path, "/") || strings.HasPrefix(path, "@")) {
			return path, true
		}
	}
	return "", false
}

func parseAddress(s string) (string, error) {
	if strings.HasPrefix(s, "unix_socket:") {
		return "", errors.New("the path of a unix socket begins with /: write unix:/run/x.sock")
	}
	i := strings.LastIndexByte(s, ':')
	if i < 0 {
		return "", errors.New("the port is missing: write host:port, as in localhost:5900")
	}
	host, err := parseHost(s[:i])
	if err != nil {
		return "", err
	}
	port, err := parsePort(s[i+1:])
	if err != nil {
		return "", err
	}
	return net.JoinHostPort(host, port), nil
}

func parsePort(s string) (string, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	switch {
	case s == "":
		return "", errors.New("the port is missing: write host:port, as in localhost:5900")
	case strings.Trim(s, "0123456789") != "":
		return "", fmt.Errorf("port %q is not a number: write host:port, as in localhost:5900", s)
	case err != nil || n == 0:
		return "", fmt.Errorf("port %s is out of range: it goes from 1 to 65535", s)
	}
	return strconv.FormatUint(n, 10), nil
}

func parseHost(s string) (string, error) {
	if inner, opened := strings.CutPrefix(s, "["); opened || strings.HasSuffix(s, "]") {
		inner, closed := strings.CutSuffix(inner, "]")
		ip, err := netip.ParseAddr(inner)
		if !opened || !closed || err != nil || !ip.Is6() || strings.ContainsFunc(ip.Zone(), isOdd) {
			return "", errors.New("brackets enclose an IPv6 address: write [2001:db8::1]:5900")
		}
		return ip.String(), nil
	}
	if ip, err := netip.ParseAddr(s); err == nil && !strings.ContainsFunc(ip.Zone(), isOdd) {
		return ip.String(), nil
	}
	switch {
	case s == "":
		return "", errors.New("the host is missing: write localhost for this machine")
	case strings.Contains(s, "/"):
		return "", errors.New("a slash is in no host:port; a unix socket is written unix:/run/x.sock")
	case strings.Contains(s, ":"):
		return "", errors.New("an IPv6 address goes in brackets, before the port: write [2001:db8::1]:5900")
	case len(s) > 253 || strings.ContainsFunc(s, isOdd):
		return "", fmt.Errorf("%q is neither an IP address nor a host name", s)
	}
	return s, nil
}

// isOdd tells what no host name has in it.
func isOdd(r rune) bool {
	return r == ' ' || !unicode.IsPrint(r) || r == unicode.ReplacementChar || strings.ContainsRune(`@?#,;"'\%*[]`, r)
}
