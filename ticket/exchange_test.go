package ticket

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// swap is what a browser asks and gets.
func (o *office) swap(r *http.Request) *http.Response {
	w := httptest.NewRecorder()
	(&Exchange{Inspector: o.inspector}).ServeHTTP(w, r)
	return w.Result()
}

func link(ticket, to string) *http.Request {
	query := url.Values{"ticket": {ticket}, "to": {to}}
	return httptest.NewRequest("GET", ExchangePath+"?"+query.Encode(), nil)
}

// A link with a ticket becomes a cookie and a page. The cookie lets in once; the
// link is worth nothing any more.
func TestExchange(t *testing.T) {
	o := newOffice(t)
	text := o.mint(t, claims())
	resp := o.swap(link(text, "/vnc.html?autoconnect=1#x"))
	if resp.StatusCode != 303 || resp.Header.Get("Location") != "/vnc.html?autoconnect=1#x" || resp.Header.Get("Cache-Control") != "no-store" || resp.Header.Get("Referrer-Policy") != "no-referrer" {
		t.Fatal(resp.StatusCode, resp.Header)
	}
	cookie := resp.Cookies()[0]
	if got, want := strings.Replace(resp.Header.Get("Set-Cookie"), cookie.Value, "VALUE", 1), "wsbridge-ticket=VALUE; Path=/; Max-Age=60; HttpOnly; SameSite=Strict"; got != want {
		t.Errorf("Set-Cookie: %s, want %s", got, want)
	}
	if len(cookie.Value) != len("pass.")+43 || strings.Contains(text, cookie.Value) {
		t.Errorf("the pass %q is not 256 random bits", cookie.Value)
	}
	if got := o.enter(anybody(), text); got != "the ticket was used already" {
		t.Error("the link's ticket:", got)
	}
	if resp := o.swap(link(text, "")); resp.StatusCode != 403 || resp.Header.Get("Set-Cookie") != "" {
		t.Error("the link again:", resp.StatusCode, resp.Header)
	}
	if n := rush(100, func() bool { return o.enter(anybody(), cookie.Value) == "desk:5900" }); n != 1 {
		t.Errorf("%d entered by the cookie", n)
	}
	if got := o.enter(anybody(), cookie.Value); got != "the ticket was used already" {
		t.Error("the cookie again:", got)
	}
}

// A pass has no more rights than its ticket had.
func TestPassIsBound(t *testing.T) {
	o := newOffice(t)
	c := claims()
	client("192.0.2.0/24")(&c)
	onlyOn("/vnc/")(&c)
	text := o.mint(t, c)
	if resp := o.swap(from("198.51.100.1:1", ExchangePath+"?ticket="+text)); resp.StatusCode != 403 {
		t.Fatal("exchanged elsewhere:", resp.StatusCode)
	}
	pass := o.swap(link(text, "")).Cookies()[0].Value
	for _, tt := range []struct {
		remote, path string
		late         time.Duration
		want         string
	}{
		{"198.51.100.1:1", "/vnc/a", 0, "the ticket is not for your address"},
		{"192.0.2.7:1", "/", 0, "the ticket is not for this path"},
		{"192.0.2.7:1", "/vnc/a", 70 * time.Second, "the ticket has expired"},
		{"192.0.2.7:1", "/vnc/a", 0, "desk:5900"},
	} {
		o.now = noon.Add(tt.late)
		if got := o.enter(from(tt.remote, tt.path), pass); got != tt.want {
			t.Errorf("%+v: %s", tt, got)
		}
	}
	o.now = noon.Add(time.Hour)
	if got := o.enter(from("192.0.2.7:1", "/vnc/a"), pass); got != "the pass is unknown, or has expired" {
		t.Error("an hour later:", got)
	}
}

// A ticket without once is its own cookie, and costs no memory.
func TestExchangeOften(t *testing.T) {
	o := newOffice(t)
	c := claims()
	c.Once = false
	text := o.mint(t, c)
	for range 3 {
		if got := o.swap(link(text, "")).Cookies()[0].Value; got != text {
			t.Errorf("the cookie is %q", got)
		}
	}
	if m := o.inspector.Store.(*Memory); len(m.entries) != 0 {
		t.Errorf("%d entries are remembered", len(m.entries))
	}
}

func TestExchangeByPost(t *testing.T) {
	o := newOffice(t)
	post := func(body string) *http.Response {
		r := httptest.NewRequest("POST", ExchangePath+"?ticket=ignored", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		return o.swap(r)
	}
	form := url.Values{"ticket": {o.mint(t, claims())}, "to": {"/a"}}.Encode()
	if resp := post(form); resp.StatusCode != 303 || resp.Header.Get("Location") != "/a" {
		t.Error(resp.StatusCode, resp.Header)
	}
	if resp := post("ticket=" + strings.Repeat("a", maxForm)); resp.StatusCode != 400 {
		t.Error("a form without end:", resp.StatusCode)
	}
	if resp := post(""); resp.StatusCode != 403 {
		t.Error("no form:", resp.StatusCode)
	}
}

// Behind TLS the cookie never goes without; a proxy's TLS counts if that is
// what the bridge says.
func TestSecureCookie(t *testing.T) {
	o := newOffice(t)
	r := link(o.mint(t, claims()), "")
	r.TLS = &tls.ConnectionState{}
	if c := o.swap(r).Cookies()[0]; !c.Secure {
		t.Error("not secure:", c)
	}
	c := claims()
	c.ID = ""
	w := httptest.NewRecorder()
	behind := &Exchange{Inspector: o.inspector, Cookie: "desk", Secure: func(*http.Request) bool { return true }}
	behind.ServeHTTP(w, link(o.mint(t, c), ""))
	if c := w.Result().Cookies()[0]; !c.Secure || c.Name != "desk" {
		t.Error(c)
	}
}

// What is refused is refused before the ticket is spent, and leads nobody to
// another site.
func TestExchangeRefuses(t *testing.T) {
	o := newOffice(t)
	text := o.mint(t, claims())
	for name, tt := range map[string]struct {
		request *http.Request
		status  int
	}{
		"HEAD":     {with(link(text, ""), func(r *http.Request) { r.Method = "HEAD" }), 405},
		"DELETE":   {with(link(text, ""), func(r *http.Request) { r.Method = "DELETE" }), 405},
		"prefetch": {with(link(text, ""), func(r *http.Request) { r.Header.Set("Sec-Purpose", "prefetch;prerender") }), 503},
		"none":     {link("", ""), 403},
		"forged":   {link("abc", ""), 404},
	} {
		resp := o.swap(tt.request)
		if resp.StatusCode != tt.status || resp.Header.Get("Set-Cookie") != "" || resp.Header.Get("Location") != "" {
			t.Errorf("%s: %d %v", name, resp.StatusCode, resp.Header)
		}
	}
	for _, to := range []string{
		"https://evil.example/", "//evil.example", "///evil.example", "////evil.example", `/\evil.example`, `\\evil.example`, `/a\b`,
		"javascript:alert(1)", "data:text/html,x", " //evil.example", "/\t/evil.example", "\n//evil.example", "/a\r\nX-Evil: 1",
		"https:/evil.example", "https:evil.example", "http:", "evil.example:80", "@evil.example:1", "/%zz", "?x", "#x", "/é", "/" + strings.Repeat("a", maxWhereTo),
	} {
		if resp := o.swap(link(text, to)); resp.StatusCode != 400 || resp.Header.Get("Location") != "" {
			t.Errorf("to %.40q: %d %v", to, resp.StatusCode, resp.Header)
		}
	}
	if got := o.enter(anybody(), text); got != "desk:5900" {
		t.Error("and after all that the ticket is:", got)
	}
	for to, want := range map[string]string{"": "../", "/": "/", "vnc.html": "vnc.html", "../a/b?c=//d#e": "../a/b?c=//d#e", "/a//b": "/a//b", "/%2f/evil": "/%2f/evil"} {
		c := claims()
		c.ID = ""
		if resp := o.swap(link(o.mint(t, c), to)); resp.StatusCode != 303 || resp.Header.Get("Location") != want {
			t.Errorf("to %q: %d, Location %q", to, resp.StatusCode, resp.Header.Get("Location"))
		}
	}
}

func with(r *http.Request, change func(*http.Request)) *http.Request {
	change(r)
	return r
}

// broken is a Store that answers nothing.
type broken struct{}

func (broken) Spend(context.Context, string, time.Time, time.Time) error {
	return unknown(errors.New("no route"))
}

func (broken) Keep(context.Context, string, []byte, time.Time) error {
	return unknown(errors.New("no route"))
}

func (broken) Find(context.Context, string) ([]byte, error) {
	return nil, unknown(errors.New("no route"))
}

// A Store that is down lets nobody in and gives no cookie; the log says why, and
// has no ticket in it.
func TestStoreDown(t *testing.T) {
	o := newOffice(t)
	o.inspector.Store = broken{}
	text := o.mint(t, claims())
	if got := o.enter(anybody(), text); got != reasonUnknown {
		t.Error(got)
	}
	var log strings.Builder
	exchange := &Exchange{Inspector: o.inspector, Log: slog.New(slog.NewTextHandler(&log, nil))}
	w := httptest.NewRecorder()
	exchange.ServeHTTP(w, link(text, ""))
	if w.Code != 503 || !strings.Contains(w.Body.String(), reasonUnknown) || w.Header().Get("Set-Cookie") != "" {
		t.Error(w.Code, w.Body, w.Header())
	}
	o.inspector.Keys = func() ([]ed25519.PublicKey, error) { return nil, errors.New("gone") }
	w = httptest.NewRecorder()
	exchange.ServeHTTP(w, link(text, ""))
	if w.Code != 502 {
		t.Error("without keys:", w.Code)
	}
	if s := log.String(); !strings.Contains(s, "no route") || !strings.Contains(s, "gone") || strings.Contains(s, text) {
		t.Error(s)
	}
}

// When no pass can be kept the ticket is gone: better one link lost than one
// that lets in twice.
func TestNoRoomForPass(t *testing.T) {
	o := newOffice(t)
	o.inspector.Store = NewMemory(entryCost+60, func() time.Time { return o.now })
	text := o.mint(t, claims())
	if resp := o.swap(link(text, "")); resp.StatusCode != 503 || resp.Header.Get("Set-Cookie") != "" {
		t.Error(resp.StatusCode, resp.Header)
	}
	if got := o.enter(anybody(), text); got != "the ticket was used already" {
		t.Error(got)
	}
}
