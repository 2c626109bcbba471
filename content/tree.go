package content

import (
	"encoding/xml"
	"io"
	"strings"

	"github.com/antchfx/xpath"
)

// node is a part of an XML document, and where that document has it: a step
// changes or cuts out bytes, and leaves all others as they were written.
type node struct {
	kind         xpath.NodeType // RootNode, ElementNode, TextNode or CommentNode
	prefix, name string
	space        string     // the namespace, by its URI
	written      []xml.Attr // the attributes, namespaces too, as they are written
	attributes   []namespaced
	scope        *scope // the namespaces declared here and above
	text         string

	parent, first, last, previous, next *node

	start, open int // an element's start tag
	close, end  int // and its end tag, empty if the start tag ends in "/>"
}

// namespaced is an attribute, no declaration of a namespace.
type namespaced struct {
	prefix, name, space, value string
}

// scope holds the namespaces that one element declares.
type scope struct {
	above    *scope
	declared map[string]string // prefix, "" for the default, to URI
}

func (s *scope) find(prefix string) string {
	if prefix == "xml" {
		return "http://www.w3.org/XML/1998/namespace"
	}
	for ; s != nil; s = s.above {
		if uri, ok := s.declared[prefix]; ok {
			return uri
		}
	}
	return ""
}

// parseXML takes apart what checkXML found well-formed. The document node has
// the root element, and perhaps comments, below it.
func parseXML(data []byte) (*node, error) {
	r := newXMLReader(data)
	document := &node{kind: xpath.RootNode, end: len(data)}
	current := document
	for count := 0; ; count++ {
		token, err := r.RawToken()
		if err == io.EOF {
			return document, nil
		}
		if err != nil {
			return nil, err
		}
		if element, ok := token.(xml.StartElement); ok {
			count += len(element.Attr)
		}
		if count > maxValues {
			return nil, refuse(codeTooLarge, "message has more than %d elements", maxValues)
		}
		current = current.grow(token, r.before, r.offset())
	}
}

// grow adds what a token says and returns the node that the next one belongs to.
func (n *node) grow(token xml.Token, start, end int) *node {
	switch t := token.(type) {
	case xml.StartElement:
		element := n.element(t)
		element.start, element.open = start, end
		return n.add(element)
	case xml.EndElement:
		n.close, n.end = start, end
		return n.parent
	case xml.CharData:
		if n.kind == xpath.ElementNode {
			n.add(&node{kind: xpath.TextNode, text: string(t), start: start, end: end})
		}
	case xml.Comment:
		n.add(&node{kind: xpath.CommentNode, text: string(t), start: start, end: end})
	}
	return n
}

func (n *node) add(child *node) *node {
	child.parent, child.previous = n, n.last
	if n.last == nil {
		n.first = child
	} else {
		n.last.next = child
	}
	n.last = child
	return child
}

func (n *node) element(t xml.StartElement) *node {
	e := &node{kind: xpath.ElementNode, prefix: t.Name.Space, name: t.Name.Local, scope: n.scope.with(t.Attr), written: t.Attr}
	e.space = e.scope.find(e.prefix)
	for _, a := range t.Attr {
		if _, declares := declaration(a.Name); declares {
			continue
		}
		attr := namespaced{prefix: a.Name.Space, name: a.Name.Local, value: a.Value}
		if attr.prefix != "" { // the default namespace is not for attributes
			attr.space = e.scope.find(attr.prefix)
		}
		e.attributes = append(e.attributes, attr)
	}
	return e
}

// with is the scope of an element that has these attributes.
func (s *scope) with(attrs []xml.Attr) *scope {
	var declared map[string]string
	for _, a := range attrs {
		prefix, declares := declaration(a.Name)
		if !declares {
			continue
		}
		if declared == nil {
			declared = map[string]string{}
		}
		declared[prefix] = a.Value
	}
	if declared == nil {
		return s
	}
	return &scope{s, declared}
}

// declaration says whether an attribute declares a namespace, and for what prefix.
func declaration(name xml.Name) (prefix string, ok bool) {
	switch {
	case name.Space == "xmlns":
		return name.Local, true
	case name.Space == "" && name.Local == "xmlns":
		return "", true
	}
	return "", false
}

// root is the document's root element.
func (n *node) root() *node {
	for child := n.first; child != nil; child = child.next {
		if child.kind == xpath.ElementNode {
			return child
		}
	}
	return nil
}

// value is all the text in a node.
func (n *node) value() string {
	if n.kind == xpath.TextNode || n.kind == xpath.CommentNode {
		return n.text
	}
	var b strings.Builder
	n.writeText(&b)
	return b.String()
}

func (n *node) writeText(b *strings.Builder) {
	for child := n.first; child != nil; child = child.next {
		switch child.kind {
		case xpath.TextNode:
			b.WriteString(child.text)
		case xpath.ElementNode:
			child.writeText(b)
		}
	}
}

func qualified(prefix, name string) string {
	if prefix == "" {
		return name
	}
	return prefix + ":" + name
}
