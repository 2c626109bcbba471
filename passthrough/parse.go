package passthrough

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/wsbridge/wsbridge/target"
)

const (
	plainPrefix = "passthrough+ws://"
	tlsPrefix   = "passthrough+wss://"
	unixPrefix  = "passthrough+unix:"

	maxText = 1024 // of a target; no path needs more
)

// Parse reads "passthrough+ws://host:port", "passthrough+wss://host:port", each
// with a path behind it that is put in front of the request's, or
// "passthrough+unix:/run/x.sock". TLS is set for wss alone, with the authorities
// of the system. An error is one line that says what to write, however hostile
// s is.
func Parse(s string) (*Target, error) {
	if len(s) > maxText {
		return nil, fmt.Errorf("passthrough target of %d bytes: write at most %d", len(s), maxText)
	}
	t, err := parse(s)
	if err != nil {
		return nil, fmt.Errorf("target %q: %w", s, err)
	}
	return t, nil
}

func parse(s string) (*Target, error) {
	if path, ok := strings.CutPrefix(s, unixPrefix); ok {
		return parseUnix(path)
	}
	if rest, ok := strings.CutPrefix(s, plainPrefix); ok {
		return parseAddress(rest)
	}
	rest, ok := strings.CutPrefix(s, tlsPrefix)
	if !ok {
		return nil, errors.New("a passthrough target is written passthrough+ws://host:port, passthrough+wss://host:port or passthrough+unix:/run/x.sock")
	}
	t, err := parseAddress(rest)
	if err != nil {
		return nil, err
	}
	t.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	return t, nil
}

func parseUnix(path string) (*Target, error) {
	if !strings.HasPrefix(path, "/") && !strings.HasPrefix(path, "@") {
		return nil, errors.New("the path of a unix socket begins with /: write passthrough+unix:/run/x.sock")
	}
	if _, err := (target.Options{}).Unix(path); err != nil {
		return nil, err
	}
	return &Target{Network: "unix", Address: path}, nil
}

func parseAddress(s string) (*Target, error) {
	address, base := s, ""
	if i := strings.IndexByte(s, '/'); i >= 0 {
		address, base = s[:i], strings.TrimRight(s[i:], "/")
	}
	if strings.ContainsAny(s, "?#") || strings.ContainsFunc(base, isOdd) {
		return nil, errors.New("a passthrough target has a path at most: no query, no fragment, no blank and nothing but ASCII")
	}
	to, err := target.Parse(address)
	if err != nil {
		return nil, cmp.Or(errors.Unwrap(err), err)
	}
	tcp, ok := to.(target.TCP)
	if !ok {
		return nil, errors.New("a unix socket is written passthrough+unix:/run/x.sock")
	}
	return &Target{Network: "tcp", Address: tcp.Address, Base: base}, nil
}

// isOdd tells what has to be escaped in a path.
func isOdd(r rune) bool { return r <= ' ' || r > unicode.MaxASCII || r == 0x7f }
