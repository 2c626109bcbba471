package content

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"

	"github.com/antchfx/xpath"
)

// The mapping between XML and JSON: an element is a member of its parent's
// object, the root element the only member of the outermost. One without
// attributes and elements is its text; otherwise it is an object, attributes
// with @ before their name and the text as #text. An element that comes more
// than once is an array. Prefixes and their declarations are names like others.

// xml2json writes names in the order of the document.
func xml2json(_ context.Context, data []byte, _ *Meta) ([][]byte, error) {
	document, err := parseXML(data)
	if err != nil {
		return nil, err
	}
	var w jsonWriter
	w.b.WriteByte('{')
	w.member(document.root())
	w.b.WriteByte('}')
	return [][]byte{w.b.Bytes()}, nil
}

// jsonWriter writes elements as JSON.
type jsonWriter struct{ b bytes.Buffer }

func (w *jsonWriter) string(s string) {
	e := json.NewEncoder(&w.b)
	e.SetEscapeHTML(false)
	e.Encode(s)                 // cannot fail
	w.b.Truncate(w.b.Len() - 1) // the line's end
}

func (w *jsonWriter) key(name string) {
	if last := w.b.Bytes()[w.b.Len()-1]; last != '{' {
		w.b.WriteByte(',')
	}
	w.string(name)
	w.b.WriteByte(':')
}

// member writes elements of one name.
func (w *jsonWriter) member(elements ...*node) {
	w.key(qualified(elements[0].prefix, elements[0].name))
	if len(elements) == 1 {
		w.element(elements[0])
		return
	}
	for i, e := range elements {
		w.b.WriteByte("[,"[min(i, 1)])
		w.element(e)
	}
	w.b.WriteByte(']')
}

func (w *jsonWriter) element(n *node) {
	names, children := n.children()
	text := n.ownText()
	if len(n.written) == 0 && len(names) == 0 {
		w.string(text)
		return
	}
	w.b.WriteByte('{')
	for _, a := range n.written {
		w.key("@" + qualified(a.Name.Space, a.Name.Local))
		w.string(a.Value)
	}
	if len(names) == 0 && text != "" || strings.TrimSpace(text) != "" {
		w.key("#text")
		w.string(text)
	}
	for _, name := range names {
		w.member(children[name]...)
	}
	w.b.WriteByte('}')
}

// children are an element's, by name, and the names as they first come.
func (n *node) children() (names []string, children map[string][]*node) {
	children = map[string][]*node{}
	for child := n.first; child != nil; child = child.next {
		if child.kind != xpath.ElementNode {
			continue
		}
		name := qualified(child.prefix, child.name)
		if children[name] == nil {
			names = append(names, name)
		}
		children[name] = append(children[name], child)
	}
	return names, children
}

// ownText is the text in an element, not in the elements in it.
func (n *node) ownText() string {
	var b strings.Builder
	for child := n.first; child != nil; child = child.next {
		if child.kind == xpath.TextNode {
			b.WriteString(child.text)
		}
	}
	return b.String()
}
