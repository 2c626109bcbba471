package deflate

import (
	"fmt"
	"strings"
)

// extension is one element of Sec-WebSocket-Extensions.
type extension struct {
	name   string
	params []param
}

type param struct {
	name, value string
	valued      bool
}

// parse reads the header's lines by RFC 6455, 9.1, strictly but for elements of
// the list that are empty (RFC 9110, 5.6.1.2).
func parse(lines []string) (all []extension, err error) {
	for _, line := range lines {
		for s := (scanner{line}); s.rest != ""; {
			s.space()
			if s.take(',') || s.rest == "" {
				continue
			}
			e, ok := s.extension()
			if !ok || s.rest != "" && !s.take(',') {
				return nil, fmt.Errorf("header 'Sec-WebSocket-Extensions' is malformed %d bytes before its end", len(s.rest))
			}
			all = append(all, e)
		}
	}
	return all, nil
}

// scanner reads a line from its beginning.
type scanner struct{ rest string }

func (s *scanner) extension() (e extension, ok bool) {
	if e.name, ok = s.token(); !ok {
		return e, false
	}
	for s.space(); s.take(';'); s.space() {
		s.space()
		p, ok := s.param()
		if !ok {
			return e, false
		}
		e.params = append(e.params, p)
	}
	return e, true
}

func (s *scanner) param() (p param, ok bool) {
	if p.name, ok = s.token(); !ok {
		return p, false
	}
	s.space()
	if p.valued = s.take('='); !p.valued {
		return p, true
	}
	s.space()
	if s.take('"') {
		p.value, ok = s.quoted()
	} else {
		p.value, ok = s.token()
	}
	return p, ok
}

// quoted is behind the opening quote. What is quoted must be a token again.
func (s *scanner) quoted() (value string, ok bool) {
	var b strings.Builder
	for !s.take('"') {
		s.take('\\')
		if s.rest == "" || !isToken(s.rest[0]) {
			return "", false
		}
		b.WriteByte(s.rest[0])
		s.rest = s.rest[1:]
	}
	return b.String(), b.Len() > 0
}

func (s *scanner) token() (token string, ok bool) {
	n := 0
	for n < len(s.rest) && isToken(s.rest[n]) {
		n++
	}
	token, s.rest = s.rest[:n], s.rest[n:]
	return token, n > 0
}

func (s *scanner) space() { s.rest = strings.TrimLeft(s.rest, " \t") }

func (s *scanner) take(c byte) bool {
	ok := s.rest != "" && s.rest[0] == c
	if ok {
		s.rest = s.rest[1:]
	}
	return ok
}

// isToken tells of what a token is made (RFC 9110, 5.6.2).
func isToken(c byte) bool {
	letter := c|0x20 >= 'a' && c|0x20 <= 'z'
	return letter || c >= '0' && c <= '9' || c != 0 && strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}
