package demopage

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func ask(method, path string, header http.Header) *http.Response {
	r := httptest.NewRequest(method, path, nil)
	for name, values := range header {
		r.Header[name] = values
	}
	w := httptest.NewRecorder()
	Handler().ServeHTTP(w, r)
	return w.Result()
}

func TestFilesComeWithTheirTypeAndThePolicy(t *testing.T) {
	for path, kind := range map[string]string{
		"/":          "text/html; charset=utf-8",
		"/style.css": "text/css; charset=utf-8",
		"/page.js":   "text/javascript; charset=utf-8",
		"/icon.svg":  "image/svg+xml",
	} {
		answer := ask("GET", path, nil)
		if answer.StatusCode != http.StatusOK || answer.ContentLength == 0 {
			t.Errorf("GET %s: status %d, %d bytes", path, answer.StatusCode, answer.ContentLength)
		}
		got := map[string]string{}
		for _, name := range []string{"Content-Type", "Content-Security-Policy", "X-Content-Type-Options", "Cache-Control", "Referrer-Policy"} {
			got[name] = answer.Header.Get(name)
		}
		want := map[string]string{
			"Content-Type": kind,
			"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " +
				"img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
			"X-Content-Type-Options": "nosniff",
			"Cache-Control":          "no-cache",
			"Referrer-Policy":        "no-referrer",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("GET %s: headers (-want +got):\n%s", path, diff)
		}
	}
}

func TestOtherRequests(t *testing.T) {
	tests := []struct {
		method, path string
		header       http.Header
		want         int
	}{
		{"HEAD", "/", nil, http.StatusOK},
		{"GET", "/index.html", nil, http.StatusNotFound},
		{"GET", "/page.go", nil, http.StatusNotFound},
		{"POST", "/", nil, http.StatusMethodNotAllowed},
		{"GET", "/page.js", http.Header{"If-None-Match": {ask("GET", "/page.js", nil).Header.Get("ETag")}}, http.StatusNotModified},
		{"GET", "/page.js", http.Header{"If-None-Match": {ask("GET", "/style.css", nil).Header.Get("ETag")}}, http.StatusOK},
	}
	for _, tt := range tests {
		if got := ask(tt.method, tt.path, tt.header).StatusCode; got != tt.want {
			t.Errorf("%s %s %v: status %d, want %d", tt.method, tt.path, tt.header, got, tt.want)
		}
	}
}

// The policy would only break the page in a browser; this breaks the build.
func TestPageStaysWithinItsPolicy(t *testing.T) {
	forbidden := regexp.MustCompile(`(?i)\son[a-z]+=|\sstyle=|<style|<script>|https?://|@import`)
	for name, content := range map[string][]byte{"index.html": index, "style.css": style, "page.js": script} {
		if found := forbidden.Find(content); found != nil {
			t.Errorf("%s contains %q", name, found)
		}
	}
	markup := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function`)
	if found := markup.Find(script); found != nil {
		t.Errorf("page.js contains %q: what is received must stay text", found)
	}
}

// A file the page names and the handler has not is a blank page.
func TestEveryFileThePageNamesIsServed(t *testing.T) {
	named := regexp.MustCompile(`(?:href|src)="([^"]+)"`).FindAllSubmatch(index, -1)
	if len(named) < 3 {
		t.Fatalf("found %d files in the page, want style, script and icon", len(named))
	}
	for _, match := range named {
		path := string(match[1])
		if strings.HasPrefix(path, "/") {
			t.Errorf("%s is absolute and would break below a sub-path", path)
		}
		if answer := ask("GET", "/"+path, nil); answer.StatusCode != http.StatusOK {
			t.Errorf("the page names %s, which is answered with %d", path, answer.StatusCode)
		}
	}
}
