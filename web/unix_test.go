//go:build unix

package web

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// What is neither file nor directory is not there, and above all does not
// hold up the one who asks.
func TestSpecialFiles(t *testing.T) {
	root := fortress(t)
	check(t, syscall.Mkfifo(filepath.Join(root, "fifo"), 0o644))
	check(t, syscall.Mkfifo(filepath.Join(root, "sub", "index.html"), 0o644))
	t.Chdir(root) // a socket's path must be short
	l, err := net.Listen("unix", "socket")
	check(t, err)
	defer l.Close()

	server := serve(t, open(t, root, true))
	for _, path := range []string{"/fifo", "/socket", "/fifo/", "/sub/index.html"} {
		if got := askRaw(t, server, "GET "+path); got.StatusCode != 404 {
			t.Errorf("%s: %d", path, got.StatusCode)
		}
	}
	for _, path := range []string{"/", "/sub/"} {
		got := askRaw(t, server, "GET "+path)
		if got.StatusCode != 200 || strings.Contains(got.body, "fifo") || strings.Contains(got.body, "socket") || strings.Contains(got.body, "index.html") {
			t.Errorf("%s: %d %s", path, got.StatusCode, got.body)
		}
	}
}

// Names a file may have here that a listing must not choke on, each with the
// path that leads to it.
func TestOddNames(t *testing.T) {
	names := map[string]string{
		`<script>alert(1)<`:   "/%3Cscript%3Ealert%281%29%3C",
		`"onclick="x`:         "/%22onclick=%22x",
		"javascript:alert(1)": "/javascript:alert%281%29",
		"a&b=c?d#e":           "/a&b=c%3Fd%23e",
		"line\nbreak":         "/line%0Abreak",
		"100%25":              "/100%2525",
		" ":                   "/%20",
		"{{.}}":               "/%7B%7B.%7D%7D",
	}
	root := t.TempDir()
	for name := range names {
		if err := os.WriteFile(filepath.Join(root, name), []byte(name), 0o644); err != nil {
			t.Skipf("this file system: %v", err)
		}
	}
	// No URL names these; they must not be listed either.
	for _, name := range []string{"\xff\xfe", `back\slash`} {
		if err := os.WriteFile(filepath.Join(root, name), nil, 0o644); err != nil {
			t.Skipf("this file system: %v", err)
		}
	}
	f := open(t, root, true)
	for _, path := range []string{"/%FF%FE", "/back%5Cslash"} {
		if got := ask(t, f, "GET", path); got.StatusCode != 404 {
			t.Errorf("%s: %d", path, got.StatusCode)
		}
	}
	list := ask(t, f, "GET", "/").body
	for name, path := range names {
		if got := ask(t, f, "GET", path); got.StatusCode != 200 || got.body != name {
			t.Errorf("%q: %d", name, got.StatusCode)
		}
	}
	for href, text := range listed(list) {
		got := ask(t, f, "GET", resolve(t, "/", href))
		if got.StatusCode != 200 || printable(got.body) != text {
			t.Errorf("link %q called %q leads to %d %q", href, text, got.StatusCode, got.body)
		}
		delete(names, got.body)
	}
	if len(names) > 0 {
		t.Errorf("not listed: %q", names)
	}
	if strings.Contains(list, "<script") || strings.Contains(list, `"onclick`) {
		t.Errorf("unescaped:\n%s", list)
	}
}
