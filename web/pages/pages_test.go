package pages

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func ask(t *testing.T, h http.Handler, method, path string, header ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, r *http.Response) string {
	t.Helper()
	var b strings.Builder
	if err := r.Write(&b); err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(b.String(), "\r\n\r\n")
	return text
}

// Whatever is asked for, the answer says that it may load nothing from
// elsewhere and run nothing but scripts.
func TestEveryAnswerIsGuarded(t *testing.T) {
	h := New(Options{Feed: newSample(), Recordings: fstest.MapFS{"a": {Data: []byte("alert(1)")}}})
	for _, path := range []string{"/", "/vnc.html", "/none", "/offers.json", "/recordings.json", "/recordings/a", "/recordings/none"} {
		got := map[string]string{}
		for _, name := range []string{"Content-Security-Policy", "X-Content-Type-Options", "Referrer-Policy"} {
			got[name] = ask(t, h, "GET", path).Header.Get(name)
		}
		want := map[string]string{
			"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
				"connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
			"X-Content-Type-Options": "nosniff",
			"Referrer-Policy":        "no-referrer",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("GET %s: headers (-want +got):\n%s", path, diff)
		}
	}
}

// A folder as ui/build.sh leaves it.
func TestAssets(t *testing.T) {
	built := load(fstest.MapFS{
		".keep": {}, "index.html": {Data: []byte("<p>start")}, "a.js": {Data: []byte("1")}, "a.css": {Data: []byte("p{}")},
		"icon.svg": {Data: []byte("<svg/>")}, "LICENSES.txt": {Data: []byte("MIT")},
	})
	tests := []struct {
		name, kind string
		status     int
	}{
		{"index.html", "text/html; charset=utf-8", 200},
		{"a.js", "text/javascript; charset=utf-8", 200},
		{"a.css", "text/css; charset=utf-8", 200},
		{"icon.svg", "image/svg+xml", 200},
		{"LICENSES.txt", "text/plain; charset=utf-8", 200},
		{".keep", "text/plain; charset=utf-8", 404},
		{"vnc.html", "text/plain; charset=utf-8", 404},
	}
	for _, tt := range tests {
		got := ask(t, built.page(tt.name), "GET", "/")
		if got.StatusCode != tt.status || got.Header.Get("Content-Type") != tt.kind {
			t.Errorf("%s: %d, %q", tt.name, got.StatusCode, got.Header.Get("Content-Type"))
		}
	}
}

// TestPacked: what is large comes packed to those who say that they take it, and
// is the same to the others.
func TestPacked(t *testing.T) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	io.WriteString(z, "let it = 1")
	z.Close()
	page := load(fstest.MapFS{"a.js.gz": {Data: packed.Bytes()}}).page("a.js")
	tags := map[string]string{}
	for accept, want := range map[string]string{
		"gzip": "gzip", "deflate, GZIP;q=0.5": "gzip", "br, gzip; q=1": "gzip",
		"": "", "br": "", "gzip;q=0": "", "identity": "", "gzip;q=x": "",
	} {
		r := httptest.NewRequest("GET", "/a.js", nil)
		r.Header.Set("Accept-Encoding", accept)
		w := httptest.NewRecorder()
		page.ServeHTTP(w, r)
		h, content := w.Result().Header, w.Body.Bytes()
		if got := h.Get("Content-Encoding"); got != want {
			t.Errorf("accepts %q: sent as %q, want %q", accept, got, want)
			continue
		}
		if want == "gzip" {
			content = unpack(content)
		}
		if string(content) != "let it = 1" || h.Get("Content-Type") != "text/javascript; charset=utf-8" || h.Get("Vary") != "Accept-Encoding" {
			t.Errorf("accepts %q: %q with %v", accept, content, h)
		}
		if tag, seen := tags[want]; seen && tag != h.Get("ETag") {
			t.Errorf("accepts %q: tags %s and %s", accept, tag, h.Get("ETag"))
		}
		tags[want] = h.Get("ETag")
	}
	if tags["gzip"] == tags[""] {
		t.Errorf("packed or not, the tag is %s", tags[""])
	}
}

// TestBroken: a file that was damaged is an error, not half a page.
func TestBroken(t *testing.T) {
	page := load(fstest.MapFS{"a.js.gz": {Data: []byte("no gzip")}}).page("a.js")
	if got := ask(t, page, "GET", "/"); got.StatusCode != 500 || got.Header.Get("Content-Encoding") != "" {
		t.Errorf("a broken file: %d, %v", got.StatusCode, got.Header)
	}
}

// A browser that has a file is told so until the file is another.
func TestTags(t *testing.T) {
	one := load(fstest.MapFS{"a.js": {Data: []byte("1")}}).page("a.js")
	two := load(fstest.MapFS{"a.js": {Data: []byte("2")}}).page("a.js")
	tag := ask(t, one, "GET", "/").Header.Get("ETag")
	if got := ask(t, one, "GET", "/", "If-None-Match", tag).StatusCode; got != 304 {
		t.Errorf("the same file: %d", got)
	}
	if got := ask(t, two, "GET", "/", "If-None-Match", tag).StatusCode; got != 200 {
		t.Errorf("another file: %d", got)
	}
}

// A binary that was built without the pages says so on each of them, and how
// to build it; what belongs to no page is not found.
func TestUnbuilt(t *testing.T) {
	empty := load(fstest.MapFS{".keep": {}})
	for _, name := range pageNames {
		answer := ask(t, empty.page(name), "GET", "/")
		text := body(t, answer)
		if answer.StatusCode != 503 || !strings.Contains(text, "make ui") || !strings.Contains(text, name) {
			t.Errorf("%s: %d %q", name, answer.StatusCode, text)
		}
		if markup := regexp.MustCompile(`style=|<style|<script|https?://`).FindString(text); markup != "" {
			t.Errorf("%s has %q, which the policy forbids", name, markup)
		}
	}
	for _, name := range []string{"terminal.js", "style.css", "<b>.html"} {
		if got := ask(t, empty.page(name), "GET", "/"); got.StatusCode != 404 {
			t.Errorf("%s: %d", name, got.StatusCode)
		}
	}
}

// What is embedded is whole or not there: a page names no file that is not
// served, none by an absolute path, and nothing of other servers.
func TestBuiltPages(t *testing.T) {
	built := embedded()
	if len(built) == 0 {
		leaveOut(t, "the pages are not built: make ui")
	}
	named := regexp.MustCompile(`(?:href|src)="([^"]*)"`)
	forbidden := regexp.MustCompile(`(?i)\son[a-z]+=|\sstyle=|<style|<script>|https?://`)
	for _, name := range pageNames {
		content := string(built[name].content)
		if found := forbidden.FindString(content); found != "" || content == "" {
			t.Errorf("%s contains %q", name, found)
		}
		for _, match := range named.FindAllStringSubmatch(content, -1) {
			if _, ok := built[match[1]]; !ok && match[1] != "./" {
				t.Errorf("%s names %s, which is not there", name, match[1])
			}
		}
	}
	for _, word := range []string{"Mozilla Public License", "The xterm.js authors", "Microsoft", "Jef Poskanzer", "pako"} {
		if !strings.Contains(string(built["LICENSES.txt"].content), word) {
			t.Errorf("LICENSES.txt does not speak of %q", word)
		}
	}
	sum := 0
	for _, file := range built {
		sum += len(file.content)
	}
	if sum > 2_500_000 {
		t.Errorf("the binary grows by %d bytes", sum)
	}
}

const nothing = `{"offers":[],"more":[]}` + "\n"

func TestOffers(t *testing.T) {
	h := New(Options{Offers: func(r *http.Request) []Offer {
		if r.Header.Get("X-Who") == "" {
			return nil
		}
		return []Offer{{Name: "<b>", Path: "/desk?token=a&b", Kinds: []string{"vnc"}}, {Name: "two"}}
	}})
	if got := body(t, ask(t, h, "GET", "/offers.json")); got != nothing {
		t.Errorf("nobody is offered %q", got)
	}
	answer := ask(t, h, "GET", "/offers.json", "X-Who", "ada")
	var got start
	if err := json.Unmarshal([]byte(body(t, answer)), &got); err != nil {
		t.Fatal(err)
	}
	want := start{[]Offer{{Name: "<b>", Path: "desk?token=a&b", Kinds: []string{"vnc"}}, {Name: "two"}}, []string{}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("offers (-want +got):\n%s", diff)
	}
	if kind, keep := answer.Header.Get("Content-Type"), answer.Header.Get("Cache-Control"); kind != "application/json" || keep != "no-store" {
		t.Errorf("Content-Type %q, Cache-Control %q", kind, keep)
	}
}

// The start page leads to what is there.
func TestMore(t *testing.T) {
	tests := []struct {
		options Options
		want    string
	}{
		{Options{}, nothing},
		{Options{Recordings: fstest.MapFS{}}, `{"offers":[],"more":["replay.html"]}` + "\n"},
		{Options{Recordings: fstest.MapFS{}, Feed: newSample()}, `{"offers":[],"more":["replay.html","status.html"]}` + "\n"},
	}
	for _, tt := range tests {
		if got := body(t, ask(t, New(tt.options), "GET", "/offers.json")); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}

func TestMethods(t *testing.T) {
	h := New(Options{Feed: newSample()})
	tests := []struct {
		method, path string
		header       []string
		want         int
	}{
		{"HEAD", "/offers.json", nil, 200},
		{"POST", "/offers.json", nil, 405},
		{"PUT", "/vnc.html", nil, 405},
		{"GET", "/sessions/a1", nil, 405},
		{"DELETE", "/sessions/none", nil, 404},
		{"DELETE", "/sessions/a1", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"DELETE", "/sessions/a1", []string{"Origin", "https://evil.example"}, 403},
		{"DELETE", "/sessions/a1", []string{"Sec-Fetch-Site", "same-origin"}, 204},
		{"DELETE", "/sessions/a1", nil, 404},
		{"DELETE", "/sessions/b%202", nil, 204},
	}
	for _, tt := range tests {
		if got := ask(t, h, tt.method, tt.path, tt.header...).StatusCode; got != tt.want {
			t.Errorf("%s %s %v: %d, want %d", tt.method, tt.path, tt.header, got, tt.want)
		}
	}
}

// What the caller left out is not there, and the answer says so.
func TestLeftOut(t *testing.T) {
	h := New(Options{})
	for path, method := range map[string]string{"/events": "GET", "/recordings.json": "GET", "/recordings/a": "GET", "/sessions/a": "DELETE"} {
		answer := ask(t, h, method, path)
		if text := body(t, answer); answer.StatusCode != 404 || !strings.Contains(text, "shown here") {
			t.Errorf("%s: %d %q", path, answer.StatusCode, text)
		}
	}
}

func TestRecordings(t *testing.T) {
	day := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	h := New(Options{Recordings: fstest.MapFS{
		"tape.1":     {Data: []byte("one"), ModTime: day},
		"tape.2":     {Data: []byte("three"), ModTime: day.Add(time.Hour)},
		".secret":    {Data: []byte("no")},
		"pipe":       {Mode: fs.ModeNamedPipe},
		"link":       {Data: []byte("tape.1"), Mode: fs.ModeSymlink},
		"folder/x.1": {Data: []byte("no")},
	}})
	var got []entry
	if err := json.Unmarshal([]byte(body(t, ask(t, h, "GET", "/recordings.json"))), &got); err != nil {
		t.Fatal(err)
	}
	want := []entry{{"tape.2", 5, day.Add(time.Hour)}, {"tape.1", 3, day}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("list (-want +got):\n%s", diff)
	}
	for path, want := range map[string]int{
		"tape.1": 200, "none": 404, ".secret": 404, "pipe": 404, "link": 404, "folder": 404,
		"folder%2fx.1": 404, "..%2ftape.1": 404, "folder%5cx.1": 404, "%2e%2e": 404,
	} {
		if got := ask(t, h, "GET", "/recordings/"+path).StatusCode; got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
	answer := ask(t, h, "GET", "/recordings/tape.1")
	if kind := answer.Header.Get("Content-Type"); kind != "text/plain; charset=utf-8" || body(t, answer) != "one" {
		t.Errorf("a recording comes as %q: it is a script and must not run", kind)
	}
}
