package listen

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
)

// Peers are the machines at the other end of connections that are believed in
// something. The zero value believes nobody.
type Peers struct {
	Prefixes []netip.Prefix
	Unix     bool // who comes by a unix socket
}

// ParsePeers reads addresses ("192.0.2.1", "2001:db8::1"), networks
// ("10.0.0.0/8") and "unix"; one text may hold several, with commas. An error
// is one line that says what to write.
func ParsePeers(texts ...string) (Peers, error) {
	var p Peers
	for text := range strings.SplitSeq(strings.Join(texts, ","), ",") {
		text = strings.TrimSpace(text)
		switch prefix, err := parsePrefix(text); {
		case text == "":
		case text == "unix":
			p.Unix = true
		case err != nil:
			return Peers{}, fmt.Errorf("%q is neither an address nor a network: write 192.0.2.1, 10.0.0.0/8, 2001:db8::/32 or unix", text)
		default:
			p.Prefixes = append(p.Prefixes, prefix)
		}
	}
	return p, nil
}

// parsePrefix takes an address for a network of one. IPv4 in IPv6's clothes is
// IPv4, as it is in Has.
func parsePrefix(s string) (netip.Prefix, error) {
	prefix, err := netip.ParsePrefix(s)
	if err != nil {
		var addr netip.Addr
		if addr, err = netip.ParseAddr(s); err != nil || addr.Zone() != "" {
			return netip.Prefix{}, fmt.Errorf("no address: %q", s)
		}
		prefix = netip.PrefixFrom(addr, addr.BitLen())
	}
	if prefix.Addr().Is4In6() && prefix.Bits() >= 96 {
		prefix = netip.PrefixFrom(prefix.Addr().Unmap(), prefix.Bits()-96)
	}
	return prefix.Masked(), nil
}

// Has tells whether addr is one of p.
func (p Peers) Has(addr net.Addr) bool {
	switch addr := addr.(type) {
	case *net.TCPAddr:
		return p.HasIP(addr.AddrPort().Addr())
	case *net.UnixAddr:
		return p.Unix
	}
	return false
}

// HasIP is Has for an IP address, whatever its zone.
func (p Peers) HasIP(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	for _, prefix := range p.Prefixes {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}

// None tells whether p believes nobody.
func (p Peers) None() bool { return len(p.Prefixes) == 0 && !p.Unix }
