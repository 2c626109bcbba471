package web

import (
	"bytes"
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// small is a site with a bit of everything.
var small = map[string]string{
	"vnc.html":         "<p>vnc",
	"app/index.html":   "<p>app",
	"app/ui.js":        "export default 1",
	"plain/a.txt":      "0123456789",
	"empty/":           "",
	"indexdir/x.txt":   "x",
	"indexdir/a b.txt": "space",
	".hidden":          "dot",
	"ä.txt":            "umlaut",
	"100%.txt":         "percent",
}

func TestOpenMistakes(t *testing.T) {
	dir := site(t, small)
	tests := []struct{ dir, want string }{
		{filepath.Join(dir, "none"), "none does not exist"},
		{filepath.Join(dir, "vnc.html"), "vnc.html is a file: name the directory"},
	}
	for _, tt := range tests {
		f, err := Open(tt.dir, true)
		if err == nil {
			f.Close()
			t.Errorf("%s: no error", tt.dir)
		} else if !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q does not say %q", err, tt.want)
		}
	}
}

func TestFiles(t *testing.T) {
	f := open(t, site(t, small), false)
	tests := []struct {
		method, target string
		status         int
		body           string // exactly, for 200
		location       string
	}{
		{"GET", "/vnc.html", 200, "<p>vnc", ""},
		{"GET", "/vnc.html?path=websockify&token=1", 200, "<p>vnc", ""},
		{"HEAD", "/vnc.html", 200, "", ""},
		{"GET", "//vnc.html", 200, "<p>vnc", ""},
		{"GET", "/./app/./ui.js", 200, "export default 1", ""},
		{"GET", "/vnc%2Ehtml", 200, "<p>vnc", ""},
		{"GET", "/indexdir/a%20b.txt", 200, "space", ""},
		{"GET", "/%C3%A4.txt", 200, "umlaut", ""},
		{"GET", "/100%25.txt", 200, "percent", ""},
		{"GET", "/.hidden", 200, "dot", ""},
		{"GET", "/app/", 200, "<p>app", ""},
		{"HEAD", "/app/", 200, "", ""},
		{"GET", "/app/index.html", 200, "<p>app", ""},
		{"GET", "/app", 301, "", "app/"},
		{"GET", "/app?a=b%20c", 301, "", "app/?a=b%20c"},
		{"GET", "/plain/", 404, "", ""},
		{"GET", "/", 404, "", ""},
		{"GET", "/none", 404, "", ""},
		{"GET", "/VNC.html", 404, "", ""},
		{"GET", "/vnc.html/", 404, "", ""},
		{"GET", "/vnc.html/x", 404, "", ""},
		{"GET", "/" + strings.Repeat("x", 5000), 404, "", ""},
		{"POST", "/vnc.html", 405, "", ""},
		{"PUT", "/none", 405, "", ""},
		{"OPTIONS", "/vnc.html", 204, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.method+" "+tt.target[:min(len(tt.target), 40)], func(t *testing.T) {
			got := ask(t, f, tt.method, tt.target)
			if got.StatusCode != tt.status || got.Header.Get("Location") != tt.location {
				t.Errorf("%d to %q, want %d to %q", got.StatusCode, got.Header.Get("Location"), tt.status, tt.location)
			}
			if got.StatusCode == 200 && tt.method == "GET" && got.body != tt.body {
				t.Errorf("got %q, want %q", got.body, tt.body)
			}
			if tt.status >= 400 && strings.Count(got.body, "\n") != 1 {
				t.Errorf("a refusal is one line, not %q", got.body)
			}
			if needs := tt.status == 405 || tt.status == 204; needs != (got.Header.Get("Allow") != "") {
				t.Errorf("Allow: %q", got.Header.Get("Allow"))
			}
			if h := got.Header; h.Get("Cache-Control") != "no-cache" || h.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("headers %v", h)
			}
		})
	}
}

func TestTypes(t *testing.T) {
	want := map[string]string{
		"a.js":        "text/javascript; charset=utf-8",
		"a.mjs":       "text/javascript; charset=utf-8",
		"a.json":      "application/json",
		"a.js.map":    "application/json",
		"a.wasm":      "application/wasm",
		"a.svg":       "image/svg+xml",
		"a.css":       "text/css; charset=utf-8",
		"a.html":      "text/html; charset=utf-8",
		"A.HTML":      "text/html; charset=utf-8",
		"a.txt":       "text/plain; charset=utf-8",
		"a.png":       "image/png",
		"a.ico":       "image/x-icon",
		"a.woff2":     "font/woff2",
		"bell.oga":    "audio/ogg",
		"a.unheardof": "application/octet-stream",
		"LICENSE":     "application/octet-stream",
		"html":        "application/octet-stream",
		"v1.html/b":   "application/octet-stream",
	}
	files, got := map[string]string{}, map[string]string{}
	for name := range want {
		files[name] = "<html>"
	}
	f := open(t, site(t, files), false)
	for name := range want {
		got[name] = ask(t, f, "GET", "/"+name).Header.Get("Content-Type")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("types (-want +got):\n%s", diff)
	}
}

func TestRange(t *testing.T) {
	f := open(t, site(t, small), false)
	tests := []struct {
		ask    string
		status int
		body   string
		part   string
	}{
		{"bytes=0-3", 206, "0123", "bytes 0-3/10"},
		{"bytes=-2", 206, "89", "bytes 8-9/10"},
		{"bytes=8-99", 206, "89", "bytes 8-9/10"},
		{"bytes=10-", 416, "", "bytes */10"},
		{"lines=1", 416, "", ""},
	}
	for _, tt := range tests {
		got := ask(t, f, "GET", "/plain/a.txt", "Range", tt.ask)
		if got.StatusCode != tt.status || got.Header.Get("Content-Range") != tt.part {
			t.Errorf("%s: %d %q", tt.ask, got.StatusCode, got.Header.Get("Content-Range"))
		}
		if got.StatusCode == 206 && got.body != tt.body {
			t.Errorf("%s: %q, want %q", tt.ask, got.body, tt.body)
		}
	}
}

// A browser that has the file gets 304 until the file changes.
func TestConditions(t *testing.T) {
	dir := site(t, small)
	f := open(t, dir, false)
	file := filepath.Join(dir, "vnc.html")
	before := time.Unix(1_700_000_000, 0)
	check(t, os.Chtimes(file, before, before))

	first := ask(t, f, "GET", "/vnc.html")
	tag, changed := first.Header.Get("ETag"), first.Header.Get("Last-Modified")
	if tag == "" || changed != before.UTC().Format(http.TimeFormat) {
		t.Fatalf("ETag %q, Last-Modified %q", tag, changed)
	}
	again := func() []int {
		return []int{
			ask(t, f, "GET", "/vnc.html", "If-None-Match", tag).StatusCode,
			ask(t, f, "HEAD", "/vnc.html", "If-None-Match", "W/"+tag).StatusCode,
			ask(t, f, "GET", "/vnc.html", "If-Modified-Since", changed).StatusCode,
		}
	}
	if diff := cmp.Diff([]int{304, 304, 304}, again()); diff != "" {
		t.Errorf("unchanged (-want +got):\n%s", diff)
	}
	check(t, os.WriteFile(file, []byte("<p>new"), 0o644)) // of the same size
	check(t, os.Chtimes(file, before, before.Add(time.Second)))
	if diff := cmp.Diff([]int{200, 200, 200}, again()); diff != "" {
		t.Errorf("changed (-want +got):\n%s", diff)
	}
}

// A large file arrives whole through a real connection.
func TestLargeFile(t *testing.T) {
	dir := t.TempDir()
	content := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	check(t, os.WriteFile(filepath.Join(dir, "big.wasm"), content, 0o644))
	got := askRaw(t, serve(t, open(t, dir, false)), "GET /big.wasm")
	if got.ContentLength != int64(len(content)) || got.body != string(content) {
		t.Errorf("%d bytes announced, %d of %d arrived", got.ContentLength, len(got.body), len(content))
	}
}

func TestClosed(t *testing.T) {
	f := open(t, site(t, small), true)
	check(t, f.Close())
	if got := ask(t, f, "GET", "/vnc.html"); got.StatusCode != 404 {
		t.Errorf("after Close: %d", got.StatusCode)
	}
}

// Root may read everything, so this is asked without a file.
func TestFilesThatDoNotOpen(t *testing.T) {
	tests := []struct {
		err    error
		status int
	}{
		{fs.ErrPermission, 403},
		{syscall.EMFILE, 503},
		{fs.ErrNotExist, 404},
		{errors.New("path escapes from parent"), 404},
	}
	for _, tt := range tests {
		w := httptest.NewRecorder()
		refuseError(w, &fs.PathError{Op: "openat", Path: "/srv/www/x", Err: tt.err})
		if w.Code != tt.status || strings.Contains(w.Body.String(), "/srv") {
			t.Errorf("%v: %d %q, want %d", tt.err, w.Code, w.Body, tt.status)
		}
	}
}
