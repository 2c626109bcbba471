//go:build linux

package pages

import (
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wsbridge/wsbridge/internal/freeport"
)

// TestPagesInChromium opens every page in a browser, directly and below a path
// of nginx, with real programs behind a real wsbridge: a telnet server with a
// shell, Xvnc, redis. What people do there is in ui/test/browser.mjs. Its
// pictures stay in ui/shots to be looked at.
func TestPagesInChromium(t *testing.T) {
	need(t, "node", "chromium", "nginx", "busybox", "redis-server", "Xvnc", "xsetroot", "ui/node_modules/playwright-core", "dist/index.html")
	look(t, "../..")
	dir, binary := t.TempDir(), buildBridge(t)
	desk := startDesktop(t, dir)
	tape := filepath.Join(dir, "tapes", "session")
	routes := map[string]string{
		"telnet": serve(t, binary, startTelnet(t, dir), "--record", tape),
		"redis":  serve(t, binary, startRedis(t, dir)),
		"vnc":    serve(t, binary, desk.address, "--record", tape),
		"nobody": serve(t, binary, freeport.Address(t)),
	}
	site := httptest.NewServer(below(routes, New(Options{
		Offers:     offers,
		Recordings: os.DirFS(filepath.Dir(tape)),
		Feed:       newSample(),
		Every:      100 * time.Millisecond,
	})))
	t.Cleanup(site.Close)
	use(t, map[string]any{
		"bases":   map[string]string{"direct": site.URL + "/", "nginx": startNginx(t, dir, site.Listener.Addr().String())},
		"display": desk.display, "password": password, "patience": patience.Milliseconds(),
	})
}

func offers(*http.Request) []Offer {
	return []Offer{
		{Name: "Shell", About: "a login over telnet", Path: "telnet", Kinds: []string{"terminal", "line"}},
		{Name: "Desktop", About: "X, by VNC", Path: "/vnc", Kinds: []string{"vnc"}},
		{Name: "Redis", Path: "redis", Kinds: []string{"line", "terminal"}},
		{Name: "Nobody", About: "a target that is not there", Path: "nobody"},
	}
}

// use runs the browser's side.
func use(t *testing.T, task map[string]any) {
	t.Helper()
	task["chromium"], _ = exec.LookPath("chromium")
	told, err := json.Marshal(task)
	if err != nil {
		t.Fatal(err)
	}
	node := command(t, "node", "test/browser.mjs", string(told))
	node.Dir = "ui"
	node.Stdout, node.Stderr = t.Output(), t.Output()
	if err := node.Run(); err != nil {
		t.Errorf("in the browser: %v", err)
	}
}

// below sends upgrades to the bridge that their path names, as routes of one
// bridge would, and the rest to the pages.
func below(routes map[string]string, pages http.Handler) http.Handler {
	mux := http.NewServeMux()
	for name, address := range routes {
		bridge := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: address})
		mux.Handle("/"+name, bridge)
		mux.Handle("/shaky/"+name, everySecond(bridge))
	}
	mux.Handle("/", pages)
	return mux
}

// everySecond refuses the first request, the third and so on.
func everySecond(next http.Handler) http.Handler {
	var asked atomic.Int64
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1)%2 == 1 {
			http.Error(w, "not now", http.StatusServiceUnavailable)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func buildBridge(t *testing.T) string {
	t.Helper()
	if binary := os.Getenv("E2E_WSBRIDGE"); binary != "" {
		return binary
	}
	binary := filepath.Join(t.TempDir(), "wsbridge")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "../../cmd/wsbridge")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building wsbridge: %v\n%s", err, out)
	}
	return binary
}

// serve starts wsbridge in front of target and returns its address.
func serve(t *testing.T, binary, target string, options ...string) string {
	t.Helper()
	for i, option := range options {
		if option == "--record" {
			mkdir(t, filepath.Dir(options[i+1]))
		}
	}
	address := freeport.Address(t)
	run(t, address, binary, append(options, address, target)...)
	return address
}

// startTelnet is a telnet server; who logs in there has a shell.
func startTelnet(t *testing.T, dir string) string {
	t.Helper()
	login := filepath.Join(dir, "login")
	write(t, login, `#!/bin/sh
printf 'login: '; read -r name
stty -echo; printf 'Password: '; read -r word; stty echo; echo
[ "$name:$word" = "ada:`+password+`" ] || { echo 'Login incorrect'; exit 1; }
PS1='$ ' exec sh
`, 0o700)
	address := freeport.Address(t)
	host, port, _ := net.SplitHostPort(address)
	run(t, address, "busybox", "telnetd", "-F", "-b", host, "-p", port, "-l", login)
	return address
}

func startRedis(t *testing.T, dir string) string {
	t.Helper()
	address := freeport.Address(t)
	host, port, _ := net.SplitHostPort(address)
	run(t, address, "redis-server", "--bind", host, "--port", port, "--save", "", "--dir", dir)
	return address
}

// startNginx serves site below /apps/bridge/ and returns the URL of that.
func startNginx(t *testing.T, dir, site string) string {
	t.Helper()
	address := freeport.Address(t)
	config := strings.NewReplacer("DIR", dir, "LISTEN", address, "SITE", site).Replace(`
daemon off; user root; pid DIR/nginx.pid; error_log stderr;
events { }
http {
	access_log off;
	client_body_temp_path DIR/body; proxy_temp_path DIR/proxy; fastcgi_temp_path DIR/fastcgi;
	uwsgi_temp_path DIR/uwsgi; scgi_temp_path DIR/scgi;
	map $http_upgrade $then { default upgrade; '' close; }
	server {
		listen LISTEN;
		location /apps/bridge/ {
			proxy_pass http://SITE/;
			proxy_http_version 1.1;
			proxy_set_header Host $http_host;
			proxy_set_header Upgrade $http_upgrade;
			proxy_set_header Connection $then;
		}
	}
}
`)
	write(t, filepath.Join(dir, "nginx.conf"), config, 0o600)
	run(t, address, "nginx", "-p", dir, "-e", "stderr", "-c", filepath.Join(dir, "nginx.conf"))
	return "http://" + address + "/apps/bridge/"
}
