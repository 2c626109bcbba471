package fme

import "strings"

// Permit is the streams that a user may open and send to: names, in which a
// '*' stands for any run of characters.
type Permit struct{ Open, Send []string }

// permit is what the user may do; all: everything.
func (o *Options) permit(user string) (p Permit, all bool) {
	if o.Permits == nil {
		return Permit{}, true
	}
	p, ok := o.Permits[user]
	if !ok && user != "" {
		p = o.Permits["*"]
	}
	return p, false
}

// allows tells whether one of the patterns is for every stream.
func allows(patterns, streams []string) bool {
	for _, stream := range streams {
		found := false
		for _, pattern := range patterns {
			found = found || match(pattern, stream)
		}
		if !found {
			return false
		}
	}
	return true
}

// match holds name against a pattern: its first part is the start of name, its
// last part the end, and the others lie between, in their order.
func match(pattern, name string) bool {
	first, rest, starred := strings.Cut(pattern, "*")
	if !starred {
		return pattern == name
	}
	name, ok := strings.CutPrefix(name, first)
	parts := strings.Split(rest, "*")
	last := len(parts) - 1
	for _, part := range parts[:last] {
		at := strings.Index(name, part)
		if at < 0 {
			return false
		}
		name = name[at+len(part):]
	}
	return ok && strings.HasSuffix(name, parts[last])
}
