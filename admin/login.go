package admin

import (
	"crypto/sha256"
	"encoding/base64"
	"html"
	"io"
	"net/http"
	"strings"
	"time"
)

const (
	loginPath = "/login"
	maxForm   = 4 << 10 // bytes
)

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
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src "+styleHash()+"; form-action 'self'; frame-ancestors 'none'")
	w.WriteHeader(http.StatusUnauthorized)
	io.WriteString(w, loginForm(up(r.URL.EscapedPath())+strings.TrimPrefix(loginPath, "/"), problem))
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

// loginForm is the page that asks for the token, and says what was wrong.
func loginForm(action, problem string) string {
	if problem != "" {
		problem = `<p role="alert">` + html.EscapeString(problem) + `</p>`
	}
	return strings.NewReplacer("{style}", loginStyle, "{action}", html.EscapeString(action), "{problem}", problem).Replace(loginPage)
}

const loginStyle = `
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 26rem; margin: 15vh auto; padding: 0 1.5rem }
h1 { font-size: 1.25rem }
label { display: block }
input, button { font: inherit; padding: .4rem .8rem; border: 1px solid; border-radius: .4rem; box-sizing: border-box }
input { width: 100%; margin-bottom: .75rem }
`

// styleHash lets loginStyle be the one style of its page.
func styleHash() string {
	sum := sha256.Sum256([]byte(loginStyle))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// A user name there is for those who keep passwords: they ask for one. The words
// in braces are loginForm's; see web's listing for why not a template's.
const loginPage = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Log in - wsbridge</title>
<style>{style}</style>
<h1>wsbridge: the administrator's side</h1>
<form method="post" action="{action}">
{problem}
<input type="text" name="username" value="administrator" autocomplete="username" hidden>
<label for="token">Token</label>
<input id="token" name="token" type="password" required autofocus autocomplete="current-password">
<button>Log in</button>
</form>
`
