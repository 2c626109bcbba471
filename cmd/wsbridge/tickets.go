package main

import (
	"net/http"

	"github.com/wsbridge/wsbridge/listen"
	"github.com/wsbridge/wsbridge/policy"
	"github.com/wsbridge/wsbridge/ticket"
)

// tickets are where tokens come from; nil: from elsewhere.
func (g *generation) tickets() *policy.Tickets {
	tickets, _ := g.policy.Tokens.(*policy.Tickets)
	return tickets
}

// withExchange serves the page that puts tickets into cookies beside the others,
// if there are tickets. It is guarded, even where the others are not. The path
// is compared as it is: http.ServeMux would redirect unclean ones, ticket and all.
func (g *generation) withExchange(pages http.Handler) http.Handler {
	tickets := g.tickets()
	if tickets == nil {
		return pages
	}
	page := tickets.Exchange()
	page.Secure = func(r *http.Request) bool { return listen.OriginOf(r).Proto == "https" }
	var exchange http.Handler = page
	if !g.config.WebAuth {
		exchange = g.policy.Guard(exchange)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == ticket.ExchangePath {
			exchange.ServeHTTP(w, r)
			return
		}
		pages.ServeHTTP(w, r)
	})
}
