// Package route finds where a request goes by its host, its path and the
// subprotocols it offers.
package route

import (
	"cmp"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
)

// Pattern is what requests must look like. The zero value is every request.
type Pattern struct {
	Host        string // without a port; "": any
	Path        string // a prefix that ends at a slash, the end or the query; "" or "*": any
	Subprotocol string // must be among those offered; "": none need be
}

// Table is patterns, and where each leads. The zero value is empty. It may be
// read by many once nobody adds to it.
type Table[T any] struct{ entries []entry[T] }

type entry[T any] struct {
	Pattern
	to T
}

// Add adds a pattern. Twice the same is an error.
func (t *Table[T]) Add(p Pattern, to T) error {
	p.Host = strings.ToLower(p.Host)
	if p.Path == "*" {
		p.Path = ""
	}
	if slices.ContainsFunc(t.entries, func(e entry[T]) bool { return e.Pattern == p }) {
		return fmt.Errorf("%s is taken by another route", p)
	}
	t.entries = append(t.entries, entry[T]{p, to})
	slices.SortStableFunc(t.entries, func(a, b entry[T]) int { return rank(a.Pattern, b.Pattern) })
	return nil
}

func (p Pattern) String() string {
	s := p.Host + cmp.Or(p.Path, "*")
	if p.Subprotocol != "" {
		s += " for subprotocol " + p.Subprotocol
	}
	return s
}

// rank puts what is more exact first: a host before none, then the longer
// path, then a subprotocol before none.
func rank(a, b Pattern) int {
	return cmp.Or(
		cmp.Compare(min(len(b.Host), 1), min(len(a.Host), 1)),
		cmp.Compare(len(strings.TrimSuffix(b.Path, "/")), len(strings.TrimSuffix(a.Path, "/"))),
		cmp.Compare(len(b.Path), len(a.Path)),
		cmp.Compare(len(b.Subprotocol), len(a.Subprotocol)),
	)
}

// Find is where r goes; false: nowhere.
func (t *Table[T]) Find(r *http.Request) (to T, ok bool) {
	for _, e := range t.entries {
		if e.matches(r) {
			return e.to, true
		}
	}
	return to, false
}

// All is where all the patterns lead, the most exact first.
func (t *Table[T]) All() (all []T) {
	for _, e := range t.entries {
		all = append(all, e.to)
	}
	return all
}

func (p Pattern) matches(r *http.Request) bool {
	return (p.Host == "" || p.Host == hostOf(r)) && under(r.URL.Path, p.Path) && (p.Subprotocol == "" || offers(r, p.Subprotocol))
}

// hostOf is the request's host, in lower case and without its port.
func hostOf(r *http.Request) string {
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.TrimSuffix(strings.ToLower(host), ".")
}

// under tells whether path is prefix or below it: /a takes /a and /a/b, not /ab.
func under(path, prefix string) bool {
	if path == prefix {
		return true
	}
	prefix = strings.TrimSuffix(prefix, "/")
	rest, ok := strings.CutPrefix(path, prefix)
	return ok && (prefix == "" || strings.HasPrefix(rest, "/"))
}

func offers(r *http.Request, name string) bool {
	for _, line := range r.Header.Values("Sec-WebSocket-Protocol") {
		for offered := range strings.SplitSeq(line, ",") {
			if strings.TrimSpace(offered) == name {
				return true
			}
		}
	}
	return false
}
