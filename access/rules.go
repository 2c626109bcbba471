package access

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// Rule lets client addresses in, or keeps them out.
type Rule struct {
	allow   bool
	network netip.Prefix // not valid: every address
	zone    string       // "": any
}

// Rules are read in order, and the first that has the address in it decides.
// An address that is in none is kept out if any rule allows, and let in
// otherwise: a list of allowed addresses keeps all others out.
type Rules []Rule

// errRefusedAddress is what a client that is kept out is told.
const errRefusedAddress = "your address is not allowed"

// ParseRules reads rules in order.
func ParseRules(lines []string) (rules Rules, err error) {
	for _, line := range lines {
		rule, err := ParseRule(line)
		if err != nil {
			return nil, err
		}
		rules = append(rules, rule)
	}
	return rules, nil
}

// ParseRule reads "allow WHO" or "deny WHO"; WHO alone is allowed. WHO is an
// address, a network as 10.0.0.0/8 or 2001:db8::/32, or all. An IPv4 address in
// its IPv6 form (RFC 4291, 2.5.5.2) is the IPv4 address; a zone (RFC 4007, 11)
// as in fe80::%eth0/10 is compared, and without one any will do.
func ParseRule(s string) (Rule, error) {
	allow, who, err := cutVerb(s, "10.0.0.0/8")
	if err != nil {
		return Rule{}, err
	}
	if who == "all" {
		return Rule{allow: allow}, nil
	}
	network, zone, err := parseNetwork(who)
	if err != nil {
		return Rule{}, fmt.Errorf("rule %q: %w", clip(s), err)
	}
	return Rule{allow, network, zone}, nil
}

// Admits tells whether a client may come in, and if not, what to tell it. A
// client without an address, which comes over a unix socket, may.
func (rs Rules) Admits(client netip.Addr) (reason string, ok bool) {
	if !client.IsValid() {
		return "", true
	}
	client, ok = client.Unmap(), true
	for _, r := range rs {
		if r.has(client) {
			ok = r.allow
			break
		}
		ok = ok && !r.allow
	}
	if !ok {
		return errRefusedAddress, false
	}
	return "", true
}

// has wants an address that is not IPv4 in IPv6 form.
func (r Rule) has(a netip.Addr) bool {
	return !r.network.IsValid() || networkHas(r.network, r.zone, a)
}

// String is what ParseRule reads back.
func (r Rule) String() string {
	if !r.network.IsValid() {
		return verb(r.allow) + " all"
	}
	return verb(r.allow) + " " + networkString(r.network, r.zone)
}

func verb(allow bool) string {
	if allow {
		return "allow"
	}
	return "deny"
}

// cutVerb takes "allow" or "deny" off a rule; example is what may stand behind.
func cutVerb(s, example string) (allow bool, rest string, err error) {
	first, rest, two := strings.Cut(strings.TrimSpace(s), " ")
	rest = strings.TrimSpace(rest)
	switch {
	case first == "allow" || first == "deny":
		if rest == "" {
			return false, "", fmt.Errorf("rule %q: whom is missing: write %s %s", clip(s), first, example)
		}
		return first == "allow", rest, nil
	case first == "":
		return false, "", fmt.Errorf("rule %q is empty: write allow %s", clip(s), example)
	case two:
		return false, "", fmt.Errorf("rule %q begins with neither allow nor deny: write allow %s", clip(s), example)
	}
	return true, first, nil
}

// parseNetwork reads an address or a network; a zone stands before the slash
// (RFC 4007, 11.7), where package netip has none. IPv4 has no zones.
func parseNetwork(s string) (network netip.Prefix, zone string, err error) {
	address, bits, isNetwork := strings.Cut(s, "/")
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return netip.Prefix{}, "", noAddress(s)
	}
	zone = ip.Zone()
	ip = ip.WithZone("")
	network = netip.PrefixFrom(ip, ip.BitLen())
	if isNetwork {
		if network, err = netip.ParsePrefix(ip.String() + "/" + bits); err != nil {
			return netip.Prefix{}, "", fmt.Errorf("%q is no length of a prefix: write a number of bits, as in 10.0.0.0/8", clip(bits))
		}
	}
	if masked := network.Masked(); masked != network {
		return netip.Prefix{}, "", fmt.Errorf("the address has bits behind the prefix: write %s, or %s for the one address", networkString(masked, zone), address)
	}
	if network = unmapNetwork(network); network.Addr().Is4() {
		zone = ""
	}
	return network, zone, nil
}

// unmapNetwork takes a network out of ::ffff:0:0/96, which has no part of a
// wider one in its address.
func unmapNetwork(n netip.Prefix) netip.Prefix {
	const mapped = 96 // bits before the IPv4 address
	if !n.Addr().Is4In6() {
		return n
	}
	return netip.PrefixFrom(n.Addr().Unmap(), n.Bits()-mapped)
}

func noAddress(s string) error {
	switch {
	case strings.ContainsAny(s, "*") || strings.Count(s, "-") == 1 && strings.Count(s, ".") > 3:
		return errors.New("write a network by the length of its prefix, as in 10.0.0.0/24")
	case strings.HasPrefix(s, "["):
		return errors.New("an IPv6 address has no brackets here: write 2001:db8::1")
	}
	return errors.New("it is no IP address, no network and not all; names are not looked up: write 192.0.2.7 or 10.0.0.0/8")
}

func networkHas(n netip.Prefix, zone string, a netip.Addr) bool {
	return (zone == "" || zone == a.Zone()) && n.Contains(a.WithZone(""))
}

// networkString is what parseNetwork reads.
func networkString(n netip.Prefix, zone string) string {
	a := n.Addr()
	if zone != "" {
		a = a.WithZone(zone)
	}
	if n.IsSingleIP() {
		return a.String()
	}
	return fmt.Sprintf("%s/%d", a, n.Bits())
}

// maxQuote is how much of what somebody wrote is said back to them.
const maxQuote = 100 // bytes

func clip(s string) string {
	if len(s) > maxQuote {
		return s[:maxQuote] + "..."
	}
	return s
}
