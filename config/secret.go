package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
)

const (
	maxSecret = 64 << 10
)

var secretKinds = []string{"file", "env", "credential"}

// expand replaces each ${KIND:NAME} in a value of a file; $${ stands for ${
// itself. place is where the value is, dir the file's folder. secret: there was
// something to replace.
func (r *reader) expand(place, dir, text string) (value string, secret bool, err error) {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, "${")
		if !found {
			return b.String() + before, secret, nil
		}
		if literal, ok := strings.CutSuffix(before, "$"); ok {
			b.WriteString(literal + "${")
			text = rest
			continue
		}
		name, behind, closed := strings.Cut(rest, "}")
		if !closed {
			return "", false, usageErrorf("write ${file:/path}, or $${ for ${ itself", "%s: ${ without a }", place)
		}
		content, wrong := r.secret(dir, name)
		if wrong != nil {
			return "", false, usageErrorf(wrong.Hint, "%s: ${%s}: %s", place, name, wrong.Msg)
		}
		b.WriteString(before + content)
		text, secret = behind, true
	}
}

// escapeSecrets is text as a file has to write it.
func escapeSecrets(text string) string { return strings.ReplaceAll(text, "${", "$${") }

// secret is what ${reference} stands for.
func (r *reader) secret(dir, reference string) (string, *UsageError) {
	kind, name, _ := strings.Cut(reference, ":")
	switch {
	case kind == "file" && name != "":
		if !filepath.IsAbs(name) {
			name = filepath.Join(dir, name)
		}
		return r.secretFile(name, "name a file that may be read; a relative name starts at the folder of this file")
	case kind == "env" && name != "":
		if value, ok := r.lookupEnv(name); ok {
			return value, nil
		}
		return "", usageErrorf("set "+name+" where wsbridge is started", "%s is not in the environment", name)
	case kind == "credential" && name != "":
		return r.credential(name)
	}
	hint := "write ${file:/path}, ${env:NAME} or ${credential:NAME}; $${ is ${ itself"
	if near := nearest(kind, secretKinds); near != "" && near != kind {
		hint = fmt.Sprintf("did you mean ${%s:...}?", near)
	}
	return "", usageErrorf(hint, "want file:, env: or credential: and a name")
}

// credential is what systemd's LoadCredential= has put there for the service.
func (r *reader) credential(name string) (string, *UsageError) {
	hint := "have LoadCredential=" + name + ":/path in the systemd unit"
	dir, ok := r.lookupEnv("CREDENTIALS_DIRECTORY")
	switch {
	case !ok:
		return "", usageErrorf(hint, "CREDENTIALS_DIRECTORY is not in the environment")
	case strings.ContainsAny(name, `/\`) || name == "." || name == "..":
		return "", usageErrorf(hint, "a credential's name is no path")
	}
	return r.secretFile(filepath.Join(dir, name), hint)
}

func (r *reader) lookupEnv(name string) (value string, ok bool) {
	for _, entry := range r.env { // the last one counts, as it does for options
		if n, v, _ := strings.Cut(entry, "="); n == name {
			value, ok = v, true
		}
	}
	return value, ok
}

// secretFile is a file's content without the end of its last line.
func (r *reader) secretFile(name, hint string) (string, *UsageError) {
	text, err := r.content(name, maxSecret)
	switch {
	case errors.Is(err, errTooMuch):
		return "", usageErrorf("include less", "%s", err)
	case err != nil:
		return "", usageErrorf(hint, "%s", err)
	}
	line, ended := strings.CutSuffix(string(text), "\n")
	if ended {
		line = strings.TrimSuffix(line, "\r")
	}
	return line, nil
}
