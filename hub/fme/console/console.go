// Package console is a page for people at a message hub: it opens streams,
// sends, shows what comes, and the table of channels as it changes.
package console

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"html"
	"net/http"
	"time"
)

// policy lets the page load its own files and speak to its own server, and
// nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// hubHere is where the page has the hub's address.
const hubHere = `data-hub=""`

//go:embed index.html
var index []byte

//go:embed style.css
var style []byte

//go:embed page.js
var script []byte

// Handler serves the page at / and its files beside it, to GET and HEAD. It is
// to be mounted at a path that ends in a slash, such as /fme/. hub is where
// the hub is, as a reference relative to that: "../websocket" when empty.
func Handler(hub string) http.Handler {
	if hub == "" {
		hub = "../websocket"
	}
	page := bytes.Replace(index, []byte(hubHere), []byte(`data-hub="`+html.EscapeString(hub)+`"`), 1)
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", file("text/html; charset=utf-8", page))
	mux.Handle("GET /style.css", file("text/css; charset=utf-8", style))
	mux.Handle("GET /page.js", file("text/javascript; charset=utf-8", script))
	return mux
}

// file has a tag that changes with its bytes, so that a browser never shows
// the page of another release.
func file(kind string, content []byte) http.Handler {
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
