//go:build unix

package bridge

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/http2"
)

// What the bridge offers: WebSockets, many of them, with room for each.
func TestHTTP2Settings(t *testing.T) {
	_, settings := startRig2(t, nil).framer2()
	for id, want := range map[http2.SettingID]uint32{
		http2.SettingEnableConnectProtocol: 1,
		http2.SettingMaxConcurrentStreams:  maxStreams,
		http2.SettingInitialWindowSize:     streamBuffer,
	} {
		if got, ok := settings.Value(id); !ok || got != want {
			t.Errorf("%v is %d (%v), want %d", id, got, ok, want)
		}
	}
}

// What a client of RFC 8441 is answered: no more than it may be.
func TestExtendedConnectIsAnswered(t *testing.T) {
	r := startRig2(t, nil)
	client := r.dial("Sec-WebSocket-Protocol: chat, binary")
	r.accept()
	got := client.answer.Header.Clone()
	got.Del("Date")
	if diff := cmp.Diff(http.Header{"Sec-Websocket-Protocol": {"binary"}}, got); diff != "" {
		t.Error(diff)
	}
}

// Who decides sees an upgrade as ever, of the client that asks.
func TestExtendedConnectIsAnUpgradeToPolicy(t *testing.T) {
	seen := make(chan *http.Request, 1)
	r := startRig2(t, nil)
	route := r.server.now().Route
	rules := *r.server.now()
	rules.Route = func(r *http.Request) (Route, error) {
		seen <- r
		return route(r)
	}
	r.server.Use(rules)
	r.ask2(r.connect2(), func(r *http.Request) { r.URL.RawQuery = "token=a%20b" }, "Origin: https://page", "Cookie: a=b")
	got := <-seen
	if got.Method != "GET" || !isUpgrade(got) || got.TLS == nil || !strings.HasPrefix(got.RemoteAddr, "127.0.0.1:") || got.Host != "bridge" ||
		got.RequestURI != "/websockify?token=a%20b" || got.URL.Query().Get("token") != "a b" || got.Header.Get("Origin") != "https://page" || got.Header.Get("Cookie") != "a=b" {
		t.Errorf("%+v", got)
	}
	if got.Header[protocolHeader] != nil || !validKey(got.Header.Get("Sec-WebSocket-Key")) {
		t.Errorf("%v", got.Header)
	}
}

// A refusal says why in its own stream, and costs the others nothing.
func TestExtendedConnectRefusals(t *testing.T) {
	r := startRig2(t, func(s *Server) {
		s.Limits.Sessions = 1
		s.Subprotocols = []string{"binary"}
		route := s.Route
		s.Route = func(r *http.Request) (Route, error) {
			if r.URL.Path == "/forbidden" {
				return Route{}, &Refusal{Status: 403, Reason: "not for you", Header: http.Header{"X-Why": {"because"}}}
			}
			return route(r)
		}
	})
	first, target := r.pair()
	for _, tc := range []struct {
		name   string
		change func(*http.Request)
		status int
		reason string
	}{
		{"another protocol", func(r *http.Request) { r.Header.Set(protocolHeader, "webtransport") }, 501, "the only :protocol"},
		{"a length", func(r *http.Request) { r.ContentLength, r.Body = 1, io.NopCloser(strings.NewReader("x")) }, 400, "length"},
		{"nothing to come", func(r *http.Request) { r.Body = nil }, 400, "open"},
		{"no version", func(r *http.Request) { r.Header.Del("Sec-Websocket-Version") }, 400, "Sec-WebSocket-Version"},
		{"version 8", func(r *http.Request) { r.Header.Set("Sec-Websocket-Version", "8") }, 426, "version 13"},
		{"the wrong subprotocol", func(r *http.Request) { r.Header.Set("Sec-Websocket-Protocol", "chat") }, 400, "allowed: binary"},
		{"policy", func(r *http.Request) { r.URL.Path = "/forbidden" }, 403, "not for you"},
		{"one too many", nil, 503, "too many sessions"},
	} {
		answer, c := r.ask2(r.shared, tc.change)
		if body, err := io.ReadAll(c); answer.StatusCode != tc.status || !strings.Contains(string(body), tc.reason) || err != nil {
			t.Errorf("%s: %s %q, %v", tc.name, answer.Status, body, err)
		}
		if answer.Header["Connection"] != nil || answer.Header["Upgrade"] != nil {
			t.Errorf("%s: %v", tc.name, answer.Header)
		}
	}
	if state := r.shared.State(); state.Closing || state.Closed {
		t.Errorf("%+v", state)
	}
	first.send("still here")
	readN(t, target, 10)
}

// What has no upgrade needs none: pages come over the same connection, and what
// a client sends along with a GET is not kept.
func TestPagesOverHTTP2(t *testing.T) {
	r := startRig2(t, func(s *Server) {
		s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			said, _ := io.ReadAll(r.Body)
			io.WriteString(w, r.Proto+" "+string(said))
		})
	})
	r.pair()
	for method, want := range map[string]string{"GET": "HTTP/2.0 ", "POST": "HTTP/2.0 hello"} {
		request, _ := http.NewRequest(method, "https://bridge/", strings.NewReader("hello"))
		answer, err := r.shared.RoundTrip(request)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := io.ReadAll(answer.Body); string(got) != want {
			t.Errorf("%s: %q, want %q", method, got, want)
		}
	}
}

// recorded notes the last deadline.
type recorded struct {
	http.ResponseWriter
	deadline time.Time
}

func (w *recorded) Write(p []byte) (int, error)        { return len(p), nil }
func (w *recorded) FlushError() error                  { return nil }
func (w *recorded) SetWriteDeadline(t time.Time) error { w.deadline = t; return nil }

// A page that says something now and then has no deadline to meet in between:
// net/http would reset its stream.
func TestNoDeadlineBetweenTwoWritesOverHTTP2(t *testing.T) {
	for _, shared := range []bool{true, false} {
		w := &recorded{}
		p := &patient{w, http.NewResponseController(w), shared}
		p.Write([]byte("now"))
		http.NewResponseController(p).Flush()
		if w.deadline.IsZero() != shared {
			t.Errorf("over HTTP/2 %v: %v", shared, w.deadline)
		}
	}
}
