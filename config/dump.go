package config

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// String is the source's name in a dump.
func (s Source) String() string {
	return [...]string{"default", "file", "environment", "flag"}[s]
}

// setting is the value of one option, with its secrets masked.
type setting struct {
	key    string
	value  any // bool, int, string or []string
	origin Origin
}

// Dump is what counts, as a file that says the same, with a comment for each
// value that tells who said it: those that somebody has set, or all. Secrets
// are ***, and a wrapped program is in no file.
func (c *Config) Dump(all bool) string {
	var b strings.Builder
	b.WriteString("# What counts, and where it was set.\n")
	if len(c.Command) > 0 {
		b.WriteString("# A program is wrapped: it stands behind --, which no file can say.\n")
	}
	for _, s := range c.settings(all) {
		b.WriteString(s.line())
	}
	routes := c.routeSettings(all)
	if len(routes) > 0 {
		b.WriteString("routes:\n")
	}
	for _, route := range routes {
		for i, s := range route {
			indent := "    "
			if i == 0 {
				indent = "  - "
			}
			b.WriteString(indent + s.line())
		}
	}
	return b.String()
}

// DumpJSON is Dump for programs: {"options": {KEY: {"value", "source", "place",
// "secret"}}, "routes": [{KEY: ...}]}.
func (c *Config) DumpJSON(all bool) ([]byte, error) {
	routes := []map[string]any{}
	for _, route := range c.routeSettings(all) {
		routes = append(routes, jsonSettings(route))
	}
	dump := map[string]any{"options": jsonSettings(c.settings(all)), "routes": routes}
	return json.MarshalIndent(dump, "", "  ")
}

func jsonSettings(settings []setting) map[string]any {
	object := make(map[string]any)
	for _, s := range settings {
		object[s.key] = struct {
			Value  any    `json:"value"`
			Source string `json:"source"`
			Place  string `json:"place,omitempty"`
			Secret bool   `json:"secret,omitempty"`
		}{s.value, s.origin.Source.String(), s.origin.Place, s.origin.Secret}
	}
	return object
}

// settings is the options but routes.
func (c *Config) settings(all bool) []setting {
	return newTable(c).settings(c.origins, all, c.maskOption)
}

// routeSettings is the routes of the file. Those of the command line are among
// the options, as they were written.
func (c *Config) routeSettings(all bool) (routes [][]setting) {
	for _, r := range c.Routes[:len(c.Routes)-len(c.RouteSpecs)] {
		routes = append(routes, table(r.options()).settings(r.origins, all, maskRoute))
	}
	return routes
}

// settings is what t holds by now. mask takes secrets out of an option's text.
func (t table) settings(from origins, all bool, mask func(o Option, text string) string) (settings []setting) {
	for _, o := range t {
		origin := from[o.Long]
		if o.FileKey() == "" || !all && origin.Source == Default {
			continue
		}
		settings = append(settings, setting{o.FileKey(), o.shown(origin, mask), origin})
	}
	return settings
}

// shown is the option's value for everybody's eyes.
func (o Option) shown(origin Origin, mask func(o Option, text string) string) any {
	var items []string
	switch to := o.to.(type) {
	case *[]string:
		items = *to
	case *Verbatim:
		items = *to
	default:
		if origin.Secret {
			return hidden
		}
		return o.shownScalar(mask)
	}
	if origin.Secret {
		return []string{hidden}
	}
	list := make([]string, 0, len(items))
	for _, item := range items {
		list = append(list, mask(o, item))
	}
	return list
}

func (o Option) shownScalar(mask func(o Option, text string) string) any {
	switch to := o.to.(type) {
	case *bool:
		return *to
	case *int:
		return *to
	case *time.Duration:
		return shortSeconds(*to)
	case *string:
		return mask(o, *to)
	}
	return nil
}

// shortSeconds writes a duration without the parts that are 0: 10m, not 10m0s.
func shortSeconds(d time.Duration) string {
	if d == 0 {
		return "0"
	}
	text := d.String()
	for _, part := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, part) {
			text = text[:len(text)-2]
		}
	}
	return text
}

// line is "key: value # place".
func (s setting) line() string {
	place := s.origin.Place
	if s.origin.Source == Default {
		place = "default"
	}
	visible := func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}
	return fmt.Sprintf("%s: %s # %s\n", s.key, yamlValue(s.value), strings.Map(visible, place))
}

// yamlValue writes a value in one line.
func yamlValue(value any) string {
	switch v := value.(type) {
	case string:
		style := yaml.Style(0)
		if strings.ContainsFunc(v, unicode.IsControl) {
			style = yaml.DoubleQuotedStyle
		}
		return yamlText(v, style)
	case []string:
		var items []string
		for _, item := range v {
			items = append(items, yamlText(item, yaml.DoubleQuotedStyle))
		}
		return "[" + strings.Join(items, ", ") + "]"
	}
	return fmt.Sprint(value)
}

// yamlText writes a text so that it is read as it is. Bytes that are no text
// cannot be in a file.
func yamlText(text string, style yaml.Style) string {
	text = escapeSecrets(strings.ToValidUTF8(text, "\uFFFD"))
	out, err := yaml.Marshal(&yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text, Style: style})
	if err != nil { // of text there is none
		return fmt.Sprintf("%q", text)
	}
	return strings.TrimSuffix(string(out), "\n")
}
