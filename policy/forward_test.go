package policy

import (
	"bytes"
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// authServer answers as those of the field do: by the session cookie.
func authServer(t *testing.T, seen func(*http.Request)) *httptest.Server {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if seen != nil {
			seen(r)
		}
		cookie, _ := r.Cookie("session")
		name := ""
		if cookie != nil {
			name = cookie.Value
		}
		switch name {
		case "alice":
			w.Header().Set("Remote-User", "alice")
			w.Header().Set("X-Who", "alice@desk")
			io.WriteString(w, "welcome")
		case "nameless":
			w.WriteHeader(204)
		case "large":
			w.Write(make([]byte, 4*maxAnswer))
		case "blocked":
			w.WriteHeader(403)
		case "old":
			w.Header().Set("Set-Cookie", "session=; Max-Age=0")
			w.Header().Set("X-Internal", "secret")
			http.Redirect(w, r, "https://auth.example/?rd=https://"+r.Header.Get("X-Forwarded-Host")+r.Header.Get("X-Forwarded-Uri"), http.StatusFound)
		case "nowhere":
			w.WriteHeader(302)
		case "cached":
			w.WriteHeader(304)
		case "broken":
			w.WriteHeader(500)
		case "limited":
			w.WriteHeader(429)
		case "odd":
			w.Header().Set("Remote-User", "a\tb\x01")
		case "long":
			w.Header().Set("Remote-User", strings.Repeat("a", maxUserName+1))
		case "heady":
			w.Header().Set("X-Large", strings.Repeat("a", 2*maxForwardHead))
		case "slow":
			hang(w, r)
		case "rude":
			conn, _, _ := w.(http.Hijacker).Hijack()
			conn.Close()
		default:
			w.Header().Set("WWW-Authenticate", `Basic realm="desk"`)
			w.WriteHeader(401)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func newForward(t *testing.T, source string) *desk {
	t.Helper()
	log := &journal{}
	auth, err := OpenAuth("ForwardAuth", source, log.logger())
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{&Policy{Auth: auth, Log: log.logger(), Timeout: time.Minute, Address: func(*http.Request) string { return "" }}, log}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error("Close:", err)
		}
	})
	return d
}

func visitor(session string) *http.Request {
	r := httptest.NewRequest("GET", "/websockify?a=b%20c", nil)
	r.Host, r.RemoteAddr = "desk.example:6080", "192.0.2.7:51234"
	r.Header.Set("Upgrade", "websocket")
	r.Header.Set("Connection", "Upgrade")
	if session != "" {
		r.Header.Set("Cookie", "session="+session)
	}
	return r
}

// The server is told what nginx, Traefik and Caddy would tell it; what the
// client says of forwarding is not.
func TestForwardAuthQuestion(t *testing.T) {
	var got http.Header
	var method, host, uri string
	s := authServer(t, func(r *http.Request) { got, method, host, uri = r.Header.Clone(), r.Method, r.Host, r.RequestURI })
	s.Start()
	d := newForward(t, s.URL+"/verify?x=1")
	r := visitor("alice")
	for _, name := range []string{"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Uri", "X-Forwarded-Method", "X-Forwarded-User", "X-Original-Url", "Forwarded", "X-Real-Ip", "Remote-User", "Connection", "Sec-Websocket-Key"} {
		r.Header.Set(name, "evil")
	}
	r.Header.Set("Authorization", "Bearer abc")
	r.Header.Set("Origin", "https://desk.example")
	decision, err := d.Decide(r)
	if err != nil || decision.User != "alice" {
		t.Fatal(decision, err)
	}
	want := http.Header{
		"Authorization": {"Bearer abc"}, "Cookie": {"session=alice"}, "Origin": {"https://desk.example"}, "User-Agent": {"wsbridge"},
		"X-Forwarded-For": {"192.0.2.7"}, "X-Forwarded-Host": {"desk.example:6080"}, "X-Forwarded-Method": {"GET"},
		"X-Forwarded-Proto": {"http"}, "X-Forwarded-Uri": {"/websockify?a=b%20c"},
		"X-Original-Method": {"GET"}, "X-Original-Url": {"http://desk.example:6080/websockify?a=b%20c"},
	}
	if diff := cmp.Diff(want, got); diff != "" || method != "GET" || uri != "/verify?x=1" || "http://"+host != s.URL {
		t.Error(method, host, uri, diff)
	}
	// By TLS, behind a trusted proxy, and with other headers.
	r = visitor("alice")
	r.TLS = &tls.ConnectionState{}
	r.Header.Set("X-Forwarded-Host", "evil")
	if _, err := d.Decide(r); err != nil || got.Get("X-Forwarded-Proto") != "https" || got.Get("X-Forwarded-Host") != "desk.example:6080" || got.Get("X-Original-Url") != "https://desk.example:6080/websockify?a=b%20c" {
		t.Error(got, err)
	}
	d.Auth.(*ForwardAuth).Origin = func(*http.Request) (string, string) { return "https", "public.example" }
	if _, err := d.Decide(visitor("alice")); err != nil || got.Get("X-Forwarded-Proto") != "https" || got.Get("X-Forwarded-Host") != "public.example" || got.Get("X-Original-Url") != "https://public.example/websockify?a=b%20c" {
		t.Error(got, err)
	}
	d = newForward(t, s.URL+"#headers=cookie,X-Api-Key&user=X-Who")
	r = visitor("alice")
	r.Header.Set("X-Api-Key", "k")
	r.Header.Set("Authorization", "Bearer abc")
	decision, err = d.Decide(r)
	if err != nil || decision.User != "alice@desk" || got.Get("X-Api-Key") != "k" || got.Get("Authorization") != "" {
		t.Error(decision, err, got)
	}
}

// What each answer is worth to the client, at an upgrade and at a page.
func TestForwardAuthAnswers(t *testing.T) {
	s := authServer(t, nil)
	s.Start()
	d := newForward(t, s.URL)
	page := d.Guard(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "page") }))
	const failed = "502 the credentials cannot be checked now"
	for session, want := range map[string]string{
		"alice": "200 page", "nameless": "200 page", "large": "200 page",
		"":        `401 the authentication server asks who you are WWW-Authenticate: [Basic realm="desk"]`,
		"blocked": "403 the authentication server says you may not enter",
		"old":     "302 the authentication server sends you to another page first Location: [https://auth.example/?rd=https://desk.example:6080/websockify?a=b%20c] Set-Cookie: [session=; Max-Age=0]",
		"nowhere": failed, "cached": failed, "broken": failed, "limited": failed, "odd": failed, "long": failed, "heady": failed, "rude": failed,
	} {
		w := httptest.NewRecorder()
		page.ServeHTTP(w, visitor(session))
		got := fmt.Sprintf("%d %s", w.Code, strings.TrimSpace(w.Body.String()))
		for _, name := range []string{"Location", "Set-Cookie", "WWW-Authenticate", "X-Internal"} {
			if values := w.Header().Values(name); len(values) > 0 {
				got += fmt.Sprintf(" %s: %s", name, values)
			}
		}
		if got != want {
			t.Errorf("%s: %s\nwant %s", session, got, want)
		}
		if _, err := d.Decide(visitor(session)); (err == nil) != (w.Code == 200) || err != nil && err.(*Refusal).Status != w.Code {
			t.Errorf("%s: the upgrade is answered %v, the page %d", session, err, w.Code)
		}
	}
	if log := d.log.String(); !strings.Contains(log, "the server answered 500") {
		t.Error(log)
	}
	d.Timeout = time.Second / 10
	if got := d.ask(t, ""); !strings.HasPrefix(got, "Unauthorized") {
		t.Error(got)
	}
	if _, err := d.Decide(visitor("slow")); err == nil || err.(*Refusal).Status != 502 || !strings.Contains(d.log.String(), "there was no answer in time") {
		t.Error(err, d.log)
	}
	s.Close()
	if _, err := d.Decide(visitor("alice")); err == nil || err.(*Refusal).Status != 502 {
		t.Error("a server that is gone lets in:", err)
	}
}

// Wrong passwords are guesses; a page that asks for a first one is none.
func TestForwardAuthGuesses(t *testing.T) {
	s := authServer(t, nil)
	s.Start()
	d := newForward(t, s.URL)
	d.Address = nil
	for range 2 * guessBurst {
		if _, err := d.Decide(visitor("")); err.(*Refusal).Status != 401 {
			t.Fatal(err)
		}
	}
	statuses := map[int]int{}
	for range guessBurst + 1 {
		r := visitor("")
		r.SetBasicAuth("alice", "wrong")
		_, err := d.Decide(r)
		statuses[err.(*Refusal).Status]++
	}
	if statuses[401] != guessBurst || statuses[429] != 1 {
		t.Error(statuses)
	}
}

// A hundred clients in turn take one connection; many at once are told apart.
func TestForwardAuthConnections(t *testing.T) {
	s := authServer(t, nil)
	var connections atomic.Int32
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	s.Start()
	d := newForward(t, s.URL)
	for i := range 100 {
		if _, err := d.Decide(visitor([]string{"alice", "", "blocked", "old"}[i%4])); (err == nil) != (i%4 == 0) {
			t.Fatal(i, err)
		}
	}
	if n := connections.Load(); n != 1 {
		t.Errorf("%d connections for 100 requests in turn", n)
	}
	var all sync.WaitGroup
	for i := range 60 {
		all.Go(func() {
			if decision, err := d.Decide(visitor([]string{"alice", "nameless", "blocked"}[i%3])); (err == nil) != (i%3 != 2) || err == nil && (decision.User == "alice") != (i%3 == 0) {
				t.Error(i, decision, err)
			}
		})
	}
	all.Wait()
}

// A certificate nobody vouches for is not talked to, unless it is named.
func TestForwardAuthTLS(t *testing.T) {
	var asked atomic.Int32
	s := authServer(t, func(*http.Request) { asked.Add(1) })
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // of the handshake that fails
	s.StartTLS()
	if _, err := newForward(t, s.URL).Decide(visitor("alice")); err == nil || err.(*Refusal).Status != 502 || asked.Load() != 0 {
		t.Error(err, asked.Load())
	}
	var text bytes.Buffer
	if err := pem.Encode(&text, &pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}); err != nil {
		t.Fatal(err)
	}
	if decision, err := newForward(t, s.URL+"#ca="+temp(t, text.String())).Decide(visitor("alice")); err != nil || decision.User != "alice" {
		t.Error(decision, err)
	}
}

func TestForwardAuthSources(t *testing.T) {
	for source, want := range map[string]string{
		"":                                    "its source is missing",
		"auth.example":                        "no URL",
		"ftp://auth.example":                  "no URL",
		"http://h/#user=":                     "name headers",
		"http://h/#user=a:b":                  "name headers",
		"http://h/#headers=Cookie,a%0Ab":      "name headers",
		"http://h/#headers=X-Forwarded-User":  "may not name",
		"http://h/#headers=x-original-url":    "may not name",
		"http://h/#headers=Cookie,Connection": "may not name",
		"http://h/#ca=/no/such":               "no such file",
		"http://h/#headrs=x":                  "unknown option",
	} {
		if auth, err := OpenAuth("ForwardAuth", source, nil); err == nil || auth != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", source, err, want)
		}
	}
}
