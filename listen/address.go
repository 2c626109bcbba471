// Package listen is how connections arrive: the addresses wsbridge listens
// on, and the TLS certificate it shows there.
package listen

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// Address is where to listen. The zero value is a port the system picks, on
// all addresses.
type Address struct {
	Host string // IP address without brackets, or host name; "": all addresses, IPv4 and IPv6
	Port int    // 0: the system picks one; the listener's Addr tells which

	// PreferIPv6 takes the IPv6 address of a host name that has both kinds.
	PreferIPv6 bool
}

// Parse reads "6080", ":6080", "127.0.0.1:6080", "[::1]:6080" or
// "localhost:6080". The port is what follows the last colon, so an IPv6
// address without brackets works where it is written in full. An error names
// what is wrong with s and says what to write.
func Parse(s string) (Address, error) {
	host, port := "", s
	if i := strings.LastIndexByte(s, ':'); i >= 0 {
		host, port = s[:i], s[i+1:]
	}
	host, err := parseHost(host)
	if err != nil {
		return Address{}, fmt.Errorf("address %q: %w", s, err)
	}
	n, err := parsePort(port)
	if err != nil {
		return Address{}, fmt.Errorf("address %q: %w", s, err)
	}
	return Address{Host: host, Port: n}, nil
}

// String is what Parse reads back: "127.0.0.1:6080", "[::1]:6080", ":6080".
func (a Address) String() string {
	return net.JoinHostPort(a.Host, strconv.Itoa(a.Port))
}

func parsePort(s string) (int, error) {
	if s == "" {
		return 0, errors.New("the port is missing: write 6080 or 127.0.0.1:6080")
	}
	if strings.Trim(s, "0123456789") != "" {
		return 0, fmt.Errorf("port %q is not a number: write 6080 or 127.0.0.1:6080", s)
	}
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil {
		return 0, fmt.Errorf("port %s is out of range: it goes from 0 to 65535", s)
	}
	return int(n), nil
}

func parseHost(s string) (string, error) {
	if strings.ContainsAny(s, "[]") {
		return parseBracketed(s)
	}
	if ip, err := netip.ParseAddr(s); err == nil && !strings.ContainsFunc(ip.Zone(), isOdd) {
		return ip.String(), nil
	}
	switch {
	case s == "*":
		return "", errors.New("for all addresses leave the address out: write :6080")
	case strings.Contains(s, "/"):
		return "", errors.New("a URL or a path is not an address: write 127.0.0.1:6080")
	case strings.Contains(s, ":"):
		return "", errors.New("an IPv6 address goes in brackets: write [::1]:6080")
	case strings.ContainsFunc(s, isOdd):
		return "", fmt.Errorf("%q is neither an IP address nor a host name: write 127.0.0.1:6080", s)
	}
	return s, nil
}

func parseBracketed(s string) (string, error) {
	inner, ok := strings.CutPrefix(s, "[")
	if ok {
		inner, ok = strings.CutSuffix(inner, "]")
	}
	if !ok {
		return "", errors.New("brackets enclose an IPv6 address, and a port follows: write [::1]:6080")
	}
	ip, err := netip.ParseAddr(inner)
	if err != nil || !ip.Is6() || strings.ContainsFunc(ip.Zone(), isOdd) {
		return "", fmt.Errorf("%q is not an IPv6 address: write [::1]:6080", inner)
	}
	return ip.String(), nil
}

// isOdd tells what no host name or zone has in it.
func isOdd(r rune) bool {
	return r <= ' ' || r == 0x7f || strings.ContainsRune(`@?#,;"'\%*`, r)
}
