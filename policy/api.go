package policy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const maxAnswer = 64 << 10 // bytes

// api is BaseTokenAPI and JSONTokenApi.
type api struct {
	before, after string // of the token in the URL
	client        *http.Client
}

// openAPI takes a URL with one %s in it, and %% for a percent sign.
func openAPI(source string, _ *slog.Logger) (Lookup, error) {
	before, after, found := strings.Cut(source, "%s")
	if !found || strings.Contains(after, "%s") {
		return nil, errors.New("the source has not one %s for the token: write http://HOST/PATH?token=%s")
	}
	a := &api{strings.ReplaceAll(before, "%%", "%"), strings.ReplaceAll(after, "%%", "%"), newClient()}
	one, err := parseURL(a.before + "1" + a.after)
	if err != nil {
		return nil, err
	}
	other, err := parseURL(a.before + "2" + a.after)
	if err != nil || one.Host != other.Host || one.User.String() != other.User.String() {
		return nil, errors.New("the token would name the host: write http://HOST/PATH?token=%s")
	}
	return a, nil
}

func parseURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, errors.New("the source is no URL: write http://HOST/PATH or https://HOST/PATH")
	}
	return u, nil
}

func (a *api) Close() error {
	a.client.CloseIdleConnections()
	return nil
}

func (a *api) Lookup(r *http.Request, token string) (Endpoint, error) {
	escaped := url.QueryEscape(token)
	if !strings.Contains(a.before, "?") {
		if hasDots(token) {
			return Endpoint{}, ErrNotFound
		}
		escaped = url.PathEscape(token)
	}
	req, err := http.NewRequestWithContext(r.Context(), http.MethodGet, a.before+escaped+a.after, nil)
	if err != nil {
		return Endpoint{}, errors.New("token API: the URL cannot be asked")
	}
	status, body, err := fetch(a.client, req)
	switch {
	case err != nil:
		return Endpoint{}, fmt.Errorf("token API: %w", err)
	case status/100 == 2:
		e, err := parseAnswer(body)
		if err != nil {
			return Endpoint{}, fmt.Errorf("token API: %w", err)
		}
		return e, nil
	case status/100 == 4 && !isTrouble(status):
		return Endpoint{}, ErrNotFound
	}
	return Endpoint{}, fmt.Errorf("token API: it answered %d", status)
}

// isTrouble tells the 4xx that say nothing of the token.
func isTrouble(status int) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusProxyAuthRequired, http.StatusRequestTimeout, http.StatusTooManyRequests:
		return true
	}
	return false
}

// hasDots tells a token that would walk through the API's paths.
func hasDots(token string) bool {
	for segment := range strings.FieldsFuncSeq(token, func(r rune) bool { return r == '/' || r == '\\' }) {
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}

// newClient keeps few connections, and follows no redirect to another host:
// tokens are in its URLs.
func newClient() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 8
	transport.IdleConnTimeout = 30 * time.Second
	return &http.Client{Transport: transport, CheckRedirect: func(req *http.Request, via []*http.Request) error {
		if len(via) > 3 || req.Method != via[0].Method || req.URL.Host != via[0].URL.Host {
			return http.ErrUseLastResponse
		}
		return nil
	}}
}

// fetch does req. The error is without the URL, in which a token may be.
func fetch(client *http.Client, req *http.Request) (status int, body []byte, err error) {
	resp, err := client.Do(req)
	if err == nil {
		defer resp.Body.Close()
		body, err = readAll(resp.Body, maxAnswer)
	}
	if err != nil {
		return 0, nil, reasonOf(req, err)
	}
	return resp.StatusCode, body, nil
}

// reasonOf is why req has no answer, without its URL.
func reasonOf(req *http.Request, err error) error {
	var urlErr *url.Error
	if errors.As(err, &urlErr) {
		err = urlErr.Err
	}
	return noAnswer(req.Context(), err)
}

// noAnswer is why something that was asked under ctx failed with err. A connection
// with ctx's deadline may find it over before ctx does.
func noAnswer(ctx context.Context, err error) error {
	var late interface{ Timeout() bool }
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return ctx.Err()
	case ctx.Err() != nil, errors.As(err, &late) && late.Timeout():
		return errors.New("there was no answer in time")
	}
	return err
}
