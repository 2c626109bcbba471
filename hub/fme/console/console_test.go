package console

import (
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func get(hub, path string) (*http.Response, string) {
	w := httptest.NewRecorder()
	Handler(hub).ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	body, _ := io.ReadAll(w.Result().Body)
	return w.Result(), string(body)
}

func TestFilesComeWithTheirTypeAndThePolicy(t *testing.T) {
	for path, kind := range map[string]string{
		"/":          "text/html; charset=utf-8",
		"/style.css": "text/css; charset=utf-8",
		"/page.js":   "text/javascript; charset=utf-8",
	} {
		answer, body := get("", path)
		if answer.StatusCode != http.StatusOK || body == "" {
			t.Errorf("GET %s: status %d, %d bytes", path, answer.StatusCode, len(body))
		}
		got := []string{answer.Header.Get("Content-Type"), answer.Header.Get("Content-Security-Policy"), answer.Header.Get("X-Content-Type-Options")}
		if diff := cmp.Diff([]string{kind, policy, "nosniff"}, got); diff != "" {
			t.Errorf("GET %s: -want +got\n%s", path, diff)
		}
	}
	if answer, _ := get("", "/other"); answer.StatusCode != http.StatusNotFound {
		t.Errorf("GET /other: status %d", answer.StatusCode)
	}
}

// TestThePageKeepsItsOwnPolicy: it names only files of its own, relative ones,
// and has no script or style in it.
func TestThePageKeepsItsOwnPolicy(t *testing.T) {
	_, page := get("", "/")
	named := regexp.MustCompile(`(?:href|src)="([^"]*)"`).FindAllStringSubmatch(page, -1)
	if len(named) != 3 {
		t.Fatalf("found %d files in the page, want icon, style and script", len(named))
	}
	for _, match := range named[1:] {
		if answer, _ := get("", "/"+match[1]); answer.StatusCode != http.StatusOK || strings.HasPrefix(match[1], "/") {
			t.Errorf("the page names %s, which is answered with %d", match[1], answer.StatusCode)
		}
	}
	if inline := regexp.MustCompile(`<style|<script[^>]*>[^<]| style=| on[a-z]+=`).FindString(page); inline != "" {
		t.Errorf("the policy forbids %q", inline)
	}
}

func TestThePageKnowsTheHub(t *testing.T) {
	for hub, want := range map[string]string{
		"":               `data-hub="../websocket"`,
		"/hub?a=1&b=\"x": `data-hub="/hub?a=1&amp;b=&#34;x"`,
	} {
		if _, page := get(hub, "/"); strings.Count(page, want) != 1 {
			t.Errorf("%q: no %s in the page", hub, want)
		}
	}
}
