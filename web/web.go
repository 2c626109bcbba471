// Package web answers the requests that are no upgrade: with the files of a
// directory, or, where there is none, with a line of text.
package web

import (
	"io"
	"net/http"
)

// Default is what answers without a directory of files: one line on /, for
// people and for load balancers that probe it or /health, and 404 on every
// other path.
func Default() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !readOnly(w, r) {
			return
		}
		if r.URL.Path != "/" && r.URL.Path != "/health" {
			refuse(w, http.StatusNotFound, "nothing here: this port carries WebSocket connections")
			return
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		io.WriteString(w, "wsbridge: this port carries WebSocket connections to a TCP service\n")
	})
}

// readOnly sets the headers every answer has, and answers the methods that
// are neither GET nor HEAD; it then returns false.
func readOnly(w http.ResponseWriter, r *http.Request) bool {
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		return true
	case http.MethodOptions:
		w.Header().Set("Allow", "GET, HEAD, OPTIONS")
		w.WriteHeader(http.StatusNoContent)
	default:
		w.Header().Set("Allow", "GET, HEAD, OPTIONS")
		refuse(w, http.StatusMethodNotAllowed, "method not allowed: GET and HEAD are")
	}
	return false
}

// refuse answers with a line of text.
func refuse(w http.ResponseWriter, status int, reason string) {
	http.Error(w, reason, status)
}
