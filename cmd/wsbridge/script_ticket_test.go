package main

import (
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// mint NAME ARGUMENTS: $NAME is what wsbridge ticket mint prints.
func mint(ts *testscript.TestScript, _ bool, args []string) {
	cmd := exec.Command("wsbridge", append([]string{"ticket", "mint"}, args[1:]...)...)
	cmd.Dir = ts.MkAbs(".")
	out, err := cmd.Output()
	ts.Check(err)
	ts.Setenv(args[0], strings.TrimSpace(string(out)))
}

// exchange NAME URL: the URL sends on to another page with a cookie, $NAME, as a
// browser sends it. Where to is in stdout.
func exchange(ts *testscript.TestScript, _ bool, args []string) {
	transport := &http.Transport{DisableKeepAlives: true}
	r, err := http.NewRequest(http.MethodGet, args[1], nil)
	ts.Check(err)
	answer, err := transport.RoundTrip(r)
	ts.Check(err)
	answer.Body.Close()
	cookies := answer.Cookies()
	if answer.StatusCode != http.StatusSeeOther || len(cookies) != 1 {
		ts.Fatalf("status %d with %d cookies, want 303 and one", answer.StatusCode, len(cookies))
	}
	ts.Setenv(args[0], cookies[0].Name+"="+cookies[0].Value)
	ts.Stdout().Write([]byte(answer.Header.Get("Location") + "\n"))
}

// authserver NAME: $NAME is the URL of a server that lets in who has the cookie
// session=alice, and sends people to log in.
func authServer(ts *testscript.TestScript, _ bool, args []string) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		cookie, err := r.Cookie("session")
		switch {
		case err == nil && cookie.Value == "alice":
			w.Header().Set("Remote-User", "alice")
		case err == nil && cookie.Value == "broken":
			w.WriteHeader(http.StatusInternalServerError)
		case strings.Contains(r.Header.Get("Accept"), "html"):
			http.Redirect(w, r, "https://auth.example/?rd="+r.Header.Get("X-Original-URL"), http.StatusFound)
		default:
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	ts.Defer(server.Close)
	ts.Setenv(args[0], server.URL)
}
