// Package demopage is the page of "wsbridge demo": static files inside the
// binary that talk to the bridge which serves them.
package demopage

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"net/http"
	"time"
)

// policy lets the page load its own files and speak to its own server, and
// nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " +
	"img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

//go:embed index.html
var index []byte

//go:embed style.css
var style []byte

//go:embed page.js
var script []byte

//go:embed icon.svg
var icon []byte

// Handler serves the page at / and its files beside it, to GET and HEAD.
func Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", page("text/html; charset=utf-8", index))
	mux.Handle("GET /style.css", page("text/css; charset=utf-8", style))
	mux.Handle("GET /page.js", page("text/javascript; charset=utf-8", script))
	mux.Handle("GET /icon.svg", page("image/svg+xml", icon))
	return mux
}

// page is one file. Its tag changes with its bytes, so that a browser never
// shows the page of another release.
func page(kind string, content []byte) http.Handler {
	sum := sha256.Sum256(content)
	tag := `"` + hex.EncodeToString(sum[:8]) + `"`
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Type", kind)
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-cache")
		h.Set("ETag", tag)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
	})
}
