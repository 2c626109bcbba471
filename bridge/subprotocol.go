package bridge

import (
	"net/http"
	"slices"
	"strings"
)

// chooseSubprotocol picks from what the client offers (RFC 6455, 1.9 and
// 4.2.2): binary, else base64, else the first, because a bridge carries any.
// With allowed, only names in it count, and ok is false when the client offers
// some but none of those. Offering none chooses none.
func chooseSubprotocol(h http.Header, allowed []string) (name string, ok bool) {
	offered := offeredSubprotocols(h)
	if len(offered) == 0 {
		return "", true
	}
	if len(allowed) > 0 {
		offered = slices.DeleteFunc(offered, func(name string) bool { return !slices.Contains(allowed, name) })
	}
	for _, known := range []string{"binary", "base64"} {
		if slices.Contains(offered, known) {
			return known, true
		}
	}
	if len(offered) == 0 {
		return "", false
	}
	return offered[0], true
}

// carries is what clients of e may choose from: the Hixie drafts have text only.
func (e era) carries(allowed []string) []string {
	if e.hixie() && (len(allowed) == 0 || slices.Contains(allowed, "base64")) {
		return []string{"base64"}
	}
	return allowed
}

// offeredSubprotocols joins the header's lines and trims every name. Names are
// not held to the token grammar: synapse(contentType='text/xml') is in use.
func offeredSubprotocols(h http.Header) (names []string) {
	for _, line := range h["Sec-Websocket-Protocol"] {
		for name := range strings.SplitSeq(line, ",") {
			if name = strings.TrimSpace(name); name != "" {
				names = append(names, name)
			}
		}
	}
	return names
}
