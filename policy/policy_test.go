package policy

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// journal is a log to look into.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

func (j *journal) logger() *slog.Logger { return slog.New(slog.NewTextHandler(j, nil)) }

// desk is a policy with one token source, and its log.
type desk struct {
	*Policy
	log *journal
}

func newDesk(t *testing.T, plugin, source string) *desk {
	t.Helper()
	log := &journal{}
	tokens, err := OpenTokens(plugin, source, log.logger())
	if err != nil {
		t.Fatalf("OpenTokens(%s): %v", plugin, err)
	}
	d := &desk{&Policy{Tokens: tokens, Log: log.logger(), Timeout: time.Minute}, log}
	// A refused guess is no matter of these tests, unless they say so.
	d.Address = func(*http.Request) string { return "" }
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error("Close:", err)
		}
	})
	return d
}

// upgrade is what a browser that has this token asks.
func upgrade(token string) *http.Request {
	r := httptest.NewRequest("GET", "/websockify?token="+url.QueryEscape(token), nil)
	r.Header.Set("Upgrade", "websocket")
	return r
}

// ask gives the target, or "STATUS reason".
func (d *desk) ask(t *testing.T, token string) string {
	t.Helper()
	d.guesses = guesses{}
	decision, err := d.Decide(upgrade(token))
	if err == nil {
		return decision.Target.String()
	}
	var refusal *Refusal
	if !errors.As(err, &refusal) {
		t.Fatalf("Decide's error is %T, want a *Refusal", err)
	}
	for _, said := range []string{refusal.Reason, d.log.String()} {
		if len(token) > 6 && strings.Contains(said, token) {
			t.Errorf("the token is in what is said: %.300q", said)
		}
	}
	return http.StatusText(refusal.Status) + ": " + refusal.Reason
}

const unknown = "Not Found: unknown token"

// hostile is what clients send who want out of a directory, into a query, or
// into a header; none of it is a token.
func hostile() []string {
	return []string{
		"nobody-has-this", ".", "..", "../outside", "../../etc/passwd", "/etc/passwd", "sub/../../outside",
		"..%2foutside", "%2e%2e/outside", "%", "%s%s%n", "%00", "good\x00", "\x00", "good\x00.sock",
		"good\r\nX-Evil: yes", "good\n#", "good ", " good", "good?x=y&token=good", "good#x", "good/", "good/..",
		"..\\outside", "C:\\outside", "CON", "{}", `{"host":"evil:1"}`, `"`, "'; GET x", "\xff\xfe", "é́", "*", "[]",
		"leads-out", "loop", "fifo", ".hidden", "backup~", "sub", strings.Repeat("a", 300), strings.Repeat("../", 2000) + "etc/passwd",
		strings.Repeat("A", 1<<20), strings.Repeat("A.", 1<<19),
	}
}

// refuseHostile asks for all of it. What may also be the good token is said by
// the source: file names have no last slash, for one.
func (d *desk) refuseHostile(t *testing.T, orGood ...string) {
	t.Helper()
	for _, token := range hostile() {
		got := d.ask(t, token)
		good := false
		for _, s := range orGood {
			good = good || s == token
		}
		if !good && got != unknown {
			t.Errorf("hostile token %.40q: %s", token, got)
		}
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func temp(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	write(t, name, text)
	return name
}

// Without Tokens, Decide only authenticates; without Auth, everybody may enter.
func TestZeroPolicy(t *testing.T) {
	d, err := new(Policy).Decide(upgrade("x"))
	if err != nil || d != (Decision{}) {
		t.Errorf("Decide = %+v, %v", d, err)
	}
	if err := new(Policy).Close(); err != nil {
		t.Error(err)
	}
	if got := new(Policy).timeout(); got != 5*time.Second {
		t.Error("a lookup may last", got)
	}
}

// Who has no credentials gets the same answer for every token, there or not.
func TestNoTokenOracle(t *testing.T) {
	auth, err := OpenAuth("BasicHTTPAuth", "alice:secret", nil)
	if err != nil {
		t.Fatal(err)
	}
	d := newDesk(t, "TokenFile", temp(t, "good: desk:5900\n"))
	d.Auth = auth
	want := d.ask(t, "good")
	if !strings.HasPrefix(want, "Unauthorized") {
		t.Fatal(want)
	}
	for _, token := range append(hostile(), "") {
		if got := d.ask(t, token); got != want {
			t.Errorf("%.40q: %q, but for a good token %q", token, got, want)
		}
	}
	for token, want := range map[string]string{"good": "desk:5900", "bad": unknown, "": "Forbidden: the token is missing"} {
		r := upgrade(token)
		r.SetBasicAuth("alice", "secret")
		decision, err := d.Decide(r)
		got := decision.Target.String()
		if err != nil {
			got = http.StatusText(err.(*Refusal).Status) + ": " + err.Error()
		}
		if got != want || err == nil && decision.User != "alice" {
			t.Errorf("with credentials, %q: %q, user %q; want %q", token, got, decision.User, want)
		}
	}
}

// Ten wrong tokens or passwords, and then one a second; a right one does not
// help, another address is not concerned.
func TestGuessesAreSlowed(t *testing.T) {
	d := newDesk(t, "TokenFile", temp(t, "good: desk:5900\n"))
	d.Address = nil
	status := func(token, remote string) int {
		r := upgrade(token)
		r.RemoteAddr = remote
		if _, err := d.Decide(r); err != nil {
			return err.(*Refusal).Status
		}
		return 200
	}
	for range 30 {
		if got := status("good", "192.0.2.7:1"); got != 200 {
			t.Fatal("a right token is no guess, but got", got)
		}
		if got := status("", "192.0.2.7:1"); got != 403 {
			t.Fatal("no token is no guess, but got", got)
		}
	}
	for i := range guessBurst {
		if got := status("wrong", "192.0.2.7:1"); got != 404 {
			t.Fatalf("guess %d: %d", i, got)
		}
	}
	for _, token := range []string{"wrong", "good", ""} {
		r := upgrade(token)
		r.RemoteAddr = "[::ffff:192.0.2.7]:2"
		_, err := d.Decide(r)
		refusal, ok := err.(*Refusal)
		if !ok || refusal.Status != 429 || refusal.Header.Get("Retry-After") == "" {
			t.Errorf("%q after too many guesses: %+v", token, err)
		}
	}
	if got := status("good", "192.0.2.8:1"); got != 200 {
		t.Error("another address:", got)
	}
}

// Guesses made at once are all owed, and paid back with time; a whole IPv6 /64
// is one client; the table stays small.
func TestGuessBook(t *testing.T) {
	var g guesses
	now := time.Unix(1e9, 0)
	for range 25 {
		g.add("2001:db8::1", now)
	}
	if got := g.wait("2001:db8::ffff", now); got != 16*time.Second {
		t.Errorf("wait = %v, want 16s for 25 guesses less 10", got)
	}
	if got := g.wait("2001:db8:0:1::1", now); got != 0 {
		t.Errorf("another network waits %v", got)
	}
	if got := g.wait("2001:db8::1", now.Add(16*time.Second)); got != 0 {
		t.Errorf("after the wait: %v", got)
	}
	for i := range maxAddresses + 500 {
		g.add("host"+strings.Repeat("x", i%7)+time.Duration(i).String(), now)
	}
	if len(g.clients) > maxAddresses {
		t.Errorf("%d addresses are remembered", len(g.clients))
	}
	if g.wait("2001:db8::1", now) == 0 {
		t.Error("who owes most was forgotten first")
	}
	g.add("late", now.Add(time.Hour))
	if len(g.clients) != 1 {
		t.Errorf("%d addresses are remembered that owe nothing", len(g.clients)-1)
	}
}

// The guard gives the page to who is let in, and a whole answer to who is not.
func TestGuard(t *testing.T) {
	auth, err := OpenAuth("BasicHTTPAuth", "alice:secret", nil)
	if err != nil {
		t.Fatal(err)
	}
	p := &Policy{Auth: auth}
	page := p.Guard(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("page")) }))
	for _, method := range []string{"GET", "HEAD"} {
		w, r := httptest.NewRecorder(), httptest.NewRequest(method, "/vnc.html", nil)
		page.ServeHTTP(w, r)
		if w.Code != 401 || !strings.HasPrefix(w.Header().Get("WWW-Authenticate"), `Basic realm="Websockify"`) {
			t.Errorf("%s without credentials: %d %v", method, w.Code, w.Header())
		}
		if strings.Contains(w.Body.String(), "page") {
			t.Error("the page came with the refusal")
		}
		w = httptest.NewRecorder()
		r.SetBasicAuth("alice", "secret")
		page.ServeHTTP(w, r)
		if w.Code != 200 || w.Body.String() != "page" {
			t.Errorf("%s with credentials: %d %q", method, w.Code, w.Body)
		}
	}
}

// Every plugin can be had by its short and its long name; an unknown one is
// told which there are; no message has the source in it.
func TestOpen(t *testing.T) {
	tests := []struct{ plugin, source, want string }{
		{"NoSuch", "x", "token plugin NoSuch: there is none of that name: known are BaseTokenAPI, JSONTokenApi, JWTTokenApi"},
		{"mymodule.MyPlugin", "x", "there is none of that name"},
		{"", "x", "there is none of that name"},
		{"TokenFile", "", "its source is missing"},
		{"websockify.token_plugins.TokenFile", "", "token plugin TokenFile: its source"},
		{"TokenFileName", "/no/such/dir", "no such file"},
		{"UnixDomainSocketDirectory", os.Args[0], "is not a directory"},
		{"BaseTokenAPI", "http://host/secret", "not one %s"},
		{"BaseTokenAPI", "http://host/%s/%s", "not one %s"},
		{"BaseTokenAPI", "http://%s/secret", "name the host"},
		{"BaseTokenAPI", "http://%s.example/secret", "name the host"},
		{"JSONTokenApi", "ftp://host/%s", "no URL"},
		{"JWTTokenApi", "/no/such/key", "no such file"},
		{"JWTTokenApi", "/no/such/key#audience=x", `unknown option "audience"`},
		{"JWTTokenApi", "/no/such/key#alg=none", `unknown alg "none"`},
		{"JWTTokenApi", "/no/such/key#leeway=soon", "no time"},
		{"TokenRedis", "h:99999", "port is no number"},
		{"TokenRedis", "redis://u:secret@h:1:2/x", "not one of Redis"},
		{"TokenRedis", "redis://u:a#secret@h:1", "is no option"},
		{"exec", "/no/such/program secret", "no such file"},
		{"exec:", "", "its source is missing"},
		{"exec:/bin/true", "twice", "two sources"},
		{"http://host/", "twice", "two sources"},
		{"http", "secret", "no URL"},
		{"http", "http://host/#header=X", "unknown option"},
	}
	for _, tt := range tests {
		lookup, err := OpenTokens(tt.plugin, tt.source, nil)
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s %s: %v; want %q and no secret", tt.plugin, tt.source, err, tt.want)
		}
		if lookup != nil {
			t.Errorf("%s %s: there is a Lookup beside the error", tt.plugin, tt.source)
		}
	}
	for _, plugin := range []string{"websockify.token_plugins.ReadOnlyTokenFile", "TokenFile"} {
		if _, err := OpenTokens(plugin, temp(t, ""), nil); err != nil {
			t.Error(plugin, err)
		}
	}
}
