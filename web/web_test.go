package web

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// answer is a response that was read to its end.
type answer struct {
	*http.Response
	body string
}

// ask calls h directly; headers are pairs.
func ask(t *testing.T, h http.Handler, method, target string, headers ...string) answer {
	t.Helper()
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return answer{w.Result(), w.Body.String()}
}

// askRaw sends a request line as it is, which a client library would clean.
// The server must answer before the deadline and then close.
func askRaw(t *testing.T, server *httptest.Server, line string) answer {
	t.Helper()
	c, err := net.Dial("tcp", server.Listener.Addr().String())
	check(t, err)
	defer c.Close()
	check(t, c.SetDeadline(time.Now().Add(time.Minute)))
	_, err = io.WriteString(c, line+" HTTP/1.1\r\nHost: bridge\r\nConnection: close\r\n\r\n")
	check(t, err)
	method, _, _ := strings.Cut(line, " ")
	response, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	check(t, err)
	return answer{response, string(body)}
}

// serve runs h until the test ends.
func serve(t *testing.T, h http.Handler) *httptest.Server {
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server
}

// site is a directory with files; a name that ends in a slash is a directory.
func site(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if strings.HasSuffix(name, "/") {
			check(t, os.MkdirAll(file, 0o755))
			continue
		}
		check(t, os.MkdirAll(filepath.Dir(file), 0o755))
		check(t, os.WriteFile(file, []byte(content), 0o644))
	}
	return dir
}

// open opens dir until the test ends.
func open(t *testing.T, dir string, list bool) *Files {
	t.Helper()
	f, err := Open(dir, list)
	check(t, err)
	t.Cleanup(func() { f.Close() })
	return f
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestDefault(t *testing.T) {
	tests := []struct {
		method, target string
		status         int
		body           string
	}{
		{"GET", "/", 200, "wsbridge: this port carries WebSocket connections"},
		{"GET", "/?probe=1", 200, "wsbridge: this port carries WebSocket connections"},
		{"HEAD", "/", 200, ""},
		{"GET", "/index.html", 404, "nothing here"},
		{"GET", "//", 404, "nothing here"},
		{"POST", "/", 405, "method not allowed"},
		{"DELETE", "/x", 405, "method not allowed"},
		{"BREW", "/", 405, "method not allowed"},
		{"OPTIONS", "/", 204, ""},
	}
	server := serve(t, Default())
	for _, tt := range tests {
		t.Run(tt.method+" "+tt.target, func(t *testing.T) {
			got := askRaw(t, server, tt.method+" "+tt.target)
			if got.StatusCode != tt.status || !strings.Contains(got.body, tt.body) {
				t.Errorf("%d %q, want %d %q", got.StatusCode, got.body, tt.status, tt.body)
			}
			if tt.body != "" && strings.Count(got.body, "\n") != 1 {
				t.Errorf("not one line of text: %q", got.body)
			}
			allow := got.Header.Get("Allow")
			if needs := tt.status == 405 || tt.status == 204; needs != (allow == "GET, HEAD, OPTIONS") {
				t.Errorf("Allow: %q", allow)
			}
			if got.Header.Get("Server") != "" {
				t.Errorf("Server: %q", got.Header.Get("Server"))
			}
		})
	}
}
