package admin

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// guarded lets in who may come in. A browser is a guest of many sites: what
// another site's page asks for is refused, and so is a name that somebody else
// made lead here (DNS rebinding).
func (a *Admin) guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		protect(w.Header())
		if r.ContentLength != 0 {
			http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTimeout)) // best effort: not all writers have one
		}
		who := a.visitor(r)
		switch {
		case a.secret() == "" && !a.called(r):
			say(w, http.StatusForbidden, fmt.Sprintf("not known by the name of %q: say localhost, or configure the name", r.Host))
		case who != program && foreign(r, who):
			say(w, http.StatusForbidden, "another site's page asks for this")
		case who == stranger && !open(r):
			a.ask(w, r, "")
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// protect sets the headers of every answer; pages have some of their own.
func protect(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "same-origin") // with none, a form would be sent without its Origin
	h.Set("Cache-Control", "no-store")
}

// called says whether r was meant for here by the name it uses. Nobody else can
// make localhost or an address lead elsewhere; no browser gets to a unix
// socket; and browsers always send a name.
func (a *Admin) called(r *http.Request) bool {
	if at, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok && at.Network() == "unix" {
		return true
	}
	name := (&url.URL{Host: r.Host}).Hostname()
	if slices.ContainsFunc(a.Names, func(known string) bool { return strings.EqualFold(name, known) }) {
		return true
	}
	ip, err := netip.ParseAddr(name)
	return name == "" || strings.EqualFold(name, "localhost") || err == nil && ip.Unmap().IsLoopback()
}

// foreign says whether another site's page is behind r. Browsers say so in
// Sec-Fetch-Site; where they do not, in Origin, with all that changes something.
// Programs send neither, and have no cookie.
func foreign(r *http.Request, who visitor) bool {
	safe := r.Method == http.MethodGet || r.Method == http.MethodHead
	site, origin := r.Header.Get("Sec-Fetch-Site"), r.Header.Get("Origin")
	switch {
	case site == "same-origin", site == "none":
		return false
	case site != "": // that another port is the same site means nothing here
		return !safe || r.Header.Get("Sec-Fetch-Mode") != "navigate"
	case origin == "":
		return who == browser && !safe
	}
	from, err := url.Parse(origin)
	return err != nil || !strings.EqualFold(from.Host, r.Host)
}

// say answers with one line.
func say(w http.ResponseWriter, status int, line string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	fmt.Fprintln(w, line)
}
