package access

import (
	"net/netip"
	"strings"
	"testing"
)

// Who comes in, by the rules on the left.
func TestRules(t *testing.T) {
	for _, tt := range []struct {
		rules   string // with commas
		in, out string // addresses
	}{
		{"", "192.0.2.1 ::1", ""},
		{"allow 10.0.0.0/8", "10.0.0.0 10.255.255.255 ::ffff:10.1.2.3", "9.255.255.255 11.0.0.0 192.0.2.1 ::1 ::10.1.2.3"},
		{"10.0.0.0/8", "10.1.2.3", "192.0.2.1"},
		{"deny 10.0.0.0/8", "192.0.2.1 2001:db8::1", "10.1.2.3 ::ffff:10.1.2.3"},
		{"deny 10.0.0.66,allow 10.0.0.0/8", "10.0.0.65", "10.0.0.66 192.0.2.1"},
		{"allow 10.0.0.66,deny 10.0.0.0/8,allow all", "10.0.0.66 192.0.2.1", "10.0.0.65"},
		{"allow 10.0.0.0/8,deny 10.0.0.66", "10.0.0.66", "192.0.2.1"},
		{"deny all", "", "10.0.0.1 ::1"},
		{"allow all,deny 10.0.0.1", "10.0.0.1", ""},
		{"allow 192.0.2.7,allow 2001:db8::7", "192.0.2.7 2001:db8::7", "192.0.2.8 2001:db8::8"},
		{"allow 2001:db8::/32", "2001:db8:ffff::1", "2001:db9::1 32.1.13.184"},
		{"allow 0.0.0.0/0", "192.0.2.1 ::ffff:192.0.2.1", "2001:db8::1"},
		{"allow ::/0", "2001:db8::1", "192.0.2.1 ::ffff:192.0.2.1"},
		{"allow ::ffff:10.0.0.0/104", "10.1.2.3", "11.0.0.1"},
		{"allow ::ffff:10.0.0.1", "10.0.0.1 ::ffff:10.0.0.1", "10.0.0.2"},
		{"allow ::ffff:10.0.0.1%eth0", "10.0.0.1", "10.0.0.2"},
		{"allow fe80::/10", "fe80::1 fe80::1%eth0", "fec0::1"},
		{"allow fe80::%eth0/10", "fe80::1%eth0", "fe80::1 fe80::1%eth1"},
		{"deny fe80::1%eth0", "fe80::1%eth1 fe80::2%eth0", "fe80::1%eth0"},
	} {
		rules, err := ParseRules(split(tt.rules))
		check(t, err)
		for _, a := range strings.Fields(tt.in) {
			if reason, ok := rules.Admits(netip.MustParseAddr(a)); !ok || reason != "" {
				t.Errorf("%q keeps %s out: %q", tt.rules, a, reason)
			}
		}
		for _, a := range strings.Fields(tt.out) {
			if reason, ok := rules.Admits(netip.MustParseAddr(a)); ok || reason != "your address is not allowed" {
				t.Errorf("%q lets %s in: %q", tt.rules, a, reason)
			}
		}
		if _, ok := rules.Admits(netip.Addr{}); !ok {
			t.Errorf("%q keeps a unix socket's client out", tt.rules)
		}
	}
}

func split(list string) (lines []string) {
	for line := range strings.SplitSeq(list, ",") {
		if line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

func TestRuleMistakes(t *testing.T) {
	for rule, says := range map[string]string{
		"":                            `rule "" is empty: write allow 10.0.0.0/8`,
		"allow":                       `rule "allow": whom is missing: write allow 10.0.0.0/8`,
		"deny  ":                      `whom is missing: write deny 10.0.0.0/8`,
		"permit 10.0.0.1":             "begins with neither allow nor deny",
		"allow desk.lan":              "names are not looked up: write 192.0.2.7 or 10.0.0.0/8",
		"allow 10.0.0.1 10.0.0.2":     "it is no IP address",
		"allow 10.0.0.*":              "write a network by the length of its prefix, as in 10.0.0.0/24",
		"allow 10.0.0.1-10.0.0.9":     "write a network by the length of its prefix, as in 10.0.0.0/24",
		"allow 10.0.0.0/255.0.0.0":    `"255.0.0.0" is no length of a prefix`,
		"allow 10.0.0.0/33":           `"33" is no length of a prefix`,
		"allow 10.0.0.0/":             `"" is no length of a prefix`,
		"allow 10.1.2.3/8":            "write 10.0.0.0/8, or 10.1.2.3 for the one address",
		"allow fe80::1%eth0/10":       "write fe80::%eth0/10, or fe80::1%eth0 for the one address",
		"allow ::ffff:0.0.0.0/90":     "write ::ffc0:0:0/90",
		"allow [2001:db8::1]":         "an IPv6 address has no brackets here",
		"allow 010.0.0.1":             "it is no IP address",
		"allow 192.0.2.1:80":          "it is no IP address",
		strings.Repeat("x", 1000):     "...",
		"allow all of them":           "it is no IP address",
		"allow 10.0.0.0/8\ndeny ::/0": "is no length of a prefix",
	} {
		_, err := ParseRules([]string{"allow 192.0.2.1", rule})
		wantError(t, rule, err, says)
		if err != nil && (len(err.Error()) > 400 || strings.Contains(err.Error(), "\n")) {
			t.Errorf("%q: not one line: %q", rule, err)
		}
	}
}

// Whatever is read is written so that it means the same.
func FuzzParseRule(f *testing.F) {
	for _, s := range []string{"allow 10.0.0.0/8", "deny all", "fe80::%eth0/10", "allow ::ffff:10.0.0.0/104", "10.1.2.3/8", "deny ::1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		rule, err := ParseRule(s)
		if err != nil {
			return
		}
		again, err := ParseRule(rule.String())
		if err != nil || again != rule {
			t.Errorf("%q is read as %q, and that as %q, %v", s, rule, again, err)
		}
		if rule.network.IsValid() && !rule.has(rule.network.Addr().WithZone(rule.zone)) {
			t.Errorf("%q does not have its own address in it", rule)
		}
	})
}
