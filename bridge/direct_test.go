package bridge

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// What is refused is refused in the same words whether direct or the HTTP
// server, which a head with bare line feeds is left to, looked at it first.
func TestRefusalsHaveOneForm(t *testing.T) {
	for name, tc := range map[string]struct {
		route func(*http.Request) (Route, error)
		bytes string
		asked int64
	}{
		"refused by Route": {
			func(*http.Request) (Route, error) {
				return Route{}, &Refusal{Status: 401, Reason: "who are you", Header: http.Header{"Www-Authenticate": {"Basic"}}}
			}, request(), 1},
		"a Route that panics": {func(*http.Request) (Route, error) { panic("at the disco") }, request(), 1},
		"wrong version":       {nil, strings.Replace(request(), "Version: 13", "Version: 8", 1), 1},
		"odd Host":            {nil, strings.Replace(request(), "Host: bridge", "Host: br<dge", 1), 0},
	} {
		t.Run(name, func(t *testing.T) {
			var asked atomic.Int64
			r := startRig(t, func(s *Server) {
				good := s.Route
				s.Route = func(r *http.Request) (Route, error) {
					asked.Add(1)
					if tc.route == nil {
						return good(r)
					}
					return tc.route(r)
				}
			})
			whole := r.talk(tc.bytes)
			if asked.Load() != tc.asked {
				t.Errorf("Route was asked %d times, want %d", asked.Load(), tc.asked)
			}
			if name == "a Route that panics" { // net/http closes, we still say something
				if !strings.HasPrefix(whole, "HTTP/1.1 500 ") {
					t.Errorf("%q", whole)
				}
				return
			}
			if other := r.talk(strings.ReplaceAll(tc.bytes, "\r\n", "\n")); undated(whole) != undated(other) {
				t.Errorf("after direct:\n%s\nwithout:\n%s", whole, other)
			}
		})
	}
}

func undated(answer string) string {
	return regexp.MustCompile(`Date: [^\r]*`).ReplaceAllString(answer, "Date:")
}

// Route sees the same request as behind the HTTP server.
func TestRouteSeesARequest(t *testing.T) {
	for _, quick := range []bool{false, true} {
		t.Run(fmt.Sprintf("quick=%v", quick), func(t *testing.T) { routeSees(t, quick) })
	}
}

func routeSees(t *testing.T, quick bool) {
	seen := make(chan *http.Request, 1)
	r := startRig(t, func(s *Server) {
		s.QuickRoute = quick
		s.Route = func(r *http.Request) (Route, error) { seen <- r; return Route{}, &Refusal{Status: 403, Reason: "no"} }
	})
	c := r.dialRaw()
	io.WriteString(c, strings.Replace(request("Cookie: a=b"), "/websockify", "/a%20b?token=x", 1))
	got := <-seen
	if got.RemoteAddr != c.LocalAddr().String() || got.Host != "bridge" || got.Method != "GET" || got.URL.Path != "/a b" ||
		got.URL.Query().Get("token") != "x" || got.Header.Get("Cookie") != "a=b" || len(got.Header["Host"]) != 0 || got.TLS != nil {
		t.Errorf("%+v", got)
	}
	readAll(t, c)
	if quick && pump == PumpAuto {
		return
	}
	if addr := got.Context().Value(http.LocalAddrContextKey); addr == nil {
		t.Error("no local address")
	}
	select {
	case <-got.Context().Done():
	case <-time.After(patience):
		t.Error("the request's context outlives the answer")
	}
}

// A head that is odd in any way is left to the HTTP server.
func TestHeadsForTheHTTPServer(t *testing.T) {
	var h heads
	good := request() + "rest"
	if r, rest := h.read([]byte(good)); r == nil || string(rest) != "rest" {
		t.Fatalf("%v %q", r, rest)
	}
	for _, tc := range []struct{ name, head string }{
		{"cut", request()[:len(request())-1]},
		{"two Hosts", strings.Replace(good, "Host: bridge", "Host: bridge\r\nhost: bridge", 1)},
		{"no Host", strings.Replace(good, "Host: bridge\r\n", "", 1)},
		{"bare line feeds", strings.ReplaceAll(good, "\r\n", "\n")},
		{"a bare line feed", strings.Replace(good, "Host: bridge\r\n", "Host: bridge\n", 1)},
		{"an expectation", strings.Replace(good, "Host:", "Expect: 100-continue\r\nHost:", 1)},
		{"a body", strings.Replace(good, "Host:", "Content-Length: 4\r\nHost:", 1)},
		{"chunked", strings.Replace(good, "Host:", "Transfer-Encoding: chunked\r\nHost:", 1)},
		{"not ASCII", strings.Replace(good, "bridge", "brìdge", 1)},
		{"folded", strings.Replace(good, "Host:", "X: y\r\n z\r\nHost:", 1)},
		{"a space before a colon", strings.Replace(good, "Upgrade:", "Upgrade :", 1)},
		{"a space before a name", strings.Replace(good, "Host:", "X: y\r\n Z: z\r\nHost:", 1)},
		{"no name", strings.Replace(good, "Host:", ": x\r\nHost:", 1)},
		{"no colon", strings.Replace(good, "Host:", "X\r\nHost:", 1)},
		{"a name that is no token", strings.Replace(good, "Host:", "X(y): z\r\nHost:", 1)},
		{"HTTP/2.0", strings.Replace(good, "HTTP/1.1", "HTTP/2.0", 1)},
		{"HTTP/1.2", strings.Replace(good, "HTTP/1.1", "HTTP/1.2", 1)},
		{"an absolute URI", strings.Replace(good, "/websockify", "http://other/", 1)},
		{"a bad escape", strings.Replace(good, "/websockify", "/%zz", 1)},
		{"no HTTP", "GET / FTP/1.1\r\nHost: bridge\r\n\r\n"},
	} {
		if r, _ := h.read([]byte(tc.head)); r != nil {
			t.Errorf("%s: %+v", tc.name, r)
		}
	}
}
