package policy

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// Place is where a request has its token. The zero value is the query
// parameter "token".
type Place struct {
	kind string // query, host, path, cookie, header or subprotocol
	name string // of the parameter, cookie or header; else what stands before
}

// ParsePlace reads where tokens are:
//
//	query:NAME   the first parameter of that name that is not empty; decoded
//	             as websockify does it; "query" alone is query:token
//	host         the Host header's host, as written, without port and brackets
//	path:PREFIX  the path segment behind PREFIX; "path" alone is path:/
//	cookie:NAME  the cookie's value as it stands
//	header:NAME  the header's value; of Authorization what is behind "Bearer"
//	subprotocol:PREFIX
//	             what is behind PREFIX in the first offered subprotocol that
//	             begins with it; "subprotocol" alone is subprotocol:bearer. (with
//	             the dot). Conceal takes it out of the offer.
func ParsePlace(s string) (Place, error) {
	kind, name, named := strings.Cut(s, ":")
	switch kind {
	case "host":
		if !named {
			return Place{kind: kind}, nil
		}
	case "query":
		if !named || name != "" {
			return Place{kind, name}, nil
		}
	case "path":
		if !named || strings.HasPrefix(name, "/") {
			return Place{kind, "/" + strings.Trim(name, "/")}, nil
		}
	case "cookie", "header":
		if name != "" && !strings.ContainsFunc(name, notToken) {
			return Place{kind, name}, nil
		}
	case "subprotocol":
		if !named {
			return Place{kind, "bearer."}, nil
		}
		if name != "" && !strings.ContainsFunc(name, notToken) {
			return Place{kind, name}, nil
		}
	}
	return Place{}, fmt.Errorf("no place for a token: %q: write query:NAME, host, path:/PREFIX/, cookie:NAME, header:NAME or subprotocol:PREFIX", s)
}

// notToken tells what no header or cookie name has in it (RFC 9110, 5.6.2).
func notToken(r rune) bool {
	return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
}

// String is what ParsePlace reads back.
func (p Place) String() string {
	switch p.kind {
	case "", "query":
		return "query:" + p.parameter()
	case "host":
		return "host"
	}
	return p.kind + ":" + p.name
}

// find is the token, or "".
func (p Place) find(r *http.Request) string {
	switch p.kind {
	case "host":
		return (&url.URL{Host: r.Host}).Hostname()
	case "path":
		return segment(r.URL.EscapedPath(), p.name)
	case "cookie":
		if c, err := r.Cookie(p.name); err == nil {
			return c.Value
		}
		return ""
	case "header":
		return header(r, p.name)
	case "subprotocol":
		if _, hidden := sortOffers(r.Header, p.name); len(hidden) > 0 {
			return hidden[0]
		}
		return ""
	}
	return parameter(r.URL.RawQuery, p.parameter())
}

func (p Place) parameter() string {
	if p.name == "" {
		return "token"
	}
	return p.name
}

// header takes the scheme "Bearer" (RFC 6750) away from Authorization.
func header(r *http.Request, name string) string {
	value := strings.TrimSpace(r.Header.Get(name))
	if !strings.EqualFold(name, "Authorization") {
		return value
	}
	scheme, token, _ := strings.Cut(value, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// segment is what stands in an escaped path between prefix and the next slash.
func segment(path, prefix string) string {
	rest, ok := strings.CutPrefix(path, strings.TrimSuffix(prefix, "/")+"/")
	if !ok {
		return ""
	}
	escaped, _, _ := strings.Cut(rest, "/")
	token, err := url.PathUnescape(escaped)
	if err != nil {
		return ""
	}
	return token
}

// parameter is a query's first value of that name that is not empty, as
// Python's parse_qs has it: only & separates, + is a space, an escape that is
// none stays as it is; and as websockify has it, line ends behind are cut.
func parameter(query, name string) string {
	query, _, _ = strings.Cut(query, "#")
	for pair := range strings.SplitSeq(query, "&") {
		key, value, _ := strings.Cut(pair, "=")
		if value != "" && unescape(key) == name {
			return strings.TrimRight(unescape(value), "\n")
		}
	}
	return ""
}

func unescape(s string) string {
	if !strings.ContainsAny(s, "%+") {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '+':
			b = append(b, ' ')
		case c == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]):
			b = append(b, unhex(s[i+1])<<4|unhex(s[i+2]))
			i += 2
		default:
			b = append(b, c)
		}
	}
	return strings.ToValidUTF8(string(b), "\uFFFD")
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f'
}

func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}
