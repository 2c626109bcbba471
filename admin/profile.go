package admin

import (
	"fmt"
	"net/http"
	"net/http/pprof"
	"strconv"
)

const maxProfile = 60 // seconds

// profiles are what go tool pprof reads. The command line is not among them: it
// may hold secrets.
func profiles() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	mux.HandleFunc("/debug/pprof/cmdline", func(w http.ResponseWriter, _ *http.Request) {
		say(w, http.StatusForbidden, "the command line is not shown: it may hold secrets")
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked := r.FormValue("seconds"); asked != "" {
			if n, err := strconv.ParseFloat(asked, 64); !(err == nil && n > 0 && n <= maxProfile) {
				say(w, http.StatusBadRequest, fmt.Sprintf("seconds must be from 1 to %d", maxProfile))
				return
			}
		}
		mux.ServeHTTP(w, r)
	})
}

// index lists the profiles, with a style in the page, or serves one.
func index(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
	pprof.Index(w, r)
}
