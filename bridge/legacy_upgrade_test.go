//go:build unix

package bridge

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// The answers' heads, byte by byte.
func TestHixieAnswers(t *testing.T) {
	everyWay(t, legacy, func(t *testing.T, r *rig) {
		scheme := "ws"
		if r.secure {
			scheme = "wss"
		}
		location := scheme + "://bridge:81/websockify?a=b%20c\r\n"
		for _, tc := range []struct {
			era    era
			header []string
			want   string
		}{
			{hixie75, nil, "HTTP/1.1 101 Web Socket Protocol Handshake\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n" +
				"WebSocket-Origin: http://page.example\r\nWebSocket-Location: " + location + "\r\n"},
			{hixie75, []string{"WebSocket-Protocol: base64"}, "HTTP/1.1 101 Web Socket Protocol Handshake\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n" +
				"WebSocket-Origin: http://page.example\r\nWebSocket-Location: " + location + "WebSocket-Protocol: base64\r\n\r\n"},
			{hixie76, nil, "HTTP/1.1 101 WebSocket Protocol Handshake\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n" +
				"Sec-WebSocket-Origin: http://page.example\r\nSec-WebSocket-Location: " + location + "\r\n" + hixieChallenge},
			{hixie76, []string{"Sec-WebSocket-Protocol: binary, base64", "Content-Length: 8"}, "HTTP/1.1 101 WebSocket Protocol Handshake\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n" +
				"Sec-WebSocket-Origin: http://page.example\r\nSec-WebSocket-Location: " + location + "Sec-WebSocket-Protocol: base64\r\n\r\n" + hixieChallenge},
		} {
			c := r.dialRaw()
			if r.secure {
				c = tls.Client(c, &tls.Config{InsecureSkipVerify: true})
			}
			io.WriteString(c, requestOf(tc.era, tc.header...))
			got := make([]byte, len(tc.want))
			if n, err := io.ReadFull(c, got); string(got[:n]) != tc.want {
				t.Errorf("%s: %v\n%q, want\n%q", tc.era, err, got[:n], tc.want)
			}
			r.accept().Close()
		}
	})
}

// The last bytes of a request may wait for the answer's head, but not for ever.
func TestHixieBodyComesLater(t *testing.T) {
	r := startRig(t, func(s *Server) { s.Legacy, s.Limits.HeaderTimeout = true, 200*time.Millisecond })
	open := strings.TrimSuffix(requestOf(hixie76), hixieBody)
	client := openPeer(t, r.dialRaw(), open)
	client.raw(hixieBody[:3])
	client.raw(hixieBody[3:])
	answer := make([]byte, len(hixieChallenge))
	if _, err := io.ReadFull(client.in, answer); err != nil || string(answer) != hixieChallenge {
		t.Fatalf("%q %v", answer, err)
	}
	r.accept().Close()

	late := openPeer(t, r.dialRaw(), open)
	if rest, err := io.ReadAll(late.in); err != nil || len(rest) > 0 {
		t.Errorf("%q %v, want the connection closed", rest, err)
	}
	r.wantLog("client left during the handshake")
	client.raw("\xff\x00")
	r.eventually("free slots", func() bool { return r.server.Stats().Sessions == 0 })
}

// Nobody waits for the end of a handshake at shutdown.
func TestHixieBodyNeverComes(t *testing.T) {
	r := startRig(t, func(s *Server) { s.Legacy, s.Limits.HeaderTimeout = true, time.Hour })
	client := openPeer(t, r.dialRaw(), strings.TrimSuffix(requestOf(hixie76), hixieBody))
	if err := r.server.Shutdown(t.Context()); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	if rest, err := io.ReadAll(client.in); err != nil || len(rest) > 0 {
		t.Errorf("%q %v, want the connection closed", rest, err)
	}
}

func TestLegacyRefusals(t *testing.T) {
	keys := func(old, new string) string { return strings.Replace(requestOf(hixie76), old, new, 1) }
	numbered := func(v string) string { return strings.Replace(request(), "Version: 13", "Version: "+v, 1) }
	for _, tc := range []struct {
		name, request string
		legacy        bool
		status        int
		says          string
	}{
		{"hixie-75, off", requestOf(hixie75), false, 400, "--legacy"},
		{"hixie-76, off", requestOf(hixie76), false, 426, "--legacy"},
		{"7, off", requestOf(hybi7), false, 426, "version 7 need --legacy"},
		{"8, off", requestOf(hybi8), false, 426, "version 8 need --legacy"},
		{"6, off", numbered("6"), false, 426, "version 13 only"},
		{"6, on", numbered("6"), true, 426, "version 13, 8, 7 only"},
		{"14, on", numbered("14"), true, 426, "version 13, 8, 7 only"},
		{"8 with a bad key", strings.Replace(requestOf(hybi8), "Sec-WebSocket-Key: h3aOngl22xTlrMuoCGC4+w==\r\n", "", 1), true, 400, "Sec-WebSocket-Key"},
		{"13 without a version", strings.Replace(request(), "Sec-WebSocket-Version: 13\r\n", "", 1), true, 400, "Sec-WebSocket-Version"},
		{"no space in a key", keys("12998 5 Y3 1  .P00", "1299"), true, 400, "'Sec-WebSocket-Key2' has no space"},
		{"spaces that do not divide", keys("4 @1  46546xW%0l 1 5", "4 1 1 1"), true, 400, "'Sec-WebSocket-Key1' has a number that its spaces do not divide"},
		{"one key", keys("Sec-WebSocket-Key2: 12998 5 Y3 1  .P00\r\n", ""), true, 400, "'Sec-WebSocket-Key2' must be there once"},
		{"two first keys", requestOf(hixie76, "Sec-WebSocket-Key1: 1 2"), true, 400, "'Sec-WebSocket-Key1' must be there once"},
		{"binary over hixie-76", requestOf(hixie76, "Sec-WebSocket-Protocol: binary"), true, 400, "allowed: base64"},
		{"binary over hixie-75", requestOf(hixie75, "WebSocket-Protocol: binary"), true, 400, "allowed: base64"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := startRig(t, func(s *Server) { s.Legacy = tc.legacy })
			answer, body := r.ask(tc.request)
			if answer.StatusCode != tc.status || !strings.Contains(body, tc.says) {
				t.Errorf("%s: %q, want %d and a word of %q", answer.Status, body, tc.status, tc.says)
			}
			spoken := map[bool]string{false: "13", true: "13, 8, 7"}[tc.legacy]
			if got := answer.Header.Get("Sec-WebSocket-Version"); tc.status == 426 && got != spoken {
				t.Errorf("426 with versions %q, want %q", got, spoken)
			}
			r.wantLog("upgrade refused", fmt.Sprintf("status=%d", tc.status))
		})
	}
}

// Clients of versions 8 and 7 had keys of other lengths than 16 bytes, too.
func TestOldKeys(t *testing.T) {
	r := startRig(t, legacy)
	for _, e := range []era{hybi8, hybi7} {
		client := openPeer(t, r.dialRaw(), strings.Replace(requestOf(e), "h3aOngl22xTlrMuoCGC4+w==", "OC0xMzA3NTIyNjQ1MTIz", 1))
		if got := client.answer.Header.Get("Sec-WebSocket-Accept"); got != "l8XGV/+8WoTvAxkEKi9CZ+s0SUs=" {
			t.Errorf("accept %q", got)
		}
		r.accept().Close()
		client.wantClose(1000, "target closed")
		client.close(1000, "")
	}
}

func TestMessagesAreNotForHixie(t *testing.T) {
	r := startRig(t, func(s *Server) {
		s.Legacy = true
		s.Route = func(*http.Request) (Route, error) { return Route{Service: parrot{}}, nil }
	})
	for _, e := range []era{hixie76, hixie75} {
		if answer, body := r.ask(requestOf(e)); answer.StatusCode != 400 || !strings.Contains(body, e.String()+" carries bytes only") {
			t.Errorf("%s: %s %q", e, answer.Status, body)
		}
	}
	for _, e := range []era{hybi8, hybi7} {
		client := r.dialEra(e)
		client.raw(masked(ws.OpText, true, "hello"))
		if got := client.receive(5); got != "hello" {
			t.Errorf("%s: %q came back", e, got)
		}
	}
}

// Rules see an origin, and what is offered, wherever a version has it.
func TestEveryEraOfOrigins(t *testing.T) {
	saw := make(chan http.Header, 1)
	r := startRig(t, func(s *Server) {
		s.Route = func(r *http.Request) (Route, error) {
			saw <- r.Header.Clone()
			return Route{}, &Refusal{Status: 403, Reason: "no"}
		}
		s.QuickRoute = false
	})
	for _, tc := range []struct {
		legacy           bool
		request          string
		origin, subproto string
	}{
		{true, requestOf(hybi8, "Sec-WebSocket-Origin: http://old", "Sec-WebSocket-Protocol: a"), "http://old", "a"},
		{false, requestOf(hybi8, "Sec-WebSocket-Origin: http://old"), "http://old", ""},
		{false, requestOf(hybi7, "Sec-WebSocket-Origin: http://old", "Origin: http://other"), "http://old", ""},
		{true, requestOf(rfc6455, "Sec-WebSocket-Origin: http://old", "Origin: http://new"), "http://new", ""},
		{true, requestOf(hixie75, "WebSocket-Protocol: base64"), "http://page.example", "base64"},
		{true, requestOf(hixie76, "Sec-WebSocket-Protocol: base64"), "http://page.example", "base64"},
	} {
		rules := r.server.Rules
		rules.Legacy = tc.legacy
		r.server.Use(rules)
		r.ask(tc.request)
		if h := <-saw; h.Get("Origin") != tc.origin || len(h["Origin"]) != 1 || h.Get("Sec-WebSocket-Protocol") != tc.subproto {
			t.Errorf("%q: origin %q, subprotocol %q", tc.request, h["Origin"], h["Sec-Websocket-Protocol"])
		}
	}
}
