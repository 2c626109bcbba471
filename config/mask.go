package config

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const hidden = "***"

var (
	// userinfo is what stands before the host of a URL.
	userinfo = regexp.MustCompile(`(://)([^/\s?#]*)@`)
	// redisPassword is behind host:port:db: and has the namespace with it.
	redisPassword = regexp.MustCompile(`^((?:\[[^]]*\]|[^:]*):[^:]*:[^:]*:).+`)
	// secretHeader is a header with a secret in it, to its end or that of a
	// quoted word.
	secretHeader = regexp.MustCompile(`(?i)((?:authorization|cookie|token|key|secret)\s*:\s*)[^'"]+`)
)

// maskOption takes what is known for a secret out of an option's text.
func (c *Config) maskOption(o Option, text string) string {
	switch {
	case strings.HasSuffix(o.Long, "password") && text != "":
		return hidden
	case o.Long == "auth-source" && strings.HasSuffix(c.AuthPlugin, "BasicHTTPAuth"):
		if user, _, ok := strings.Cut(text, ":"); ok {
			return user + ":" + hidden
		}
	case o.Long == "token-source" && strings.HasSuffix(c.TokenPlugin, "TokenRedis") && !strings.Contains(text, "://"):
		return redisPassword.ReplaceAllString(text, "${1}"+hidden)
	case o.Long == "route":
		text = secretHeader.ReplaceAllString(text, "${1}"+hidden)
	}
	return maskURLs(text)
}

func maskRoute(o Option, text string) string {
	if o.Long == "set-headers" {
		text = secretHeader.ReplaceAllString(text, "${1}"+hidden)
	}
	return maskURLs(text)
}

// maskURLs takes the passwords out of all URLs in a text. A user without one
// may be a token.
func maskURLs(text string) string {
	return userinfo.ReplaceAllStringFunc(text, func(match string) string {
		user, _, ok := strings.Cut(strings.TrimPrefix(match, "://"), ":")
		if !ok {
			return "://" + hidden + "@"
		}
		return "://" + user + ":" + hidden + "@"
	})
}

// hide takes the values with a ${...} in them out of a message.
func (c *Config) hide(msg string) string {
	msg = newTable(c).hide(c.origins, msg)
	for i := range c.Routes {
		msg = c.Routes[i].hide(msg)
	}
	return msg
}

func (r *Route) hide(msg string) string { return table(r.options()).hide(r.origins, msg) }

func (t table) hide(from origins, msg string) string {
	for _, o := range t {
		if !from[o.Long].Secret {
			continue
		}
		for _, text := range o.texts() {
			quoted := strconv.Quote(text)
			msg = strings.NewReplacer(quoted[1:len(quoted)-1], hidden, text, hidden).Replace(msg)
		}
	}
	return msg
}

// texts is the option's value, if it is text.
func (o Option) texts() (texts []string) {
	switch to := o.to.(type) {
	case *string:
		texts = []string{*to}
	case *[]string:
		texts = *to
	case *Verbatim:
		texts = *to
	}
	return slices.DeleteFunc(slices.Clone(texts), func(text string) bool { return text == "" })
}
