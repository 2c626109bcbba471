package main

import (
	"net/http"

	"github.com/wsbridge/wsbridge/web/pages"
)

// offers is what the start page shows a visitor: the targets of bytes, for a
// page to open. Where a token leads is the token's secret.
func (g *generation) offers(*http.Request) (all []pages.Offer) {
	for _, d := range g.router.table.All() {
		offer := pages.Offer{Name: d.name, Path: pathOf(d)}
		switch {
		case d.byToken:
			offer.Name, offer.About = "a target by its token", "open it with ?token=..."
		case d.target == nil:
			continue
		case d.name == "*":
			offer.Name = "the target of this bridge"
		}
		all = append(all, offer)
	}
	return all
}

// pathOf is a path that leads to d.
func pathOf(d *destination) string {
	if d.path == "*" {
		return ""
	}
	return d.path
}
