package pages

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"slices"
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

type asset struct {
	kind, tag string
	content   []byte
}

// embedded are the files that the binary was built with.
func embedded() assets {
	folder, err := fs.Sub(dist, "dist")
	if err != nil {
		panic(err) // the name is a constant
	}
	return load(folder)
}

// load takes the files of folder whose type is known.
func load(folder fs.FS) assets {
	all := assets{}
	names, _ := fs.Glob(folder, "*")
	for _, name := range names {
		kind, known := types[path.Ext(name)]
		content, err := fs.ReadFile(folder, name)
		if !known || err != nil {
			continue
		}
		sum := sha256.Sum256(content)
		all[name] = asset{kind, `"` + hex.EncodeToString(sum[:8]) + `"`, content}
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
			w.Header().Set("Content-Type", file.kind)
			w.Header().Set("ETag", file.tag)
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(file.content))
		case len(a) == 0 && slices.Contains(pageNames, name):
			unbuilt(w, name)
		default:
			http.Error(w, "not found", http.StatusNotFound)
		}
	})
}

// missing is shown instead of a page. It has no style sheet: that would be
// missing too.
var missing = template.Must(template.New("missing").Parse(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>wsbridge: {{.}} is missing</title>
<h1>{{.}} is not in this binary</h1>
<p>It was built without its pages. WebSocket connections work as ever.</p>
<p>To build it with them: <code>make ui build</code>, which needs Node and npm.</p>
</html>
`))

func unbuilt(w http.ResponseWriter, name string) {
	w.Header().Set("Content-Type", types[".html"])
	w.WriteHeader(http.StatusServiceUnavailable)
	missing.Execute(w, name)
}
