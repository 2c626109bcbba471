package web

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fortress is a site with a secret file and directory beside it.
func fortress(t *testing.T) string {
	dir := site(t, map[string]string{
		"secret.txt":          "SECRET",
		"secret/index.html":   "SECRET",
		"secret/SECRETS":      "SECRET",
		"root/page.html":      "page",
		"root/sub/inner.html": "inner",
		"root/rootless/":      "",
		"root2/page.html":     "SECRET",
	})
	return filepath.Join(dir, "root")
}

// No request line gets anything from outside the directory.
func TestTraversal(t *testing.T) {
	server := serve(t, open(t, fortress(t), true))
	paths := []string{
		"/../secret.txt",
		"/../../../../../../../etc/passwd",
		"/sub/../../secret.txt",
		"/sub/..",
		"/..",
		"/../",
		"/../secret/",
		"/../root2/page.html",
		"/%2e%2e/secret.txt",
		"/%2E%2E/secret.txt",
		"/.%2e/secret.txt",
		"/..%2fsecret.txt",
		"/%2e%2e%2fsecret.txt",
		"/sub%2f..%2f..%2fsecret.txt",
		"/..%5csecret.txt",
		`/..\secret.txt`,
		`/sub\..\..\secret.txt`,
		"/%5c..%5csecret.txt",
		`/\\host\share`,
		"/%252e%252e/secret.txt",
		"/..%252fsecret.txt",
		"/%c0%ae%c0%ae/secret.txt",
		"/%u002e%u002e/secret.txt",
		"/....//secret.txt",
		"/..;/secret.txt",
		"/page.html%00",
		"/page.html%00.txt",
		"/%00",
		"/page.html/../../secret.txt",
		"//host/..",
		"//host/../secret.txt",
		"///etc/passwd",
		"//../secret.txt",
		"/file:///etc/passwd",
		"/C:/Windows/win.ini",
		"/C:%5cWindows",
		"/page.html::$DATA",
		"/CON",
		"/nul.txt",
		"/COM1",
		"/~root/",
		"/proc/self/environ",
		"http://bridge/../secret.txt",
		"http://other/%2e%2e/secret.txt",
	}
	for _, p := range paths {
		t.Run(p, func(t *testing.T) {
			for _, method := range []string{"GET", "HEAD"} {
				got := askRaw(t, server, method+" "+p)
				if got.StatusCode != 404 && got.StatusCode != 400 {
					t.Errorf("%s: %d, want 404 or 400", method, got.StatusCode)
				}
				if strings.Contains(got.body, "SECRET") || strings.Contains(got.body, "root:") {
					t.Errorf("%s: %q", method, got.body)
				}
			}
		})
	}
}

// A redirect stays on this host, whatever the path looks like.
func TestRedirectStaysHere(t *testing.T) {
	root := fortress(t)
	for _, name := range []string{"a:b", "http:", "x y", "q?"} {
		if err := os.Mkdir(filepath.Join(root, name), 0o755); err != nil {
			t.Skipf("this file system: %v", err)
		}
	}
	server := serve(t, open(t, root, true))
	tests := []struct{ path, location string }{
		{"/sub", "sub/"},
		{"//sub", "sub/"},
		{"///sub", "sub/"},
		{"/sub?next=//evil.example", "sub/?next=//evil.example"},
		{"/a:b", "./a:b/"},
		{"/http:", "./http:/"},
		{"/x%20y", "x%20y/"},
		{"/q%3f", "q%3F/"},
	}
	for _, tt := range tests {
		got := askRaw(t, server, "GET "+tt.path)
		if got.StatusCode != 301 || got.Header.Get("Location") != tt.location {
			t.Errorf("%s: %d to %q, want %q", tt.path, got.StatusCode, got.Header.Get("Location"), tt.location)
		}
	}
}

func TestLinks(t *testing.T) {
	root := fortress(t)
	links := []struct {
		name, to string
		path     string
		status   int
	}{
		{"same.html", "page.html", "/same.html", 200},
		{"deeper.html", "sub/inner.html", "/deeper.html", 200},
		{"sub/up.html", "../page.html", "/sub/up.html", 200},
		{"dir", "sub", "/dir/inner.html", 200},
		{"out.txt", "../secret.txt", "/out.txt", 404},
		{"outdir", "../secret", "/outdir/", 404},
		{"outdir2", "../secret", "/outdir2/SECRETS", 404},
		{"outdir3", "../secret", "/outdir3", 404},
		{"absolute", "/etc/passwd", "/absolute", 404},
		{"twice", "out.txt", "/twice", 404},
		{"roundabout.html", "../root/page.html", "/roundabout.html", 404},
		{"loop", "loop", "/loop", 404},
		{"nowhere", "none", "/nowhere", 404},
		{"rootless/index.html", "../../secret/index.html", "/rootless/", 404},
	}
	for _, l := range links {
		if err := os.Symlink(l.to, filepath.Join(root, l.name)); err != nil {
			t.Skipf("no symbolic links here: %v", err)
		}
	}
	f := open(t, root, true)
	for _, l := range links {
		got := ask(t, f, "GET", l.path)
		if got.StatusCode != l.status || strings.Contains(got.body, "SECRET") {
			t.Errorf("%s -> %s: %d %q, want %d", l.path, l.to, got.StatusCode, got.body, l.status)
		}
	}
	list := ask(t, f, "GET", "/").body
	for _, l := range links {
		if strings.Contains(l.name, "/") {
			continue
		}
		if shown := strings.Contains(list, fmt.Sprintf(">%s<", l.name)) || strings.Contains(list, fmt.Sprintf(">%s/<", l.name)); shown != (l.status == 200) {
			t.Errorf("%s listed: %v, served with %d", l.name, shown, l.status)
		}
	}
}
