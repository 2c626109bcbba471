package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
)

// question is what callouts are asked.
type question struct {
	Token   string              `json:"token,omitempty"`
	Path    string              `json:"path"`
	Host    string              `json:"host"`
	Remote  string              `json:"remote"`
	Headers map[string][]string `json:"headers"`
}

// errNo is a callout's no.
var errNo = errors.New("the answer is no")

// asker puts a question to a program or a server. errNo is an answer, too.
type asker interface {
	ask(r *http.Request, q []byte, token string) (answer []byte, err error)
	io.Closer
}

// callout is an asker and the headers it is told.
type callout struct {
	asker
	headers []string
}

// newCallout opens one that is told the headers named behind #, or else these.
func newCallout(open func(source string) (asker, error), source string, headers ...string) (*callout, error) {
	source, options, err := cutOptions(source, "headers")
	if err != nil {
		return nil, err
	}
	if options.Has("headers") {
		headers = strings.FieldsFunc(strings.Join(options["headers"], ","), func(r rune) bool { return r == ',' || r == ' ' })
	}
	c := &callout{}
	for _, name := range headers {
		c.headers = append(c.headers, http.CanonicalHeaderKey(name))
	}
	if c.asker, err = open(source); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *callout) put(r *http.Request, token string) ([]byte, error) {
	headers := map[string][]string{}
	for _, name := range c.headers {
		if values := r.Header.Values(name); len(values) > 0 {
			headers[name] = values
		}
	}
	q, err := json.Marshal(question{token, r.URL.Path, r.Host, r.RemoteAddr, headers})
	if err != nil {
		return nil, errors.New("the question cannot be written as JSON")
	}
	return c.ask(r, q, token)
}

// tokenCallout is the token plugins exec and http.
type tokenCallout struct{ *callout }

func openProgram(source string, _ *slog.Logger) (Lookup, error) {
	c, err := newCallout(newProgram, source)
	return tokenCallout{c}, err
}

func openServer(source string, _ *slog.Logger) (Lookup, error) {
	c, err := newCallout(newServer, source)
	return tokenCallout{c}, err
}

func (c tokenCallout) Lookup(r *http.Request, token string) (Endpoint, error) {
	text, err := c.put(r, token)
	if errors.Is(err, errNo) {
		return Endpoint{}, ErrNotFound
	}
	var e Endpoint
	if err == nil {
		e, err = parseAnswer(text)
	}
	if err != nil {
		return Endpoint{}, fmt.Errorf("callout: %w", err)
	}
	return e, nil
}

// doorman is the auth plugins exec and http.
type doorman struct{ *callout }

func openProgramDoorman(source string, _ *slog.Logger) (Authenticator, error) {
	c, err := newCallout(newProgram, source, "Authorization", "Cookie", "Origin")
	return doorman{c}, err
}

func openServerDoorman(source string, _ *slog.Logger) (Authenticator, error) {
	c, err := newCallout(newServer, source, "Authorization", "Cookie", "Origin")
	return doorman{c}, err
}

func (d doorman) Authenticate(r *http.Request) (string, error) {
	text, err := d.put(r, "")
	if errors.Is(err, errNo) {
		return "", d.no(r)
	}
	if err != nil {
		return "", fmt.Errorf("callout: %w", err)
	}
	var who struct {
		User string `json:"user"`
	}
	if text = bytes.TrimSpace(text); len(text) > 0 {
		if err := json.Unmarshal(text, &who); err != nil {
			return "", errors.New("callout: the answer is not the JSON of a user")
		}
	}
	return who.User, nil
}

func (d doorman) no(r *http.Request) *Refusal {
	if !slices.Contains(d.headers, "Authorization") {
		return forbidden("you may not enter")
	}
	return unauthorized("a user name and a password are needed", r.Header.Get("Authorization") != "")
}

// server is the plugin http.
type server struct {
	url    string
	client *http.Client
}

func newServer(source string) (asker, error) {
	if _, err := parseURL(source); err != nil {
		return nil, err
	}
	return &server{source, newClient()}, nil
}

func (s *server) Close() error {
	s.client.CloseIdleConnections()
	return nil
}

func (s *server) ask(r *http.Request, q []byte, token string) ([]byte, error) {
	req, err := http.NewRequestWithContext(r.Context(), http.MethodPost, s.url, bytes.NewReader(q))
	if err != nil {
		return nil, errors.New("the URL cannot be asked")
	}
	req.Header.Set("Content-Type", "application/json")
	status, body, err := fetch(s.client, req)
	switch {
	case err != nil:
		return nil, err
	case status == http.StatusOK:
		return body, nil
	case status == http.StatusNotFound, token == "" && (status == http.StatusUnauthorized || status == http.StatusForbidden):
		return nil, errNo
	}
	return nil, fmt.Errorf("the server answered %d", status)
}
