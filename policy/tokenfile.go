package policy

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"time"
)

// tokenFile is TokenFile and ReadOnlyTokenFile.
type tokenFile struct {
	noClose
	tokens *watched[map[string]Endpoint]
}

// openTokenFile takes a path that is not there yet, with a warning: it may be
// made later.
func openTokenFile(source string, log *slog.Logger) (Lookup, error) {
	path, err := filepath.Abs(source)
	if err != nil {
		return nil, err
	}
	said := &remarks{log: log}
	f := &tokenFile{tokens: &watched[map[string]Endpoint]{path: path, now: time.Now}}
	f.tokens.parse = func(files []content) (map[string]Endpoint, error) {
		tokens, wrong := parseTokens(files)
		said.say(wrong)
		return tokens, nil
	}
	_, err = f.tokens.get()
	if errors.Is(err, fs.ErrNotExist) {
		log.Warn("there is no token file yet", "path", path)
		return f, nil
	}
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (f *tokenFile) Lookup(_ *http.Request, token string) (Endpoint, error) {
	tokens, err := f.tokens.get()
	if err != nil {
		return Endpoint{}, fmt.Errorf("token file: %w", err)
	}
	e, ok := tokens[token]
	if !ok {
		return Endpoint{}, ErrNotFound
	}
	return e, nil
}

// parseTokens reads "TOKEN: TARGET" lines. No remark quotes a line: there are
// tokens in it.
func parseTokens(files []content) (map[string]Endpoint, []remark) {
	tokens := map[string]Endpoint{}
	var wrong []remark
	for _, file := range files {
		wrong = append(wrong, file.unread()...)
		for n, line := range file.lines {
			token, e, err := parseTokenLine(line)
			if err != nil {
				wrong = append(wrong, remark{file.path, n, "the line is left out: " + err.Error()})
				continue
			}
			if _, again := tokens[token]; again {
				wrong = append(wrong, remark{file.path, n, "the token was there before: this later line counts"})
			}
			tokens[token] = e
		}
	}
	return tokens, wrong
}

func parseTokenLine(line string) (string, Endpoint, error) {
	token, target, ok := cutToken(line)
	if !ok {
		return "", Endpoint{}, errors.New("write TOKEN: TARGET, with a space behind the colon")
	}
	token = strings.TrimSpace(token)
	if token == "" {
		return "", Endpoint{}, errors.New("there is no token before the colon")
	}
	e, err := ParseEndpoint(strings.TrimSpace(target))
	return token, e, err
}

// cutToken cuts at the first colon that has a space or tab behind it.
func cutToken(line string) (token, target string, ok bool) {
	for i := range len(line) - 1 {
		if line[i] == ':' && (line[i+1] == ' ' || line[i+1] == '\t') {
			return line[:i], line[i+2:], true
		}
	}
	return "", "", false
}
