package pages

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html"
	"io"
	"io/fs"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

//go:embed all:dist
var dist embed.FS

// types are the content types of what ui/build.sh makes.
var types = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
	".txt":  "text/plain; charset=utf-8",
}

// pageNames are the pages among it.
var pageNames = []string{"index.html", "terminal.html", "vnc.html", "line.html", "replay.html", "status.html"}

// assets are files by name, in memory.
type assets map[string]asset

// An asset that is packed is held as gzip, and so sent to all who take it.
type asset struct {
	kind, tag string
	content   []byte
	packed    bool
}

// embedded are the files that the binary was built with.
func embedded() assets {
	folder, err := fs.Sub(dist, "dist")
	if err != nil {
		panic(err) // the name is a constant
	}
	return load(folder)
}

// load takes the files of folder whose type is known; NAME.gz is NAME, packed.
func load(folder fs.FS) assets {
	all := assets{}
	names, _ := fs.Glob(folder, "*")
	for _, file := range names {
		name, packed := strings.CutSuffix(file, ".gz")
		kind, known := types[path.Ext(name)]
		content, err := fs.ReadFile(folder, file)
		if !known || err != nil {
			continue
		}
		sum := sha256.Sum256(content)
		all[name] = asset{kind, hex.EncodeToString(sum[:8]), content, packed}
	}
	return all
}

// page answers with the file called name. Its tag changes with its bytes, so
// that a browser never mixes two releases.
func (a assets) page(name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		file, ok := a[name]
		switch {
		case ok:
			file.serve(w, r)
		case len(a) == 0 && slices.Contains(pageNames, name):
			unbuilt(w, name)
		default:
			http.Error(w, "not found", http.StatusNotFound)
		}
	})
}

func (f asset) serve(w http.ResponseWriter, r *http.Request) {
	content, tag, h := f.content, f.tag, w.Header()
	if f.packed {
		h.Set("Vary", "Accept-Encoding")
		if takesGzip(r.Header) {
			h.Set("Content-Encoding", "gzip")
			tag += "-gzip" // other bytes, another tag (RFC 9110, 8.8.3.3)
		} else if content = unpack(content); content == nil {
			http.Error(w, "this file is broken in the binary", http.StatusInternalServerError)
			return
		}
	}
	h.Set("Content-Type", f.kind)
	h.Set("ETag", `"`+tag+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
}

// takesGzip reads Accept-Encoding (RFC 9110, 12.5.3). Who says nothing of gzip
// gets none, though it might take it.
func takesGzip(h http.Header) bool {
	for _, list := range h.Values("Accept-Encoding") {
		for item := range strings.SplitSeq(list, ",") {
			coding, weight, weighed := strings.Cut(item, ";")
			if !strings.EqualFold(strings.TrimSpace(coding), "gzip") {
				continue
			}
			q, err := strconv.ParseFloat(strings.TrimPrefix(strings.TrimSpace(weight), "q="), 32)
			return !weighed || err == nil && q > 0
		}
	}
	return false
}

// unpack is what was packed, or nil. Few clients take no gzip: it costs them.
func unpack(packed []byte) []byte {
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil
	}
	content, err := io.ReadAll(r)
	if err != nil {
		return nil
	}
	return content
}

// missing is shown instead of a page, {page}. It has no style sheet: that would
// be missing too.
const missing = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>wsbridge: {page} is missing</title>
<h1>{page} is not in this binary</h1>
<p>It was built without its pages. WebSocket connections work as ever.</p>
<p>To build it with them: <code>make ui build</code>, which needs Node and npm.</p>
</html>
`

func unbuilt(w http.ResponseWriter, name string) {
	w.Header().Set("Content-Type", types[".html"])
	w.WriteHeader(http.StatusServiceUnavailable)
	io.WriteString(w, strings.ReplaceAll(missing, "{page}", html.EscapeString(name)))
}
