package access

import "net/netip"

// block is addresses that are not for everybody.
type block struct {
	network netip.Prefix
	what    string
}

// blocks are the addresses that no target of somebody else's choice has,
// unless a rule names them; the narrower come first.
var blocks = []block{
	{netip.MustParsePrefix("169.254.169.254/32"), metadata}, // most clouds
	{netip.MustParsePrefix("169.254.170.2/32"), metadata},   // AWS, of containers
	{netip.MustParsePrefix("169.254.170.23/32"), metadata},  // AWS, of pods
	{netip.MustParsePrefix("169.254.42.42/32"), metadata},   // Scaleway
	{netip.MustParsePrefix("100.100.100.200/32"), metadata}, // Alibaba
	{netip.MustParsePrefix("168.63.129.16/32"), metadata},   // Azure
	{netip.MustParsePrefix("192.0.0.192/32"), metadata},     // Oracle
	{netip.MustParsePrefix("fd00:ec2::/32"), metadata},      // AWS
	{netip.MustParsePrefix("fd20:ce::254/128"), metadata},   // Google
	{netip.MustParsePrefix("fd00:42::42/128"), metadata},    // Scaleway

	{netip.MustParsePrefix("127.0.0.0/8"), "loopback"},                // RFC 1122, 3.2.1.3
	{netip.MustParsePrefix("::1/128"), "loopback"},                    // RFC 4291, 2.5.3
	{netip.MustParsePrefix("169.254.0.0/16"), "a link-local address"}, // RFC 3927
	{netip.MustParsePrefix("fe80::/10"), "a link-local address"},      // RFC 4291, 2.5.6
	{netip.MustParsePrefix("0.0.0.0/8"), "an unspecified address"},    // RFC 1122, 3.2.1.3; systems make it loopback
	{netip.MustParsePrefix("::/128"), "an unspecified address"},       // RFC 4291, 2.5.2
	{netip.MustParsePrefix("::/96"), "a reserved address"},            // RFC 4291, 2.5.5.1
	{netip.MustParsePrefix("224.0.0.0/4"), "a multicast address"},     // RFC 5771
	{netip.MustParsePrefix("ff00::/8"), "a multicast address"},        // RFC 4291, 2.7
	{netip.MustParsePrefix("240.0.0.0/4"), "a reserved address"},      // RFC 1112, 4; broadcast
}

const metadata = "a cloud's metadata address"

// translated are networks whose gateways reach an IPv4 address that is in the
// IPv6 one, from that byte on.
var translated = []struct {
	network netip.Prefix
	at      int
}{
	{netip.MustParsePrefix("64:ff9b::/96"), 12}, // NAT64, RFC 6052, 2.1
	{netip.MustParsePrefix("2002::/16"), 2},     // 6to4, RFC 3056, 2
}

// special says what is special about an address, and with what others; "":
// nothing is.
func special(a netip.Addr) (what string, among netip.Prefix) {
	a = a.Unmap().WithZone("")
	for _, b := range blocks {
		if b.network.Contains(a) {
			return b.what, b.network
		}
	}
	for _, t := range translated {
		if !t.network.Contains(a) {
			continue
		}
		all := a.As16()
		if what, _ := special(netip.AddrFrom4([4]byte(all[t.at:]))); what != "" {
			return what, netip.PrefixFrom(a, a.BitLen())
		}
	}
	return "", netip.Prefix{}
}
