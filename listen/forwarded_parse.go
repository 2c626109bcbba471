package listen

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
)

// listed is a list as headers have it, read from its end: what trusted proxies
// wrote stands there, and nothing that stands before it can change how it is
// read, an open quote least of all.
type listed struct {
	text      string
	separator byte
	quoted    bool // items may have separators between quotes
}

// listOf is a header's items, over all its lines.
func listOf(h http.Header, name string) *listed {
	return &listed{text: strings.Join(h.Values(name), ","), separator: ','}
}

// last takes the last item that is not empty.
func (l *listed) last() (item string, ok bool) {
	for l.text != "" {
		i := l.cut()
		item = strings.Trim(l.text[i+1:], " \t")
		l.text = l.text[:max(i, 0)]
		if item != "" {
			return item, true
		}
	}
	return "", false
}

// cut is where the last separator is, -1 if there is none.
func (l *listed) cut() int {
	if !l.quoted {
		return strings.LastIndexByte(l.text, l.separator)
	}
	inside := false
	for i := len(l.text) - 1; i >= 0; i-- {
		switch {
		case l.text[i] == '"' && !(inside && escaped(l.text[:i])):
			inside = !inside
		case l.text[i] == l.separator && !inside:
			return i
		}
	}
	return -1
}

// escaped tells whether what follows s is, by a backslash.
func escaped(s string) bool { return (len(s)-len(strings.TrimRight(s, `\`)))%2 == 1 }

// parameter is the value of an element of Forwarded (RFC 7239, 4); empty: it
// has none of that name.
func parameter(element, name string) string {
	pairs := listed{text: element, separator: ';', quoted: true}
	for pair, more := pairs.last(); more; pair, more = pairs.last() {
		key, value, _ := strings.Cut(pair, "=")
		if !strings.EqualFold(key, name) {
			continue
		}
		if len(value) > 1 && value[0] == '"' && value[len(value)-1] == '"' {
			value = value[1 : len(value)-1]
		}
		return value
	}
	return ""
}

// parseNode reads an address as proxies write it, with or without a port (RFC
// 7239, 6; X-Forwarded-For may lack the brackets of IPv6). An obfuscated port
// is none.
func parseNode(s string) (netip.AddrPort, error) {
	host, port := s, ""
	switch bracket := strings.LastIndexByte(s, ']'); {
	case strings.HasPrefix(s, "[") && bracket > 0:
		host, port = s[1:bracket], s[bracket+1:]
	case strings.Count(s, ":") == 1:
		colon := strings.IndexByte(s, ':')
		host, port = s[:colon], s[colon:]
	}
	addr, err := netip.ParseAddr(host)
	switch {
	case strings.EqualFold(host, "unknown"), strings.HasPrefix(host, "_"):
		return netip.AddrPort{}, fmt.Errorf("the proxy hides its client behind %.40q", s)
	case s == "":
		return netip.AddrPort{}, errors.New("a proxy does not say for whom it asks")
	case err != nil, addr.Zone() != "", port != "" && port[0] != ':':
		return netip.AddrPort{}, fmt.Errorf("%.40q is not an address", s)
	case port == "", strings.HasPrefix(port, ":_"):
		return netip.AddrPortFrom(addr.Unmap(), 0), nil
	}
	n, err := parsePort(port[1:])
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("%.40q has a wrong port", s)
	}
	return netip.AddrPortFrom(addr.Unmap(), uint16(n)), nil
}

func protoOf(s string) string {
	switch s = strings.ToLower(s); s {
	case "http", "https":
		return s
	case "ws", "wss":
		return "http" + s[2:]
	}
	return ""
}

// hostText is s if it can be a Host header, and otherwise empty.
func hostText(s string) string {
	odd := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-._:[]", r)
	}
	if len(s) > 253+len(":65535") || strings.ContainsFunc(s, odd) {
		return ""
	}
	return s
}
