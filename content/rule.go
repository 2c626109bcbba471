package content

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Rule is what a route says about the content types of its sessions. The zero
// value is a route that does not look into messages.
type Rule struct {
	Types    []string // of JSON, XML, TextXML, what the route takes
	Default  string   // what a session has that asks for none; "": none
	Required bool     // refuse a session that has none
}

// ParseRule reads a route's content: auto takes every type that is asked for,
// a type is taken and is the default too, and none (or nothing at all) is the
// zero Rule.
func ParseRule(content string) (Rule, error) {
	switch content {
	case "", "none":
		return Rule{}, nil
	case "auto":
		return Rule{Types: []string{JSON, XML, TextXML}}, nil
	}
	t, err := parseType(content)
	if err != nil {
		return Rule{}, fmt.Errorf("%w: say one of them, auto or none", err)
	}
	return Rule{Types: []string{t}, Default: t}, nil
}

// Choose says what content type a session has, "" for none, and which offered
// subprotocol said so, exactly as it was offered, "" if none did. The first
// offer that the route takes counts, then the query's contentType, then the
// default. The error, of a Rule that requires a type, says what can be offered;
// it wants status 400.
func (r Rule) Choose(offered []string, query url.Values) (subprotocol, contentType string, err error) {
	for _, name := range offered {
		if t := r.take(typesOf(name)...); t != "" {
			return name, t, nil
		}
	}
	for _, asked := range query["contentType"] {
		if t, err := parseType(asked); err == nil && r.take(t) != "" {
			return "", t, nil
		}
	}
	if formOf(r.Default) == anyForm && r.Required {
		return "", "", r.refusal()
	}
	if formOf(r.Default) == anyForm {
		return "", "", nil
	}
	return "", r.Default, nil
}

// take is the first of the types that the route takes.
func (r Rule) take(types ...string) string {
	for _, t := range types {
		if slices.Contains(r.Types, t) {
			return t
		}
	}
	return ""
}

func (r Rule) refusal() error {
	var names []string
	for _, t := range r.Types {
		names = append(names, "synapse(contentType='"+t+"')")
	}
	return fmt.Errorf("this route needs a content type: offer one of the subprotocols %s, or synapse.json, synapse.xml, or say ?contentType= in the address",
		strings.Join(names, ", "))
}

// synapse is the family of subprotocols that say a content type. A parameter
// may stand inside the quotes or behind them.
var synapse = regexp.MustCompile(`^synapse\(\s*contentType\s*=\s*(?:'([^']*)'|"([^"]*)")\s*(;[^)]*)?\)$`)

// typesOf are the content types a subprotocol stands for, the likelier first.
func typesOf(subprotocol string) []string {
	switch subprotocol {
	case "synapse.json":
		return []string{JSON}
	case "synapse.xml":
		return []string{XML, TextXML}
	}
	m := synapse.FindStringSubmatch(subprotocol)
	if m == nil {
		return nil
	}
	t, err := parseType(m[1] + m[2] + m[3])
	if err != nil {
		return nil
	}
	return []string{t}
}

// SplitOffered gives the names in the lines of Sec-WebSocket-Protocol, which
// count as one list (RFC 9110, 5.3). Commas inside parentheses and inside
// quotes belong to a name; an apostrophe quotes only inside parentheses, for
// outside it is part of a token. Names keep their spelling; empty ones go.
func SplitOffered(lines []string) (names []string) {
	list := strings.Join(lines, ",")
	start, depth, quote := 0, 0, byte(0)
	for i := 0; i <= len(list); i++ {
		if i == len(list) || list[i] == ',' && depth == 0 && quote == 0 {
			if name := strings.Trim(list[start:i], " \t"); name != "" {
				names = append(names, name)
			}
			start = i + 1
			continue
		}
		switch c := list[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"', c == '\'' && depth > 0:
			quote = c
		case c == '(':
			depth++
		case c == ')' && depth > 0:
			depth--
		}
	}
	return names
}
