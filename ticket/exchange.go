package ticket

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	// DefaultCookie is the cookie's name.
	DefaultCookie = "wsbridge-ticket"
	// ExchangePath is where the bridge is asked for it.
	ExchangePath = "/wsbridge/ticket"
)

const (
	maxForm    = 2*MaxLength + 2*maxWhereTo // bytes
	maxWhereTo = 1024                       // bytes
	homeOfPath = "../"                      // of ExchangePath, also behind a proxy that puts something before it
)

// Exchange is the page that puts a ticket into a cookie:
//
//	GET /wsbridge/ticket?ticket=TICKET&to=/vnc.html
//
// or a POST of the same as a form. It answers 303 with the cookie, to the page,
// which must be of the same site; default: the site's root. A Path claim is held
// against the upgrade, not against the exchange.
type Exchange struct {
	Inspector *Inspector
	Cookie    string                   // its name; "": DefaultCookie
	Secure    func(*http.Request) bool // it came by TLS; nil: to this server
	Timeout   time.Duration            // of one exchange; 0: 5 s
	Log       *slog.Logger             // gets the causes of 502 and 503; nil: slog.Default()
}

// ServeHTTP answers one exchange.
func (e *Exchange) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	ctx, cancel := context.WithTimeout(r.Context(), e.timeout())
	defer cancel()
	cookie, to, err := e.exchange(w, r.WithContext(ctx))
	if err != nil {
		e.refuse(w, r, err)
		return
	}
	http.SetCookie(w, cookie)
	h.Set("Location", to) // as it is: a relative one is the browser's to resolve
	w.WriteHeader(http.StatusSeeOther)
}

// exchange checks all that can be refused before it spends the ticket.
func (e *Exchange) exchange(w http.ResponseWriter, r *http.Request) (*http.Cookie, string, error) {
	text, to, err := readForm(w, r)
	if err != nil {
		return nil, "", err
	}
	c, err := e.Inspector.check(r, text)
	if err != nil {
		return nil, "", err
	}
	if c.Once {
		if err = e.Inspector.Spend(r.Context(), c); err == nil {
			text, err = e.Inspector.newPass(r.Context(), c)
		}
		if err != nil {
			return nil, "", err
		}
	}
	return e.cookie(r, text, c.Expires), to, nil
}

// readForm takes ticket and page out of a request.
func readForm(w http.ResponseWriter, r *http.Request) (ticket, to string, err error) {
	values := r.URL.Query()
	switch {
	case strings.Contains(r.Header.Get("Sec-Purpose"), "prefetch"):
		return "", "", errPrefetch
	case r.Method == http.MethodPost:
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		if r.ParseForm() != nil {
			return "", "", errForm
		}
		values = r.PostForm
	case r.Method != http.MethodGet:
		return "", "", errMethod
	}
	if ticket = values.Get("ticket"); ticket == "" {
		return "", "", errMissing
	}
	if to = values.Get("to"); to == "" {
		to = homeOfPath
	}
	if !isOfSite(to) {
		return "", "", errWhereTo
	}
	return ticket, to, nil
}

// isOfSite tells a reference that no browser follows to another site: it has a
// path, and neither a scheme nor a host, nor what browsers read as the start of
// one (backslashes, spaces).
func isOfSite(to string) bool {
	odd := func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '\\' }
	if len(to) > maxWhereTo || strings.ContainsFunc(to, odd) || strings.HasPrefix(to, "//") {
		return false
	}
	u, err := url.Parse(to)
	return err == nil && u.Scheme == "" && u.Host == "" && u.User == nil && u.Path != ""
}

// cookie is with the browser as long as the ticket is good.
func (e *Exchange) cookie(r *http.Request, value string, expires time.Time) *http.Cookie {
	name := e.Cookie
	if name == "" {
		name = DefaultCookie
	}
	secure := r.TLS != nil
	if e.Secure != nil {
		secure = e.Secure(r)
	}
	left := expires.Sub(e.Inspector.now())
	return &http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: max(1, int(left.Seconds())),
		HttpOnly: true, Secure: secure, SameSite: http.SameSiteStrictMode,
	}
}

func (e *Exchange) refuse(w http.ResponseWriter, r *http.Request, err error) {
	var refusal *Refusal
	if !errors.As(err, &refusal) {
		refusal = &Refusal{Status: http.StatusBadGateway, Reason: "the ticket cannot be checked now", Cause: err}
	}
	if refusal.Cause != nil && r.Context().Err() == nil {
		e.log().Error(refusal.Reason, "err", refusal.Cause)
	}
	if refusal.Status == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", "GET, POST")
	}
	http.Error(w, refusal.Reason, refusal.Status)
}

func (e *Exchange) timeout() time.Duration {
	if e.Timeout > 0 {
		return e.Timeout
	}
	return 5 * time.Second
}

func (e *Exchange) log() *slog.Logger {
	if e.Log != nil {
		return e.Log
	}
	return slog.Default()
}
