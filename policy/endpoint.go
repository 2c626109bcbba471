package policy

import (
	"encoding/json"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// Endpoint is where a token leads, in the words of net.Dial.
type Endpoint struct {
	Network string // "tcp" or "unix"
	Address string // "host:port" or a socket's path
}

// String is what ParseEndpoint reads back.
func (e Endpoint) String() string {
	if e.Network == "unix" {
		return "unix_socket:" + e.Address
	}
	return e.Address
}

// ParseEndpoint reads host:port, [v6]:port, v6:port or unix_socket:/path. As a
// target may have a token beside it, no error quotes what was read.
func ParseEndpoint(s string) (Endpoint, error) {
	if network, path, ok := strings.Cut(s, ":"); ok && (network == "unix_socket" || network == "unix") {
		return unixEndpoint(path)
	}
	i := strings.LastIndexByte(s, ':')
	if i < 0 {
		return Endpoint{}, errors.New("the target has no port: write host:port or unix_socket:/path")
	}
	return tcpEndpoint(s[:i], s[i+1:])
}

// unixEndpoint takes a path that means the same wherever the program runs.
func unixEndpoint(path string) (Endpoint, error) {
	if !strings.HasPrefix(path, "/") {
		return Endpoint{}, errors.New("the socket's path is not absolute: write unix_socket:/path")
	}
	if strings.ContainsFunc(path, isControl) {
		return Endpoint{}, errors.New("the socket's path has a control character in it")
	}
	return Endpoint{"unix", path}, nil
}

func tcpEndpoint(host, port string) (Endpoint, error) {
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return Endpoint{}, errors.New("the target's port is no number from 1 to 65535: write host:port")
	}
	host, err = parseHost(host)
	if err != nil {
		return Endpoint{}, err
	}
	return Endpoint{"tcp", net.JoinHostPort(host, strconv.FormatUint(n, 10))}, nil
}

func parseHost(host string) (string, error) {
	switch {
	case host == "":
		return "", errors.New("the target has no host: write host:port")
	case strings.ContainsFunc(host, isOdd):
		return "", errors.New("the target's host is neither an address nor a name: write host:port")
	case !strings.ContainsAny(host, "[]:"):
		return host, nil
	}
	inner, opened := strings.CutPrefix(host, "[")
	inner, closed := strings.CutSuffix(inner, "]")
	if ip, err := netip.ParseAddr(inner); err != nil || !ip.Is6() || opened != closed {
		return "", errors.New("the target's host is no IPv6 address: write [2001:db8::1]:port")
	}
	return inner, nil
}

// isOdd tells what no host name has in it.
func isOdd(r rune) bool {
	return r <= ' ' || r == 0x7f || strings.ContainsRune(`/@?#,;"'\`, r)
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// answer is a target as programs, servers, Redis and JWTs say it in JSON.
type answer struct {
	Target string `json:"target"`
	Host   string `json:"host"`
	Port   port   `json:"port"`
}

// port is a number, or a string with one in it.
type port string

func (p *port) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err == nil {
		*p = port(s)
		return nil
	}
	var n json.Number
	if err := json.Unmarshal(b, &n); err != nil {
		return errors.New("the port is neither a number nor a string")
	}
	*p = port(n.String())
	return nil
}

func (a answer) endpoint() (Endpoint, error) {
	switch {
	case a.Target != "":
		return ParseEndpoint(a.Target)
	case a.Host == "":
		return Endpoint{}, errors.New("the answer has no host")
	case a.Port == "":
		return ParseEndpoint(a.Host)
	case a.Host == "unix_socket":
		return unixEndpoint(string(a.Port))
	}
	return tcpEndpoint(a.Host, string(a.Port))
}

// parseAnswer reads a target, plain or in JSON.
func parseAnswer(b []byte) (Endpoint, error) {
	text := strings.TrimSpace(string(b))
	if !strings.HasPrefix(text, "{") {
		return ParseEndpoint(text)
	}
	var a answer
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		return Endpoint{}, errors.New("the answer is not the JSON of a target")
	}
	return a.endpoint()
}
