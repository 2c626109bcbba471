package listen

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
)

// Forwarded takes a request's client from what trusted proxies say of it. The
// zero value believes nobody. Only one of the two kinds of header is looked at:
// a proxy that writes the one lets through what a client wrote into the other.
type Forwarded struct {
	From Peers
	// RFC7239 reads Forwarded; otherwise X-Forwarded-For, -Proto and -Host are
	// read.
	RFC7239 bool
}

// Origin is a request as the first trusted proxy got it.
type Origin struct {
	Client netip.AddrPort // port 0: not said
	Proto  string         // "http", "https"; "": not said
	Host   string         // with its port, as in a Host header; "": not said
	// Note is what is wrong with the headers: then Client is the peer, and the
	// rest is not said.
	Note string
}

// maxHops is how many trusted proxies one behind the other are believed.
const maxHops = 32

// Origin reads r's headers, from the last hop back to the first that is not
// trusted: that is the client, whatever stands before it. false: the peer is
// the client, because it is not trusted or says nothing. r.RemoteAddr is the
// peer's.
func (f Forwarded) Origin(r *http.Request) (Origin, bool) {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if trusted := err == nil && f.From.HasIP(peer.Addr()) || err != nil && f.From.Unix; !trusted {
		return Origin{}, false
	}
	walk := f.legacy
	if f.RFC7239 {
		walk = f.standard
	}
	origin, said, err := walk(r.Header)
	if err != nil {
		return Origin{Client: peer, Note: err.Error()}, true
	}
	return origin, said
}

// legacy reads X-Forwarded-For and its neighbours.
func (f Forwarded) legacy(h http.Header) (o Origin, said bool, err error) {
	hops := listOf(h, "X-Forwarded-For")
	back, err := f.walk(hops.last, &o)
	if back == 0 || err != nil {
		return o, false, err
	}
	total := back
	for _, more := hops.last(); more; _, more = hops.last() {
		total++
	}
	o.Proto = protoOf(hopOf(h, "X-Forwarded-Proto", back, total))
	o.Host = hostText(hopOf(h, "X-Forwarded-Host", back, total))
	return o, true, nil
}

// hopOf is what the header says of the hop back'th from the end, of total in
// X-Forwarded-For. One proxy alone may write it, then its word counts: the
// last.
func hopOf(h http.Header, name string, back, total int) string {
	hops := listOf(h, name)
	var all []string
	for hop, more := hops.last(); more && len(all) <= total; hop, more = hops.last() {
		all = append(all, hop)
	}
	switch len(all) {
	case 0:
		return ""
	case total:
		return all[back-1]
	}
	return all[0]
}

// standard reads Forwarded (RFC 7239).
func (f Forwarded) standard(h http.Header) (o Origin, said bool, err error) {
	hops, element := listOf(h, "Forwarded"), ""
	hops.quoted = true
	back, err := f.walk(func() (string, bool) {
		hop, more := hops.last()
		if more {
			element = hop
		}
		return parameter(hop, "for"), more
	}, &o)
	o.Proto, o.Host = protoOf(parameter(element, "proto")), hostText(parameter(element, "host"))
	return o, back > 0, err
}

// walk goes back from the last hop to the first that is not trusted, and counts
// its steps. o.Client is where it ended.
func (f Forwarded) walk(last func() (string, bool), o *Origin) (back int, err error) {
	for ; back < maxHops; back++ {
		node, more := last()
		if !more {
			return back, nil
		}
		if o.Client, err = parseNode(node); err != nil {
			return back, err
		}
		if !f.From.HasIP(o.Client.Addr()) {
			return back + 1, nil
		}
	}
	return back, fmt.Errorf("more than %d trusted proxies one behind the other", maxHops)
}

type originKey struct{}

// Identify is r as its client sent it: RemoteAddr is the client's, with port 0
// where no proxy said it, and OriginOf has the rest. Without a word from a
// trusted proxy it is r itself. r is not changed. note is not empty if a trusted
// proxy says what cannot be used.
func (f Forwarded) Identify(r *http.Request) (identified *http.Request, note string) {
	origin, said := f.Origin(r)
	if !said {
		return r, ""
	}
	r = r.WithContext(context.WithValue(r.Context(), originKey{}, origin))
	if origin.Client.IsValid() {
		r.RemoteAddr = origin.Client.String()
	}
	return r, origin.Note
}

// OriginOf is what a trusted proxy said of r; of what it did not say, what the
// connection shows.
func OriginOf(r *http.Request) Origin {
	origin, _ := r.Context().Value(originKey{}).(Origin)
	if !origin.Client.IsValid() {
		origin.Client, _ = netip.ParseAddrPort(r.RemoteAddr)
	}
	if origin.Host == "" {
		origin.Host = r.Host
	}
	if origin.Proto == "" {
		origin.Proto = "http"
		if r.TLS != nil {
			origin.Proto = "https"
		}
	}
	return origin
}
