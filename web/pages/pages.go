// Package pages is what wsbridge shows in a browser: a terminal, a VNC client,
// a line console, recordings played again, and the bridge's numbers. All pages
// use relative addresses only, so that they work below any path of a proxy, and
// load nothing from elsewhere.
//
// Their sources are in ui; ui/build.sh makes dist of them, which is embedded. A
// binary that was built without them answers with how to build it.
package pages

import (
	"encoding/json"
	"io/fs"
	"net/http"
	"strings"
	"time"
)

// Options is what the pages show. What is left out is answered with 404 and a
// line that says so.
type Options struct {
	// Offers returns what the visitor who asks may open. Nil: nothing.
	Offers func(*http.Request) []Offer
	// Recordings is a folder of files that package record wrote. They hold all
	// that was typed, passwords too: let only those see them who may.
	Recordings fs.FS
	// Feed has the numbers of the status page. It shows who is connected and
	// ends sessions: let only administrators see it.
	Feed Feed
	// Every is the time between two events of the feed. 0: a second.
	Every time.Duration
	// Done ends the event streams, which else last as long as their readers
	// stay. Nil: never.
	Done <-chan struct{}
}

// Offer is a target that a visitor may open in a page.
type Offer struct {
	Name  string `json:"name"`
	About string `json:"about,omitempty"` // a line about it
	// Path of the upgrade, query included, relative to the pages.
	Path string `json:"path"`
	// Kinds are the pages it makes sense in: terminal, telnet, vnc, line. None
	// is as good as all.
	Kinds []string `json:"kinds"`
}

// New returns the pages. They serve GET and HEAD below /, and with a Feed
// DELETE of sessions/ID; a caller who has them elsewhere strips the prefix.
func New(o Options) http.Handler {
	mux := http.NewServeMux()
	files := embedded()
	mux.Handle("GET /{$}", files.page("index.html"))
	mux.HandleFunc("GET /{name}", func(w http.ResponseWriter, r *http.Request) {
		files.page(r.PathValue("name")).ServeHTTP(w, r)
	})
	mux.HandleFunc("GET /offers.json", o.offers)
	recordings{o.Recordings}.handle(mux)
	newStatus(o).handle(mux)
	return guarded(mux)
}

// start is what the start page shows.
type start struct {
	Offers []Offer  `json:"offers"`
	More   []string `json:"more"` // pages that are there for this visitor
}

func (o Options) offers(w http.ResponseWriter, r *http.Request) {
	s := start{[]Offer{}, []string{}}
	if o.Offers != nil {
		s.Offers = append(s.Offers, o.Offers(r)...)
	}
	for i := range s.Offers {
		s.Offers[i].Path = strings.TrimLeft(s.Offers[i].Path, "/")
	}
	if o.Recordings != nil {
		s.More = append(s.More, "replay.html")
	}
	if o.Feed != nil {
		s.More = append(s.More, "status.html")
	}
	answer(w, s)
}

// answer is v in JSON, which nobody may keep.
func answer(w http.ResponseWriter, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		http.Error(w, "cannot say this in JSON", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Write(append(body, '\n'))
}

// policy lets a page load its own files, speak WebSocket, and nothing else.
// data: is for the pictures inside noVNC's protocol and its cursors.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
	"connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"

// guarded sets the headers that every answer has. Pages are opened with tokens
// in their addresses: no Referer may carry them on. What changes something is
// refused to other sites' pages.
func guarded(next http.Handler) http.Handler {
	next = http.NewCrossOriginProtection().Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-cache")
		next.ServeHTTP(w, r)
	})
}
