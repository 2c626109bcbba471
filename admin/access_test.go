package admin

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestWhereItMayListen(t *testing.T) {
	tcp := func(ip string) net.Addr { return &net.TCPAddr{IP: net.ParseIP(ip), Port: 9090} }
	for _, c := range []struct {
		at    net.Addr
		token string
		want  string // part of the error; "": none
	}{
		{tcp("127.0.0.1"), "", ""},
		{tcp("127.8.9.1"), "", ""},
		{tcp("::1"), "", ""},
		{&net.UnixAddr{Net: "unix", Name: "/run/admin.sock"}, "", ""},
		{tcp("0.0.0.0"), "", "0.0.0.0:9090 could be reached by strangers: set a token"},
		{tcp("::"), "", "set a token"},
		{tcp("192.0.2.1"), "", "set a token"},
		{tcp("0.0.0.0"), testToken, ""},
		{tcp("127.0.0.1"), "short", "too short: take 16 characters"},
		{tcp("0.0.0.0"), testToken[:15], "too short"},
		{tcp("0.0.0.0"), testToken[:16], ""},
	} {
		a := &Admin{Token: c.token}
		if err := a.Check(c.at); !told(err, c.want) {
			t.Errorf("%v, token %q: %v, want %q", c.at, c.token, err, c.want)
		}
	}
}

// told says whether err has the words.
func told(err error, words string) bool {
	if err == nil || words == "" {
		return err == nil && words == ""
	}
	return strings.Contains(err.Error(), words)
}

// What may not listen there does not, whatever it was told.
func TestServeRefusesStrangersWithoutToken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := (&Admin{Bridge: newFake()}).Serve(ctx, public{l}); !told(err, "set a token") {
		t.Error(err)
	}
	if _, err := l.Accept(); err == nil {
		t.Error("the listener is still open")
	}
}

// public is a listener that says it is on another address.
type public struct{ net.Listener }

func (public) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4zero, Port: 9090} }

func TestToken(t *testing.T) {
	bridge := busy()
	a := &Admin{Bridge: bridge, Token: testToken}
	at := start(t, a)
	cookie := func(value string) string { return "Cookie: " + cookieName + "=" + value }
	good := a.cookie(time.Now().Add(time.Hour))
	later := a.cookie(time.Now().Add(2 * time.Hour))
	other := &Admin{Token: testToken + "x"}
	for _, c := range []struct {
		name   string
		header []string
		want   int
	}{
		{"no token", nil, 401},
		{"token", []string{bearer(testToken)}, 200},
		{"scheme in small letters", []string{"Authorization: bearer " + testToken}, 200},
		{"wrong token", []string{bearer("0123456789abcdef0124")}, 401},
		{"part of the token", []string{bearer(testToken[:16])}, 401},
		{"more than the token", []string{bearer(testToken + "x")}, 401},
		{"empty token", []string{bearer("")}, 401},
		{"another scheme", []string{"Authorization: Basic " + testToken}, 401},
		{"cookie", []string{cookie(good)}, 200},
		{"old cookie", []string{cookie(a.cookie(time.Now().Add(-time.Second)))}, 401},
		{"cookie made longer", []string{cookie(strings.Split(later, ".")[0] + "." + strings.Split(good, ".")[1])}, 401},
		{"cookie of another token", []string{cookie(other.cookie(time.Now().Add(time.Hour)))}, 401},
		{"the token as cookie", []string{cookie(testToken)}, 401},
		{"empty cookie", []string{cookie("")}, 401},
		{"wrong cookie, then the good one", []string{cookie("1.2"), cookie(good)}, 200},
	} {
		for _, path := range []string{"/metrics", "/sessions", "/debug/pprof/", "/offers.json", "/debug/pprof/goroutine?debug=1"} {
			if got := ask(t, "GET", at+path, c.header...); got.status != c.want {
				t.Errorf("%s: %s: %d %s", c.name, path, got.status, got.body)
			}
		}
	}
	for _, path := range []string{"/events", "/status.html", "/no/such/page"} {
		if got := ask(t, "GET", at+path); got.status != 401 || !strings.Contains(got.body, "Authorization: Bearer") {
			t.Errorf("%s for strangers: %d %s", path, got.status, got.body)
		}
	}
	if got := ask(t, "DELETE", at+"/sessions/a1"); got.status != 401 || len(bridge.Sessions()) != 2 {
		t.Errorf("a stranger ends a session: %d, %d are left", got.status, len(bridge.Sessions()))
	}
}

func FuzzCookie(f *testing.F) {
	a := &Admin{Token: testToken}
	now := time.Unix(1000, 0)
	good := a.cookie(time.Unix(2000, 0))
	for _, v := range []string{good, "", ".", "2000", "2000.", "+" + good, " " + good, good + "0", strings.ToUpper(good), "-1.00"} {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if a.isCookie(value, now) != (value == good) {
			t.Errorf("%q is taken for a cookie", value)
		}
	})
}

// A person opens the page, types the token wrong, then right, looks around and
// ends a session.
func TestLogin(t *testing.T) {
	bridge, log := busy(), &log{}
	at := start(t, &Admin{Bridge: bridge, Token: testToken, Log: log.logger()})
	html := "Accept: text/html,application/xhtml+xml,*/*;q=0.8"
	form := []string{html, "Content-Type: application/x-www-form-urlencoded", "Origin: " + at}

	page := ask(t, "GET", at+"/debug/pprof/heap", html)
	if page.status != 401 || !strings.Contains(page.body, `action="./../../login"`) || !strings.Contains(page.body, `type="password"`) {
		t.Errorf("login page: %d %s", page.status, page.body)
	}
	if csp := page.header.Get("Content-Security-Policy"); !strings.Contains(csp, "form-action 'self'") {
		t.Errorf("the form may not be sent: %s", csp)
	}
	_, style, _ := strings.Cut(page.body, "<style>")
	style, _, _ = strings.Cut(style, "</style>")
	sum := sha256.Sum256([]byte(style))
	if hash := base64.StdEncoding.EncodeToString(sum[:]); style == "" || !strings.Contains(page.header.Get("Content-Security-Policy"), hash) {
		t.Errorf("browsers will not take the style %q", style)
	}
	wrong := send(t, http.DefaultClient, "POST", at+"/login", url.Values{"token": {"abc"}}.Encode(), form...)
	if wrong.status != 401 || !strings.Contains(wrong.body, "That is not the token") || wrong.header.Get("Set-Cookie") != "" {
		t.Errorf("wrong token: %+v", wrong)
	}
	if !strings.Contains(log.String(), "wrong administrator's token") || strings.Contains(log.String(), "abc") {
		t.Errorf("log: %s", log)
	}
	right := send(t, http.DefaultClient, "POST", at+"/login", url.Values{"token": {" " + testToken + "\n"}}.Encode(), form...)
	if right.status != 303 || right.header.Get("Location") != "./status.html" {
		t.Errorf("right token: %+v", right)
	}
	set := right.header.Get("Set-Cookie")
	for _, must := range []string{"; HttpOnly", "; SameSite=Strict", "; Max-Age=43200"} {
		if !strings.Contains(set, must) {
			t.Errorf("cookie without %s: %s", must, set)
		}
	}
	if strings.Contains(set, testToken) {
		t.Errorf("the token is in the cookie: %s", set)
	}
	cookie := "Cookie: " + strings.Split(set, ";")[0]
	if got := ask(t, "GET", at+"/sessions", cookie); got.status != 200 {
		t.Errorf("logged in: %d %s", got.status, got.body)
	}
	if got := ask(t, "DELETE", at+"/sessions/a1", cookie, "Origin: "+at); got.status != 204 {
		t.Errorf("logged in, end a session: %d %s", got.status, got.body)
	}
}

// A form that is no form does not get far.
func TestLoginIsBounded(t *testing.T) {
	at := start(t, &Admin{Bridge: newFake(), Token: testToken})
	long := "x=" + strings.Repeat("x", maxForm) + "&token=" + testToken
	if got := send(t, http.DefaultClient, "POST", at+"/login", long, "Content-Type: application/x-www-form-urlencoded"); got.status != 401 {
		t.Errorf("%d, although the token comes too late", got.status)
	}
}

func TestOtherSites(t *testing.T) {
	const open, byToken, byCookie = "", "token", "cookie"
	for _, c := range []struct {
		name, who, method string
		header            []string
		want              int
	}{
		{"program", open, "DELETE", nil, 404},
		{"program with token", byToken, "DELETE", nil, 404},
		{"own page", open, "DELETE", []string{"Sec-Fetch-Site: same-origin", "Origin: SELF"}, 404},
		{"own page, old browser", byCookie, "DELETE", []string{"Origin: SELF"}, 404},
		{"own page behind a proxy that changes Host", byCookie, "DELETE", []string{"Sec-Fetch-Site: same-origin", "Origin: https://admin.example"}, 404},
		{"other site", open, "DELETE", []string{"Sec-Fetch-Site: cross-site", "Origin: https://evil.example"}, 403},
		{"other site, old browser", open, "DELETE", []string{"Origin: https://evil.example"}, 403},
		{"other site, cookie", byCookie, "DELETE", []string{"Origin: https://evil.example"}, 403},
		{"other port", open, "DELETE", []string{"Sec-Fetch-Site: same-site", "Origin: http://127.0.0.1:1"}, 403},
		{"other port, old browser", byCookie, "DELETE", []string{"Origin: http://127.0.0.1:1"}, 403},
		{"hidden origin", open, "DELETE", []string{"Origin: null"}, 403},
		{"origin that is none", open, "DELETE", []string{"Origin: http://%zz"}, 403},
		{"cookie, and nothing says from where", byCookie, "DELETE", nil, 403},
		{"other site's form", open, "POST", []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Origin: https://evil.example"}, 403},
		{"other site's form, old browser", byToken + " is not known", "POST", []string{"Origin: https://evil.example"}, 403},
		{"own form, old browser, wrong token", byToken + " is not known", "POST", []string{"Origin: SELF"}, 401},
		{"other site's link", open, "GET", []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate"}, 200},
		{"other site's image", open, "GET", []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors"}, 403},
		{"other site's fetch", byCookie, "GET", []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: cors", "Origin: https://evil.example"}, 403},
		{"address bar", open, "GET", []string{"Sec-Fetch-Site: none", "Sec-Fetch-Mode: navigate"}, 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := &Admin{Bridge: newFake()}
			header := c.header
			switch a.Token = testToken; c.who {
			case open:
				a.Token = ""
			case byToken:
				header = with(header, bearer(testToken))
			case byCookie:
				header = with(header, "Cookie: "+cookieName+"="+a.cookie(time.Now().Add(time.Hour)))
			}
			at := start(t, a)
			for i := range header {
				header[i] = strings.Replace(header[i], "SELF", at, 1)
			}
			path := map[string]string{"GET": "/sessions", "POST": "/login", "DELETE": "/sessions/none"}[c.method]
			got := ask(t, c.method, at+path, header...)
			if got.status != c.want || c.want == 403 && got.body != "another site's page asks for this\n" {
				t.Errorf("%d %s, want %d", got.status, got.body, c.want)
			}
		})
	}
}

// Without a token, a name that somebody made lead to loopback is no way in.
func TestRebinding(t *testing.T) {
	at := start(t, &Admin{Bridge: newFake(), Names: []string{"Admin.example"}})
	guarded := start(t, &Admin{Bridge: newFake(), Token: testToken})
	for host, want := range map[string]int{
		"localhost": 200, "LocalHost:9090": 200, "127.0.0.1:9090": 200, "127.0.0.9": 200, "[::1]:9090": 200, "[::1]": 200,
		"admin.example": 200, "admin.EXAMPLE:9090": 200,
		"evil.example": 403, "localhost.evil.example": 403, "127.0.0.1.evil.example": 403, "192.0.2.1": 403, "localhost.": 403,
		"evil.example:9090": 403, "admin.example.evil.example": 403,
	} {
		got := ask(t, "GET", at+"/sessions", "Host: "+host)
		if got.status != want || want == 403 && !strings.Contains(got.body, fmt.Sprintf("%q", host)) {
			t.Errorf("%s: %d %s, want %d", host, got.status, got.body, want)
		}
		if got := ask(t, "GET", guarded+"/sessions", "Host: "+host, bearer(testToken)); got.status != 200 {
			t.Errorf("%s, with a token: %d %s", host, got.status, got.body)
		}
	}
}

// No browser gets to a unix socket: any name will do.
func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Skip("no unix sockets here: ", err)
	}
	serve(t, &Admin{Bridge: newFake()}, l)
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}}
	t.Cleanup(transport.CloseIdleConnections)
	if got := send(t, &http.Client{Transport: transport}, "GET", "http://anything/sessions", ""); got.status != 200 {
		t.Errorf("%d %s", got.status, got.body)
	}
}

// Every answer has the headers that keep browsers from harm.
func TestHeaders(t *testing.T) {
	at := start(t, &Admin{Bridge: newFake(), Token: testToken})
	for _, path := range []string{"/metrics", "/livez", "/sessions", "/debug/pprof/", "/debug/pprof/cmdline", "/status.html", "/none"} {
		for _, header := range [][]string{nil, {bearer(testToken)}, {"Accept: text/html"}} {
			got := ask(t, "GET", at+path, header...).header
			if got.Get("X-Content-Type-Options") != "nosniff" || !strings.HasPrefix(got.Get("Content-Security-Policy"), "default-src 'none'") ||
				!strings.HasPrefix(got.Get("Cache-Control"), "no-") || got.Get("Cross-Origin-Resource-Policy") != "same-origin" {
				t.Errorf("%s %v: %v", path, header, got)
			}
		}
	}
}
