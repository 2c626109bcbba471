package policy

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"
)

// ErrNotFound is what a Lookup says of a token that leads nowhere.
var ErrNotFound = errors.New("unknown token")

// Refusal is an HTTP answer given instead of a target.
type Refusal struct {
	Status int         // HTTP status
	Reason string      // one line for the person at the other end
	Header http.Header // further header lines, WWW-Authenticate say; may be nil

	guess bool // it counts against the client's address
}

func (r *Refusal) Error() string { return r.Reason }

// ServeHTTP gives the answer.
func (r *Refusal) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	for name, values := range r.Header {
		h[name] = values
	}
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(r.Status)
	io.WriteString(w, r.Reason+"\n")
}

func forbidden(reason string) *Refusal {
	return &Refusal{Status: http.StatusForbidden, Reason: reason}
}

// unauthorized asks for a password (RFC 7617), in websockify's realm.
func unauthorized(reason string, guess bool) *Refusal {
	challenge := http.Header{"Www-Authenticate": {`Basic realm="Websockify", charset="UTF-8"`}}
	return &Refusal{Status: http.StatusUnauthorized, Reason: reason, Header: challenge, guess: guess}
}

func tooMany(wait time.Duration) *Refusal {
	seconds := strconv.Itoa(int(wait.Seconds()) + 1)
	return &Refusal{
		Status: http.StatusTooManyRequests,
		Reason: "too many wrong guesses from your address: try again in " + seconds + " s",
		Header: http.Header{"Retry-After": {seconds}},
	}
}
