package policy

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// noClose is for Lookups that keep nothing open.
type noClose struct{}

func (noClose) Close() error { return nil }

// OpenTokens opens a token source; the package's doc tells which there are. A
// relative path means what it means now. Bad lines and the like go to log (nil:
// slog.Default()). The error names the plugin and says what to write; it does
// not quote the source, which may have a password in it.
func OpenTokens(plugin, source string, log *slog.Logger) (Lookup, error) {
	lookup, err := open(tokenPlugins, strings.TrimPrefix(plugin, "websockify.token_plugins."), source, log)
	if err != nil {
		return nil, fmt.Errorf("token plugin %w", err)
	}
	return lookup, nil
}

// tokenPlugins are the token sources by name.
var tokenPlugins = map[string]func(source string, log *slog.Logger) (Lookup, error){
	"TokenFile":                 openTokenFile,
	"ReadOnlyTokenFile":         openTokenFile,
	"TokenFileName":             openFileNames,
	"UnixDomainSocketDirectory": openSockets,
	"BaseTokenAPI":              openAPI,
	"JSONTokenApi":              openAPI,
	"JWTTokenApi":               openJWT,
	"Ticket":                    openTickets,
	"TokenRedis":                openRedis,
	"exec":                      openProgram,
	"http":                      openServer,
}

// OpenAuth opens an authentication plugin, as OpenTokens opens token sources.
// One that keeps connections is an io.Closer.
func OpenAuth(plugin, source string, log *slog.Logger) (Authenticator, error) {
	auth, err := open(authPlugins, strings.TrimPrefix(plugin, "websockify.auth_plugins."), source, log)
	if err != nil {
		return nil, fmt.Errorf("auth plugin %w", err)
	}
	return auth, nil
}

// authPlugins are the authentication plugins by name.
var authPlugins = map[string]func(source string, log *slog.Logger) (Authenticator, error){
	"BasicHTTPAuth":    openBasic,
	"ExpectOrigin":     openOrigins,
	"ClientCertCNAuth": openCertNames,
	"ForwardAuth":      openForwardAuth,
	"exec":             openProgramDoorman,
	"http":             openServerDoorman,
}

func open[T any](plugins map[string]func(string, *slog.Logger) (T, error), plugin, source string, log *slog.Logger) (T, error) {
	name, source, err := split(plugin, source)
	opener, ok := plugins[name]
	switch {
	case err != nil:
	case !ok:
		err = errors.New("there is none of that name: known are " + strings.Join(slices.Sorted(maps.Keys(plugins)), ", "))
	case source == "":
		err = errors.New("its source is missing")
	}
	var opened T
	if err == nil {
		opened, err = opener(source, logger(log))
	}
	if err != nil {
		return *new(T), fmt.Errorf("%s: %w", name, err)
	}
	return opened, nil
}

// split takes a callout apart that is written in one word with its source.
func split(plugin, source string) (name, rest string, err error) {
	rest = plugin
	switch program, isProgram := strings.CutPrefix(plugin, "exec:"); {
	case isProgram && program != "":
		name, rest = "exec", program
	case strings.HasPrefix(plugin, "http://"), strings.HasPrefix(plugin, "https://"):
		name = "http"
	default:
		return strings.TrimSuffix(plugin, ":"), source, nil
	}
	if source != "" {
		return name, "", errors.New("there are two sources: leave out the one behind the plugin's name, or the other")
	}
	return name, rest, nil
}

// cutOptions takes "#name=value&name=value" from a source's end. What is no
// name is not quoted: it may be the end of a password with a # in it.
func cutOptions(source string, known ...string) (string, url.Values, error) {
	i := strings.LastIndexByte(source, '#')
	if i < 0 {
		return source, url.Values{}, nil
	}
	options, err := url.ParseQuery(source[i+1:])
	if err != nil {
		return "", nil, errors.New("the options behind # are not written as name=value&name=value")
	}
	for _, name := range slices.Sorted(maps.Keys(options)) {
		if strings.Trim(name, "abcdefghijklmnopqrstuvwxyz") != "" {
			return "", nil, errors.New("what is behind # is no option: known are " + strings.Join(known, ", ") + "; in a URL a # is written %23")
		}
		if !slices.Contains(known, name) {
			return "", nil, fmt.Errorf("unknown option %q behind #: known are %s", name, strings.Join(known, ", "))
		}
	}
	return source[:i], options, nil
}

// fields splits at separators outside of "...", which it takes away. Every
// separator ends a field, be it empty.
func fields(s string, isSeparator func(rune) bool) ([]string, error) {
	var all []string
	var field strings.Builder
	quoted := false
	for _, r := range s {
		switch {
		case r == '"':
			quoted = !quoted
		case !quoted && isSeparator(r):
			all = append(all, field.String())
			field.Reset()
		default:
			field.WriteRune(r)
		}
	}
	if quoted {
		return nil, errors.New(`a quotation mark (") has no partner`)
	}
	return append(all, field.String()), nil
}

// words are the fields between spaces.
func words(s string) ([]string, error) {
	all, err := fields(s, func(r rune) bool { return r == ' ' || r == '\t' || r == '\n' })
	return slices.DeleteFunc(all, func(s string) bool { return s == "" }), err
}
