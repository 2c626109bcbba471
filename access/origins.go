package access

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Origins are the pages that may open sessions: a browser says in the header
// Origin which page asks (RFC 6455, 10.2), and shows a page of any site to the
// person who is let in here. Whoever is no browser says there what it likes.
type Origins struct {
	// Host is what the client knows us by, as the Host header has it; nil: that
	// header. Behind a trusted proxy it is the forwarded host.
	Host func(*http.Request) string
	// Log is told which origin was refused; nil: slog.Default().
	Log *slog.Logger

	all, none, null, sameHost bool
	list                      []origin
}

// origin is scheme://host:port (RFC 6454, 4), in lower case. The port is never
// left out where the scheme has one. In a list, the host may begin with "*."
// and the port be "*".
type origin struct{ scheme, host, port string }

// ParseOrigins reads a list of:
//
//	https://desk.example       that page; with another port than the scheme's,
//	                           https://desk.example:8443; with any, :*
//	desk.example               https://desk.example
//	https://*.example.com      all names below, at any depth, but not itself
//	same-host                  the host and port that the request went to
//	null                       pages that have no origin (RFC 6454, 4): of files
//	none                       requests without the header: programs
//	*                          all of it
//
// An empty list is an error: it would let nobody in.
func ParseOrigins(list []string) (*Origins, error) {
	if len(list) == 0 {
		return nil, errors.New("there is no origin: write https://host, same-host, none or *")
	}
	o := &Origins{}
	words := map[string]*bool{"*": &o.all, "none": &o.none, "null": &o.null, "same-host": &o.sameHost}
	for _, s := range list {
		if word, ok := words[s]; ok {
			*word = true
			continue
		}
		p, err := parsePattern(s)
		if err != nil {
			return nil, fmt.Errorf("origin %q: %w", clip(s), err)
		}
		o.list = append(o.list, p)
	}
	return o, nil
}

// Check says whether the page that r comes from may open a session here. The
// error is a *Refusal.
func (o *Origins) Check(r *http.Request) error {
	if o == nil || o.all {
		return nil
	}
	values := r.Header.Values("Origin")
	switch {
	case len(values) == 0 && o.none:
		return nil
	case len(values) == 0:
		return forbidden("the Origin header is missing")
	case len(values) > 1:
		return forbidden("there are several Origin headers")
	case o.lists(r, values[0]):
		return nil
	}
	o.log().Info("origin refused", "client", r.RemoteAddr, "origin", clip(values[0]), "host", clip(o.host(r)))
	return forbidden("the page's origin is not an allowed one")
}

func (o *Origins) lists(r *http.Request, text string) bool {
	if text == "null" {
		return o.null
	}
	from, err := parseOrigin(text)
	if err != nil {
		return false
	}
	return o.sameHost && from.isOf(o.host(r), r.TLS != nil) || slices.ContainsFunc(o.list, from.is)
}

func (o *Origins) host(r *http.Request) string {
	if o.Host != nil {
		return o.Host(r)
	}
	return r.Host
}

func (o *Origins) log() *slog.Logger {
	if o.Log != nil {
		return o.Log
	}
	return slog.Default()
}

// is tells whether o is a page of the pattern.
func (o origin) is(pattern origin) bool {
	sameHost := o.host == pattern.host
	if below, ok := strings.CutPrefix(pattern.host, "*"); ok {
		sameHost = strings.HasSuffix(o.host, below) && o.host != below
	}
	return sameHost && o.scheme == pattern.scheme && (pattern.port == "*" || o.port == pattern.port)
}

// isOf tells whether o is a page of the host that a request went to. A host
// without a port has TLS's if the request came by it. If not, a proxy before
// us may have ended TLS, and the page's scheme is believed.
func (o origin) isOf(host string, secure bool) bool {
	name, port, err := splitHost(host)
	switch {
	case err != nil, o.scheme != "http" && o.scheme != "https":
		return false
	case port == "" && secure:
		port = defaultPorts["https"]
	case port == "":
		port = defaultPorts[o.scheme]
	}
	return o.host == name && o.port == port
}

var defaultPorts = map[string]string{"http": "80", "https": "443"}

func parsePattern(s string) (origin, error) {
	if !strings.Contains(s, "://") {
		s = "https://" + s
	}
	scheme, rest, _ := strings.Cut(s, "://")
	rest, anyPort := strings.CutSuffix(rest, ":*")
	below, wild := strings.CutPrefix(rest, "*.")
	o, err := parseOrigin(scheme + "://" + below)
	if wild {
		o.host = "*." + o.host
	}
	if anyPort {
		o.port = "*"
	}
	return o, err
}

// parseOrigin reads what browsers write (RFC 6454, 6.2).
func parseOrigin(s string) (o origin, err error) {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok || scheme == "" || strings.ContainsFunc(scheme, notScheme) {
		return o, errors.New("the scheme is missing: write https://host")
	}
	o.scheme = strings.ToLower(scheme)
	if o.host, o.port, err = splitHost(rest); err != nil {
		return origin{}, err
	}
	if o.port == "" {
		o.port = defaultPorts[o.scheme]
	}
	return o, nil
}

// notScheme tells what no scheme has in it (RFC 3986, 3.1).
func notScheme(r rune) bool {
	letter := r|0x20 >= 'a' && r|0x20 <= 'z'
	return !letter && (r < '0' || r > '9') && r != '+' && r != '-' && r != '.'
}

// splitHost reads host or host:port, as the Host header has it (RFC 9110, 7.2).
func splitHost(s string) (host, port string, err error) {
	host = s
	if i := strings.LastIndexByte(s, ':'); i >= 0 && !strings.HasSuffix(s, "]") {
		host, port = s[:i], s[i+1:]
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || strconv.FormatUint(n, 10) != port {
			return "", "", errors.New("the port is no number from 1 to 65535: write https://host:8443")
		}
	}
	if inner, ok := strings.CutPrefix(host, "["); ok {
		ip, err := netip.ParseAddr(strings.TrimSuffix(inner, "]"))
		if err != nil || !strings.HasSuffix(host, "]") || !ip.Is6() || ip.Zone() != "" {
			return "", "", errors.New("brackets enclose an IPv6 address: write https://[2001:db8::1]")
		}
		return "[" + ip.String() + "]", port, nil
	}
	if host == "" || strings.ContainsFunc(host, notHost) {
		return "", "", errors.New("the host is no name and no address: write https://host, without a path")
	}
	return strings.ToLower(host), port, nil
}

// notHost tells what no host name in a URL has in it.
func notHost(r rune) bool {
	return r <= ' ' || r >= 0x7f || strings.ContainsRune(`/\?#@:*[]%"'<>,;`, r)
}
