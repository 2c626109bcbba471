package web

import (
	"fmt"
	"html"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var link = regexp.MustCompile(`<a href="([^"]*)">(?:<bdi>)?([^<]*)`)

// listed are the links of a listing and what they are called, as a browser
// reads them.
func listed(body string) map[string]string {
	links := map[string]string{}
	for _, m := range link.FindAllStringSubmatch(body, -1) {
		links[html.UnescapeString(m[1])] = html.UnescapeString(m[2])
	}
	return links
}

// resolve follows href from base like a browser; it must stay on the host.
func resolve(t *testing.T, base, href string) string {
	t.Helper()
	u, err := url.Parse(href)
	check(t, err)
	to := (&url.URL{Scheme: "http", Host: "bridge", Path: base}).ResolveReference(u)
	if to.Scheme != "http" || to.Host != "bridge" {
		t.Fatalf("%q leads to %v", href, to)
	}
	return to.RequestURI()
}

func TestListing(t *testing.T) {
	f := open(t, site(t, small), true)
	got := ask(t, f, "GET", "/")
	if got.StatusCode != 200 || got.Header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("%d %v", got.StatusCode, got.Header)
	}
	want := map[string]string{
		".hidden":    ".hidden",
		"100%25.txt": "100%.txt",
		"app/":       "app/",
		"empty/":     "empty/",
		"indexdir/":  "indexdir/",
		"plain/":     "plain/",
		"vnc.html":   "vnc.html",
		"%C3%A4.txt": "ä.txt",
	}
	if diff := cmp.Diff(want, listed(got.body)); diff != "" {
		t.Errorf("/ (-want +got):\n%s", diff)
	}
	want = map[string]string{"../": "../", "a%20b.txt": "a b.txt", "x.txt": "x.txt"}
	if diff := cmp.Diff(want, listed(ask(t, f, "GET", "/indexdir/").body)); diff != "" {
		t.Errorf("/indexdir/ (-want +got):\n%s", diff)
	}
	if empty := ask(t, f, "GET", "/empty/").body; !strings.Contains(empty, "<td>empty</td>") {
		t.Errorf("/empty/ does not say so:\n%s", empty)
	}
	if head := ask(t, f, "HEAD", "/"); head.body != "" || head.ContentLength != int64(len(got.body)) {
		t.Errorf("HEAD: %d bytes announced, %q sent", head.ContentLength, head.body)
	}
}

// A listing of a directory that grew out of hand stays bounded, and says so.
func TestListingIsBounded(t *testing.T) {
	dir := t.TempDir()
	for i := range maxListed + 1 {
		file, err := os.Create(filepath.Join(dir, fmt.Sprint(i)))
		check(t, err)
		check(t, file.Close())
	}
	got := ask(t, open(t, dir, true), "GET", "/").body
	if n := len(listed(got)); n != maxListed || !strings.Contains(got, "more than fits") {
		t.Errorf("%d entries listed, want %d and a word about the rest", n, maxListed)
	}
}

func TestSize(t *testing.T) {
	tests := []struct {
		n    int64
		want string
	}{
		{0, "0 B"}, {999, "999 B"}, {1000, "1.0 KB"}, {1500, "1.5 KB"}, {10_000, "10 KB"},
		{999_499, "999 KB"}, {999_500, "1.0 MB"}, {5_000_000_000, "5.0 GB"}, {1<<63 - 1, "9.2 EB"},
	}
	for _, tt := range tests {
		if got := size(tt.n); got != tt.want {
			t.Errorf("size(%d) = %q, want %q", tt.n, got, tt.want)
		}
	}
}
