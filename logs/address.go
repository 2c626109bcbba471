package logs

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
)

// Address is a syslog server. The zero value is none.
type Address struct {
	Network string // "unix", "udp", "tcp" or "tls"
	Name    string // host:port, or the path of a unix socket
	CA      string // with tls: PEM file of the authorities to trust; empty: the system's
}

// maxPath is how long the path of a socket may be, in bytes.
const maxPath = len(syscall.RawSockaddrUnix{}.Path) - 1

const example = "write /dev/log, localhost:514, tcp://localhost:514 or tls://localhost:6514"

// ParseAddress reads the path of a unix socket, which has a slash in it;
// host:port, which is UDP; or udp://, tcp:// and tls://host:port, the last
// perhaps with ?ca=FILE. An error names what is wrong with s and says what to
// write.
func ParseAddress(s string) (Address, error) {
	a, err := parseAddress(s)
	if err != nil {
		return Address{}, fmt.Errorf("address %q: %w", s, err)
	}
	return a, nil
}

func parseAddress(s string) (Address, error) {
	if strings.Contains(s, "://") {
		return parseURL(s)
	}
	if strings.Contains(s, "/") {
		return parsePath(s)
	}
	name, err := parseHostPort(s)
	return Address{Network: "udp", Name: name}, err
}

func parsePath(s string) (Address, error) {
	switch {
	case len(s) > maxPath:
		return Address{}, fmt.Errorf("the path of a socket has at most %d bytes", maxPath)
	case strings.ContainsRune(s, 0):
		return Address{}, errors.New("no path has a NUL in it")
	}
	return Address{Network: "unix", Name: s}, nil
}

func parseURL(s string) (a Address, err error) {
	u, err := url.Parse(s)
	if err != nil {
		return Address{}, fmt.Errorf("%w: %s", errors.Unwrap(err), example)
	}
	switch {
	case u.Scheme != "udp" && u.Scheme != "tcp" && u.Scheme != "tls":
		return Address{}, fmt.Errorf("%s:// is none of udp://, tcp:// and tls://: %s", u.Scheme, example)
	case u.User != nil, u.Path != "" && u.Path != "/", u.Fragment != "":
		return Address{}, fmt.Errorf("only host:port goes after %s://: %s", u.Scheme, example)
	}
	a.Network = u.Scheme
	if a.Name, err = parseHostPort(u.Host); err != nil {
		return Address{}, err
	}
	a.CA, err = parseQuery(u)
	return a, err
}

// parseQuery takes ca=FILE, once, and nothing else.
func parseQuery(u *url.URL) (ca string, err error) {
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return "", err
	}
	for name, values := range query {
		if name != "ca" || u.Scheme != "tls" || len(values) != 1 || values[0] == "" {
			return "", fmt.Errorf("only tls://host:port takes a question mark, and then one ca=FILE")
		}
		ca = values[0]
	}
	return ca, nil
}

// parseHostPort cuts at the last colon, so that an IPv6 address needs no
// brackets, and gives it some.
func parseHostPort(s string) (string, error) {
	colon := strings.LastIndexByte(s, ':')
	if s == "" {
		return "", fmt.Errorf("there is no server: %s", example)
	}
	if colon < 0 {
		return "", fmt.Errorf("the port is missing: %s; the path of a socket has a slash in it, as in ./%s", example, s)
	}
	host, port := s[:colon], s[colon+1:]
	if host == "" {
		return "", fmt.Errorf("the host is missing: %s", example)
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil || number == 0 {
		return "", fmt.Errorf("port %q is not a number from 1 to 65535", port)
	}
	if host, err = parseHost(host); err != nil {
		return "", err
	}
	return net.JoinHostPort(host, strconv.FormatUint(number, 10)), nil
}

func parseHost(s string) (string, error) {
	inner, bracketed := strings.CutPrefix(s, "[")
	if bracketed {
		inner, bracketed = strings.CutSuffix(inner, "]")
	}
	if ip, err := netip.ParseAddr(inner); err == nil && (ip.Is6() || !bracketed) && !strings.ContainsFunc(ip.Zone(), isOdd) {
		return ip.String(), nil
	}
	if bracketed || strings.ContainsFunc(s, isOdd) {
		return "", fmt.Errorf("%q is neither a host name nor an IP address", s)
	}
	return s, nil
}

// isOdd tells what no host name has in it.
func isOdd(r rune) bool {
	return r <= ' ' || r >= 0x7f || strings.ContainsRune(`@?#,;:"'\%*[]<>^{}|`+"`", r)
}

// String is what ParseAddress reads back.
func (a Address) String() string {
	if a.Network == "unix" {
		return a.Name
	}
	u := url.URL{Scheme: a.Network, Host: a.Name}
	if a.CA != "" {
		u.RawQuery = url.Values{"ca": {a.CA}}.Encode()
	}
	return u.String()
}
