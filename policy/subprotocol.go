package policy

import (
	"net/http"
	"strings"
)

// offers is the header of subprotocols, as http.Header has it.
const offers = "Sec-Websocket-Protocol"

// Conceal takes tokens out of the subprotocols that r offers. Decide has to be
// asked first; whoever chooses a subprotocol, or hands the request on, is to be
// given it after, so that none is ever answered with, shown or logged.
func (p *Policy) Conceal(r *http.Request) {
	for _, place := range p.From {
		if place.kind != "subprotocol" {
			continue
		}
		kept, hidden := sortOffers(r.Header, place.name)
		switch {
		case len(kept) == 0:
			r.Header.Del(offers)
		case len(hidden) > 0:
			r.Header.Set(offers, strings.Join(kept, ", "))
		}
	}
}

// sortOffers tells the subprotocols that are offered from those that begin with
// prefix, of which it gives what is behind.
func sortOffers(h http.Header, prefix string) (kept, hidden []string) {
	for _, line := range h[offers] {
		for name := range strings.SplitSeq(line, ",") {
			name = strings.TrimSpace(name)
			if token, ok := strings.CutPrefix(name, prefix); ok {
				hidden = append(hidden, token)
			} else if name != "" {
				kept = append(kept, name)
			}
		}
	}
	return kept, hidden
}
