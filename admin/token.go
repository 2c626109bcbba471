package admin

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	loginPath   = "/login"
	maxForm     = 4 << 10 // bytes
	cookieName  = "wsbridge_admin"
	cookieHours = 12
)

// visitor is who asks.
type visitor uint8

const (
	stranger visitor = iota
	anybody          // no token is asked for
	browser          // by a cookie
	program          // by the token itself
)

// visitor tells by what r brings.
func (a *Admin) visitor(r *http.Request) visitor {
	if a.Token == "" {
		return anybody
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if strings.EqualFold(scheme, "Bearer") && a.isToken(strings.TrimSpace(token)) {
		return program
	}
	for _, c := range r.CookiesNamed(cookieName) {
		if a.isCookie(c.Value, time.Now()) {
			return browser
		}
	}
	return stranger
}

// isToken compares in constant time; the hashes hide the length too.
func (a *Admin) isToken(token string) bool {
	got, want := sha256.Sum256([]byte(token)), sha256.Sum256([]byte(a.Token))
	return subtle.ConstantTimeCompare(got[:], want[:]) == 1
}

// cookie is good until a time, in whole seconds. It holds nothing that the
// token could be had from, and dies with the token.
func (a *Admin) cookie(until time.Time) string {
	end := strconv.FormatInt(until.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(a.Token))
	mac.Write([]byte("wsbridge administrator until " + end))
	return fmt.Sprintf("%s.%x", end, mac.Sum(nil))
}

func (a *Admin) isCookie(value string, now time.Time) bool {
	end, _, _ := strings.Cut(value, ".")
	seconds, err := strconv.ParseInt(end, 10, 64)
	until := time.Unix(seconds, 0)
	return err == nil && now.Before(until) && hmac.Equal([]byte(value), []byte(a.cookie(until)))
}

// open says what strangers may ask for.
func open(r *http.Request) bool {
	return r.URL.Path == livePath || r.URL.Path == readyPath || r.URL.Path == loginPath && r.Method == http.MethodPost
}

// ask asks for the token: people with a form, programs with a line.
func (a *Admin) ask(w http.ResponseWriter, r *http.Request, problem string) {
	if r.Header.Get("Authorization") != "" {
		a.suspect("wrong administrator's token", r.RemoteAddr)
	}
	w.Header().Set("WWW-Authenticate", `Bearer realm="wsbridge administrator"`)
	if !strings.Contains(r.Header.Get("Accept"), "text/html") {
		say(w, http.StatusUnauthorized, "the administrator's token is needed: send it as Authorization: Bearer TOKEN, or log in with a browser")
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; form-action 'self'; frame-ancestors 'none'")
	w.WriteHeader(http.StatusUnauthorized)
	loginPage.Execute(w, loginForm{up(r.URL.EscapedPath()) + strings.TrimPrefix(loginPath, "/"), problem})
}

// up leads from a path back to where the administrator's side begins, which
// may be below any path of a proxy.
func up(path string) string {
	return "./" + strings.Repeat("../", max(strings.Count(path, "/")-1, 0))
}

// login takes the form.
func (a *Admin) login(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if !a.isToken(strings.TrimSpace(r.PostFormValue("token"))) {
		a.suspect("wrong administrator's token", r.RemoteAddr)
		a.ask(w, r, "That is not the token.")
		return
	}
	until := time.Now().Add(cookieHours * time.Hour)
	http.SetCookie(w, &http.Cookie{
		Name: cookieName, Value: a.cookie(until), MaxAge: cookieHours * 3600,
		HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: r.TLS != nil,
	})
	w.Header().Set("Location", "./status.html")
	w.WriteHeader(http.StatusSeeOther)
}

// loginForm is what its page says.
type loginForm struct{ Action, Problem string }

var loginPage = template.Must(template.New("login").Parse(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Log in - wsbridge</title>
<h1>wsbridge: the administrator's side</h1>
<form method="post" action="{{.Action}}">
{{with .Problem}}<p role="alert">{{.}}</p>{{end}}
<p><label for="token">Token</label>
<input id="token" name="token" type="password" required autofocus autocomplete="current-password">
<button>Log in</button></p>
</form>
`))
