package bridge

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// ask sends raw request bytes and returns the answer with its body.
func (r *rig) ask(request string) (*http.Response, string) {
	r.t.Helper()
	c := r.dialRaw()
	io.WriteString(c, request)
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		r.t.Fatalf("no answer to %q: %v", request, err)
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		r.t.Fatalf("answer to %q: %v", request, err)
	}
	return answer, string(body)
}

func TestHandshakeVector(t *testing.T) {
	r := startRig(t, nil)
	for _, tc := range []struct{ name, request string }{
		{"CRLF", request()},
		{"LF", strings.ReplaceAll(request(), "\r\n", "\n")},
		{"blank lines first", "\r\n\n" + request()},
		{"lower case", strings.ToLower(request()[:60]) + request()[60:]},
		{"split Connection lines", strings.Replace(request(), "Connection: Upgrade", "Connection: keep-alive\r\nConnection: Upgrade", 1)},
		{"Connection list", strings.Replace(request(), "Connection: Upgrade", "Connection: keep-alive, upgrade", 1)},
		{"any path and query", strings.Replace(request(), "/websockify", "/a/b%20c?token=secret", 1)},
	} {
		if tc.name == "lower case" {
			tc.request = strings.NewReplacer("Upgrade: websocket", "upgrade: WebSocket", "Host:", "host:").Replace(request())
		}
		t.Run(tc.name, func(t *testing.T) {
			client := openPeer(t, r.dialRaw(), tc.request)
			if got := client.answer.Header.Get("Sec-WebSocket-Accept"); got != "AEwKHncza7ZXcfBb5yM/aluzmpE=" {
				t.Errorf("accept %q", got)
			}
			r.accept().Close()
			client.wantClose(1000, "target closed")
			client.close(1000, "")
		})
	}
	r.wantLog("session ended", `path="/a/b c?token=***"`)
	if strings.Contains(r.log.String(), "secret") {
		t.Error("a token is in the log")
	}
}

func TestRefusedUpgrades(t *testing.T) {
	r := startRig(t, nil)
	swap := func(old, new string) string { return strings.Replace(request(), old, new, 1) }
	for _, tc := range []struct {
		name, request string
		status        int
		says          string
	}{
		{"wrong version", swap("Version: 13", "Version: 12"), 426, "version 13"},
		{"no version", swap("Sec-WebSocket-Version: 13\r\n", ""), 400, "Sec-WebSocket-Version"},
		{"two versions", swap("Version: 13", "Version: 13\r\nSec-WebSocket-Version: 8"), 426, "version 13"},
		{"no key", swap("Sec-WebSocket-Key: h3aOngl22xTlrMuoCGC4+w==\r\n", ""), 400, "Sec-WebSocket-Key"},
		{"short key", swap("h3aOngl22xTlrMuoCGC4+w==", "c2hvcnQ="), 400, "Sec-WebSocket-Key"},
		{"key that is no base64", swap("h3aOngl22xTlrMuoCGC4+w==", "!!!!!!!!!!!!!!!!!!!!!!=="), 400, "Sec-WebSocket-Key"},
		{"two keys", swap("Sec-WebSocket-Key", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Key"), 400, "Sec-WebSocket-Key"},
		{"no Connection", swap("Connection: Upgrade\r\n", ""), 400, "Connection: Upgrade"},
		{"POST", swap("GET", "POST"), 405, "GET"},
		{"HTTP/1.0", swap("HTTP/1.1", "HTTP/1.0"), 505, "HTTP/1.1"},
		{"Content-Length", request("Content-Length: 5") + "hello", 400, "body"},
		{"chunked", request("Transfer-Encoding: chunked") + "0\r\n\r\n", 400, "body"},
		{"two Hosts", swap("Host: bridge", "Host: bridge\r\nHost: other"), 400, "the request cannot be read: too many Host headers"},
		{"no Host", swap("Host: bridge\r\n", ""), 400, "Host"},
		{"too many lines", request(strings.Split(strings.Repeat("X-A: b|", 120)+"X-A: b", "|")...), 431, "header lines"},
		{"head too long", request("X-Long: " + strings.Repeat("x", 17<<10)), 431, "Too Large"},
		{"space before colon", swap("Host: bridge", "Host : bridge"), 400, "Host"},
		{"space before another colon", request("X : y"), 400, "header name"},
		{"HTTP/2.0", swap("HTTP/1.1", "HTTP/2.0"), 505, "protocol version"},
		{"Upgrade with a version", swap("Upgrade: websocket", "Upgrade: websocket/13"), 404, ""},
		{"Connection without a comma", swap("Connection: Upgrade", "Connection: keep-alive Upgrade"), 400, "Connection: Upgrade"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			answer, body := r.ask(tc.request)
			if answer.StatusCode != tc.status || !strings.Contains(body, tc.says) {
				t.Errorf("%s: %q, want %d and a word of %q", answer.Status, body, tc.status, tc.says)
			}
			if tc.status == 426 && answer.Header.Get("Sec-WebSocket-Version") != "13" {
				t.Errorf("426 without the version spoken: %v", answer.Header)
			}
			if server := answer.Header.Get("Server"); server != "" {
				t.Errorf("Server: %s", server)
			}
		})
	}
	r.wantLog("upgrade refused", "status=426", "version 13")
}

func TestRouteRefuses(t *testing.T) {
	errs := make(chan error, 1)
	r := startRig(t, func(s *Server) { s.Route = func(*http.Request) (Route, error) { return Route{}, <-errs } })
	errs <- &Refusal{Status: 403, Reason: "not you", Header: http.Header{"X-Why": {"because"}}}
	if answer, body := r.ask(request()); answer.StatusCode != 403 || body != "not you\n" || answer.Header.Get("X-Why") != "because" {
		t.Errorf("%s %q", answer.Status, body)
	}
	errs <- errors.New("the password file is /etc/secret")
	if answer, body := r.ask(request()); answer.StatusCode != 500 || strings.Contains(body, "secret") {
		t.Errorf("%s %q", answer.Status, body)
	}
	if n := r.server.Stats().Refused["not you"]; n != 1 {
		t.Errorf("counted %d times", n)
	}
}

// A secret in the path is hidden also where the upgrade is refused early.
func TestPathForLog(t *testing.T) {
	r := startRig(t, func(s *Server) { s.LogPath = func(string) string { return "/hidden" } })
	r.ask("GET /s3cret HTTP/1.1\r\nHost: b\r\nUpgrade: websocket\r\n\r\n")
	r.wantLog("upgrade refused", "path=/hidden")
	if strings.Contains(r.log.String(), "s3cret") {
		t.Error("the secret is in the log")
	}
}

func TestSubprotocols(t *testing.T) {
	for _, tc := range []struct {
		offer, allowed []string
		want           string
		bad            bool
	}{
		{offer: nil, want: ""},
		{offer: []string{"binary"}, want: "binary"},
		{offer: []string{"base64, binary"}, want: "binary"},
		{offer: []string{"base64", "binary"}, want: "binary"},
		{offer: []string{"base64"}, want: "base64"},
		{offer: []string{" chat ,\tmqtt"}, want: "chat"},
		{offer: []string{"chat, base64"}, want: "base64"},
		{offer: []string{"synapse(contentType='application/json')"}, want: "synapse(contentType='application/json')"},
		{offer: []string{",, ,"}, want: ""},
		{offer: []string{"Binary"}, want: "Binary"},
		{offer: []string{"chat, mqtt"}, allowed: []string{"mqtt"}, want: "mqtt"},
		{offer: []string{"binary"}, allowed: []string{"mqtt"}, bad: true},
		{offer: nil, allowed: []string{"mqtt"}, want: ""},
	} {
		h := http.Header{"Sec-Websocket-Protocol": tc.offer}
		got, ok := chooseSubprotocol(h, tc.allowed)
		if got != tc.want || ok == tc.bad {
			t.Errorf("offered %q, allowed %q: %q %v, want %q", tc.offer, tc.allowed, got, ok, tc.want)
		}
	}
}

func TestSubprotocolNotAllowed(t *testing.T) {
	r := startRig(t, func(s *Server) { s.Subprotocols = []string{"mqtt"} })
	answer, body := r.ask(request("Sec-WebSocket-Protocol: chat"))
	if answer.StatusCode != 400 || !strings.Contains(body, "mqtt") {
		t.Errorf("%s %q", answer.Status, body)
	}
}

// Frames sent in the same segment as the handshake are the session's first.
func TestEarlyFramesAreNotLost(t *testing.T) {
	everyWay(t, nil, func(t *testing.T, r *rig) {
		for _, size := range []int{1, 4000, 4096, 5000, 100_000} {
			payload := strings.Repeat("e", size)
			c := r.dialRaw()
			if r.secure {
				c = tls.Client(c, &tls.Config{InsecureSkipVerify: true})
			}
			client := openPeer(t, c, request()+masked(ws.OpBinary, true, payload)+masked(ws.OpClose, true, closeBody(1000, "")))
			target := r.accept()
			if got := readAll(t, target); got != payload {
				t.Errorf("size %d: target got %d bytes", size, len(got))
			}
			target.Close()
			client.wantClose(1000, "")
		}
	})
}

func TestUpgradeAfterOtherRequests(t *testing.T) {
	r := startRig(t, nil)
	c := r.dialRaw()
	in := bufio.NewReader(c)
	for range 3 {
		io.WriteString(c, "GET /page HTTP/1.1\r\nHost: bridge\r\n\r\n")
		answer, err := http.ReadResponse(in, nil)
		if err != nil || answer.StatusCode != 404 {
			t.Fatalf("%v %v", answer, err)
		}
		io.Copy(io.Discard, answer.Body)
	}
	client := openPeer(t, c, request())
	r.accept().Close()
	client.wantClose(1000, "target closed")
}

func TestSessionLimits(t *testing.T) {
	for _, tc := range []struct {
		name   string
		limits Limits
		says   string
	}{
		{"over all", Limits{Sessions: 2}, "too many sessions"},
		{"from one address", Limits{SessionsPerIP: 2}, "too many sessions from your address"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := startRig(t, func(s *Server) { s.Limits = tc.limits })
			first, _ := r.pair()
			r.pair()
			answer, body := r.ask(request())
			if answer.StatusCode != 503 || strings.TrimSpace(body) != tc.says || answer.Header.Get("Retry-After") == "" {
				t.Errorf("%s %q %v", answer.Status, body, answer.Header)
			}
			if stats := r.server.Stats(); stats.Refused[tc.says] != 1 || stats.Sessions != 2 {
				t.Errorf("stats %+v", stats)
			}
			first.conn.Close()
			r.eventually("a free slot", func() bool { return r.server.Stats().Sessions == 1 })
			r.pair()
		})
	}
}

func TestStalledHeadIsCut(t *testing.T) {
	r := startRig(t, func(s *Server) { s.Limits.HeaderTimeout = 50 * time.Millisecond })
	c := r.dialRaw()
	io.WriteString(c, "GET / HTTP/1.1\r\nHost:")
	if _, err := io.ReadAll(c); err != nil {
		t.Errorf("%v, want the connection closed", err)
	}
}

// Whoever sent both may have meant the length: nothing after it is read.
func TestLengthAndChunksEndTheConnection(t *testing.T) {
	r := startRig(t, nil)
	got := r.talk("POST / HTTP/1.1\r\nHost: bridge\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + request())
	if strings.Count(got, "HTTP/1.1 ") != 1 || !strings.HasPrefix(got, "HTTP/1.1 404 ") || !strings.Contains(got, "Connection: close\r\n") {
		t.Errorf("%q", got)
	}
}

// An upgrade's body is refused, and not waited for either.
func TestStalledBodyOfAnUpgradeIsCut(t *testing.T) {
	r := startRig(t, func(s *Server) { s.Limits.HeaderTimeout = 50 * time.Millisecond })
	got := r.talk(strings.Replace(request(), "Host:", "Content-Length: 100\r\nHost:", 1) + "only this")
	if !strings.HasPrefix(got, "HTTP/1.1 400") {
		t.Errorf("%q", got)
	}
}

func TestStalledBodyIsCut(t *testing.T) {
	r := startRig(t, func(s *Server) { s.Limits.HeaderTimeout = 50 * time.Millisecond })
	c := r.dialRaw()
	io.WriteString(c, "POST / HTTP/1.1\r\nHost: bridge\r\nContent-Length: 100\r\n\r\nonly this")
	if b, err := io.ReadAll(c); err != nil || !strings.HasPrefix(string(b), "HTTP/1.1 404") {
		t.Errorf("%q %v", b, err)
	}
}
