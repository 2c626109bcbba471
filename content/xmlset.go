package content

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// xmlsetStep puts a text into the elements an XPath selects, or into an
// attribute of theirs.
type xmlsetStep struct {
	expression
	attribute string // as it is written; "": the element's content
	template  template
	maxBytes  int
	runner    runner
}

// attributeBehind is the attribute that an expression ends with.
var attributeBehind = regexp.MustCompile(`^(.+)/@([\pL_][\pL\pN_.-]*(?::[\pL_][\pL\pN_.-]*)?)$`)

func newXMLSet(arg string, o Options) (step, error) {
	s := &xmlsetStep{maxBytes: o.MaxBytes, runner: runner{limit: o.StepTimeout}}
	before := namespacesBefore.FindString(arg)
	target, text, err := cutAssignment(arg[len(before):])
	if err != nil {
		return step{}, err
	}
	if m := attributeBehind.FindStringSubmatch(target); m != nil {
		target, s.attribute = m[1], m[2]
	}
	if s.expression, err = parseExpression(before + target); err != nil {
		return step{}, err
	}
	if s.template, err = parseTemplate(text); err != nil {
		return step{}, err
	}
	return step{needs: xmlForm, makes: xmlForm, run: s.run}, nil
}

// cutAssignment splits XPATH=TEXT at the first equals sign that is not inside
// the brackets or quotes of the XPath.
func cutAssignment(s string) (target, text string, err error) {
	depth, quote := 0, rune(0)
	for i, c := range s {
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '[' || c == '(':
			depth++
		case c == ']' || c == ')':
			depth--
		case c == '=' && depth == 0 && strings.TrimSpace(s[:i]) != "":
			return strings.TrimSpace(s[:i]), s[i+1:], nil
		}
	}
	return "", "", fmt.Errorf("%s does not say what to set: say %s", s, usage["xmlset"])
}

var errNothingToSet = errors.New("expression selects something that is not an element")

func (s *xmlsetStep) run(ctx context.Context, data []byte, meta *Meta) ([][]byte, error) {
	document, err := parseXML(data)
	if err != nil {
		return nil, err
	}
	text, err := escapeXML(s.template.expand(meta))
	if err != nil {
		return nil, err
	}
	return s.runner.do(ctx, func(ctx context.Context) ([][]byte, error) {
		elements, pass, err := s.find(ctx, document)
		switch {
		case err != nil:
			return nil, err
		case pass && len(elements) == 0:
			return nil, errNothingToSet
		}
		return s.set(data, elements, text)
	})
}

// edit puts text in the place of some bytes.
type edit struct {
	start, end int
	text       []byte
}

// set changes what is asked for and no other byte. What is inside of an
// element that gets a new content is gone.
func (s *xmlsetStep) set(data []byte, elements []*node, text []byte) ([][]byte, error) {
	if len(elements) == 0 {
		return [][]byte{data}, nil
	}
	if len(data)+len(elements)*len(text) > s.maxBytes {
		return nil, resultTooLarge()
	}
	var edits []edit
	for _, e := range elements {
		if s.attribute == "" {
			edits = append(edits, e.setContent(text))
		} else {
			edits = append(edits, e.setAttribute(data, s.attribute, text))
		}
	}
	slices.SortFunc(edits, func(a, b edit) int { return a.start - b.start })
	var out bytes.Buffer
	at := 0
	for _, e := range edits {
		if e.start < at {
			continue
		}
		out.Write(data[at:e.start])
		out.Write(e.text)
		at = e.end
	}
	out.Write(data[at:])
	return [][]byte{out.Bytes()}, nil
}

func (n *node) setContent(text []byte) edit {
	if n.close < n.end {
		return edit{n.open, n.close, text}
	}
	return edit{n.open - len("/>"), n.open, slices.Concat([]byte(">"), text, []byte("</"+qualified(n.prefix, n.name)+">"))}
}

func (n *node) setAttribute(data []byte, name string, text []byte) edit {
	attributes, _ := scanTag(data, n.start, n.open)
	for _, a := range attributes {
		if a.name == name {
			return edit{a.start, a.end, text}
		}
	}
	at := n.start + 1 + len(qualified(n.prefix, n.name))
	return edit{at, at, slices.Concat([]byte(" "+name+`="`), text, []byte(`"`))}
}

// template is a text with values of $meta in it; $$ is a dollar sign.
type template []func(*Meta) string

// placeholder is a dollar sign and what it stands for.
var placeholder = regexp.MustCompile(`\$(\$|meta\.(?:header\.[\w-]+|path|client|time|direction|contentType)\b)?`)

func parseTemplate(s string) (t template, err error) {
	at := 0
	for _, m := range placeholder.FindAllStringSubmatchIndex(s, -1) {
		if m[2] < 0 {
			return nil, fmt.Errorf("%q: there is $meta.path, .client, .time, .direction, .contentType and .header.NAME, and $$ for a dollar sign", s[m[0]:])
		}
		t = append(t, literal(s[at:m[0]]), metaValue(s[m[2]:m[3]]))
		at = m[1]
	}
	return append(t, literal(s[at:])), nil
}

func literal(s string) func(*Meta) string { return func(*Meta) string { return s } }

func metaValue(name string) func(*Meta) string {
	if header, ok := strings.CutPrefix(name, "meta.header."); ok {
		return func(m *Meta) string { return m.Header[header] }
	}
	switch name {
	case "meta.path":
		return func(m *Meta) string { return m.Path }
	case "meta.client":
		return func(m *Meta) string { return m.Client }
	case "meta.time":
		return (*Meta).timestamp
	case "meta.direction":
		return func(m *Meta) string { return m.Direction }
	case "meta.contentType":
		return func(m *Meta) string { return m.ContentType }
	}
	return literal("$")
}

func (t template) expand(m *Meta) string {
	var b strings.Builder
	for _, part := range t {
		b.WriteString(part(m))
	}
	return b.String()
}
