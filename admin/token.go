package admin

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	cookieName  = "wsbridge_admin"
	cookieHours = 12
)

// secret is the token in force; "": none is asked for.
func (a *Admin) secret() string {
	if token := a.token.Load(); token != nil {
		return *token
	}
	return a.Token
}

// SetToken puts another token in force, which CheckToken has nothing against.
// Cookies die with the old one.
func (a *Admin) SetToken(token string) { a.token.Store(&token) }

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
	if a.secret() == "" {
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
	got, want := sha256.Sum256([]byte(token)), sha256.Sum256([]byte(a.secret()))
	return subtle.ConstantTimeCompare(got[:], want[:]) == 1
}

// cookie is good until a time, in whole seconds. It holds nothing that the
// token could be had from, and dies with the token.
func (a *Admin) cookie(until time.Time) string {
	end := strconv.FormatInt(until.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(a.secret()))
	mac.Write([]byte("wsbridge administrator until " + end))
	return fmt.Sprintf("%s.%x", end, mac.Sum(nil))
}

func (a *Admin) isCookie(value string, now time.Time) bool {
	end, _, _ := strings.Cut(value, ".")
	seconds, err := strconv.ParseInt(end, 10, 64)
	until := time.Unix(seconds, 0)
	return err == nil && now.Before(until) && hmac.Equal([]byte(value), []byte(a.cookie(until)))
}
