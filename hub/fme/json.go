package fme

import (
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth is how deep objects and arrays may lie in each other.
const maxDepth = 64

// parser reads JSON (RFC 8259), or what FME's clients take for it: besides,
// strings in single quotes, keys without quotes, and one comma too many at the
// end of an object or array. src is valid UTF-8.
type parser struct {
	src    []byte
	at     int
	strict bool // only JSON
	loose  bool // something was not JSON since it was cleared
}

// syntaxError says what is wrong at a byte offset.
type syntaxError struct {
	at   int
	what string
}

func (e *syntaxError) Error() string { return fmt.Sprintf("%s at byte %d", e.what, e.at) }

func (p *parser) fail(what string) error { return &syntaxError{p.at, what} }

// kind is what a value is.
type kind byte

const (
	absent kind = iota
	stringKind
	wordKind // a word without quotes that is no JSON
	objectKind
	arrayKind
	numberKind
	boolKind
	nullKind
)

// value is one value, in place.
type value struct {
	kind  kind
	raw   []byte // its source
	loose bool   // which is not JSON
}

// text is what a string or word says.
func (v value) text() string {
	if v.kind == stringKind {
		return string(unquote(v.raw))
	}
	return string(v.raw)
}

// next returns the first byte that is no white space; 0 at the end.
func (p *parser) next() byte {
	for ; p.at < len(p.src); p.at++ {
		switch c := p.src[p.at]; c {
		case ' ', '\t', '\r', '\n':
		default:
			return c
		}
	}
	return 0
}

// value takes a value; words tells whether it may be one without quotes.
func (p *parser) value(depth int, words bool) (v value, err error) {
	outside := p.loose
	p.loose = false
	c := p.next()
	start := p.at
	v.kind, err = p.skip(c, depth, words)
	v.raw, v.loose = p.src[start:p.at], p.loose
	p.loose = p.loose || outside
	return v, err
}

// skip takes the value that begins with c.
func (p *parser) skip(c byte, depth int, words bool) (kind, error) {
	switch {
	case c == '"', c == '\'' && !p.strict:
		return stringKind, p.quoted()
	case c == '{':
		return objectKind, p.object(depth, func(string) error { return p.nested(depth) })
	case c == '[':
		return arrayKind, p.array(depth, func() error { return p.nested(depth) })
	case c == '-', '0' <= c && c <= '9':
		return numberKind, p.number()
	case isWordStart(c):
		return p.word(words)
	case c == 0 && p.at == len(p.src):
		return absent, p.fail("the message ends where a value should be")
	}
	return absent, p.fail("expected a value")
}

func (p *parser) nested(depth int) error {
	_, err := p.value(depth+1, false)
	return err
}

// object takes an object; member takes the value of each key.
func (p *parser) object(depth int, member func(key string) error) error {
	return p.list(depth, '}', func() error {
		key, err := p.key()
		if err != nil {
			return err
		}
		if p.next() != ':' {
			return p.fail("expected ':' after a key")
		}
		p.at++
		return member(key)
	})
}

// array takes an array; item takes each value.
func (p *parser) array(depth int, item func() error) error { return p.list(depth, ']', item) }

// list takes what is between an opening bracket and end, with commas between.
func (p *parser) list(depth int, end byte, item func() error) error {
	if depth > maxDepth {
		return p.fail(fmt.Sprintf("more than %d levels of objects and arrays", maxDepth))
	}
	p.at++
	if p.next() == end {
		p.at++
		return nil
	}
	for {
		if err := item(); err != nil {
			return err
		}
		switch c := p.next(); c {
		case end:
			p.at++
			return nil
		case ',':
			p.at++
		default:
			return p.fail(fmt.Sprintf("expected ',' or '%c': is a quote inside a text not written as \\\" or \\'?", end))
		}
		if p.next() == end {
			if p.strict {
				return p.fail("a comma too many")
			}
			p.loose = true
			p.at++
			return nil
		}
	}
}

func (p *parser) key() (string, error) {
	c := p.next()
	start := p.at
	switch {
	case c == '"', c == '\'' && !p.strict:
		if err := p.quoted(); err != nil {
			return "", err
		}
		return string(unquote(p.src[start:p.at])), nil
	case isWordStart(c) && !p.strict:
		p.loose = true
		return string(p.takeWord()), nil
	}
	return "", p.fail("expected a key in quotes")
}

// quoted takes a string and checks it.
func (p *parser) quoted() error {
	quote := p.src[p.at]
	p.loose = p.loose || quote == '\''
	for p.at++; p.at < len(p.src); p.at++ {
		switch c := p.src[p.at]; {
		case c == quote:
			p.at++
			return nil
		case c == '\\':
			if err := p.escape(quote); err != nil {
				return err
			}
		case c == '\n', c == '\r':
			return p.fail(`line break inside a text: write it as \n`)
		case c < ' ':
			return p.fail(fmt.Sprintf(`control character inside a text: write it as \u%04x`, c))
		}
	}
	return p.fail("a text has no end")
}

// escape leaves at on the last byte of an escape.
func (p *parser) escape(quote byte) error {
	if p.at++; p.at == len(p.src) {
		return p.fail("a text has no end")
	}
	switch c := p.src[p.at]; c {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return nil
	case 'u':
		if _, ok := hex4(p.src[p.at+1:]); !ok {
			return p.fail(`expected four hexadecimal digits after \u`)
		}
		p.at += 4
		return nil
	case quote: // a single one
		return nil
	}
	return p.fail(`no escape of JSON: write a backslash as \\`)
}

// number takes a number as JSON has them.
func (p *parser) number() error {
	if p.src[p.at] == '-' {
		p.at++
	}
	if p.at < len(p.src) && p.src[p.at] == '0' {
		p.at++
	} else if !p.digits() {
		return p.fail("expected a digit")
	}
	if p.at < len(p.src) && p.src[p.at] == '.' {
		if p.at++; !p.digits() {
			return p.fail("expected a digit after '.'")
		}
	}
	if p.at < len(p.src) && p.src[p.at]|0x20 == 'e' {
		if p.at++; p.at < len(p.src) && (p.src[p.at] == '+' || p.src[p.at] == '-') {
			p.at++
		}
		if !p.digits() {
			return p.fail("expected a digit in the exponent")
		}
	}
	return nil
}

func (p *parser) digits() bool {
	start := p.at
	for p.at < len(p.src) && '0' <= p.src[p.at] && p.src[p.at] <= '9' {
		p.at++
	}
	return p.at > start
}

// word takes true, false, null or, where words may be, any other.
func (p *parser) word(words bool) (kind, error) {
	start := p.at
	switch word := string(p.takeWord()); {
	case word == "true" || word == "false":
		return boolKind, nil
	case word == "null":
		return nullKind, nil
	case !words || p.strict:
		p.at = start
		return absent, p.fail("expected a value: a text stands in quotes")
	}
	p.loose = true
	return wordKind, nil
}

func (p *parser) takeWord() []byte {
	start := p.at
	for p.at < len(p.src) && isWord(p.src[p.at]) {
		p.at++
	}
	return p.src[start:p.at]
}

func isWordStart(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' || c == '$'
}

func isWord(c byte) bool { return isWordStart(c) || '0' <= c && c <= '9' || c == '.' || c == '-' }

// unquote is what a string that was checked says. A lone surrogate, which is
// no character, becomes U+FFFD.
func unquote(quoted []byte) []byte {
	in := quoted[1 : len(quoted)-1]
	out := make([]byte, 0, len(in))
	for i := 0; i < len(in); i++ {
		if in[i] != '\\' {
			out = append(out, in[i])
			continue
		}
		i++
		if in[i] != 'u' {
			out = append(out, unescaped(in[i]))
			continue
		}
		r, size := unicodeEscape(in[i+1:])
		out = utf8.AppendRune(out, r)
		i += size
	}
	return out
}

func unescaped(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return c
}

// unicodeEscape reads what follows \u, and the second half of a pair.
func unicodeEscape(in []byte) (r rune, size int) {
	r, _ = hex4(in)
	if !utf16.IsSurrogate(r) {
		return r, 4
	}
	if len(in) >= 10 && in[4] == '\\' && in[5] == 'u' {
		if low, ok := hex4(in[6:]); ok {
			if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
				return pair, 10
			}
		}
	}
	return utf8.RuneError, 4
}

func hex4(in []byte) (rune, bool) {
	if len(in) < 4 {
		return 0, false
	}
	n, err := strconv.ParseUint(string(in[:4]), 16, 16)
	return rune(n), err == nil
}
