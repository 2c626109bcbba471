package fme

import "fmt"

// strictly is the JSON that a value means, which the parser has taken: keys in
// their order, numbers as they were written, no white space.
func strictly(src []byte) []byte {
	p := parser{src: src}
	out := make([]byte, 0, len(src)+len(src)/8)
	for c := p.next(); p.at < len(src); c = p.next() {
		start := p.at
		switch {
		case c == '"' || c == '\'':
			p.quoted() // cannot fail again
			out = appendQuoted(out, unquote(src[start:p.at]))
		case isWordStart(c):
			word := p.takeWord()
			if p.next() == ':' {
				out = appendQuoted(out, word)
			} else {
				out = append(out, word...)
			}
		case c == ',':
			p.at++
			if end := p.next(); end != '}' && end != ']' {
				out = append(out, ',')
			}
		default:
			out = append(out, c)
			p.at++
		}
	}
	return out
}

func appendQuoted(out, text []byte) []byte {
	out = append(out, '"')
	for _, c := range text {
		switch {
		case c == '"' || c == '\\':
			out = append(out, '\\', c)
		case c < ' ':
			out = fmt.Appendf(out, `\u%04x`, c)
		default:
			out = append(out, c)
		}
	}
	return append(out, '"')
}
