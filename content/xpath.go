package content

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/antchfx/xpath"
)

// expression is an XPath 1.0 expression with its namespaces, as in
//
//	s=http://schemas.xmlsoap.org/soap/envelope/;//s:Body
//
// The compiled form remembers where it is, so each evaluation makes its own.
type expression struct {
	source     string
	namespaces map[string]string
}

// namespacesBefore has no quotes and no brackets in it, as a semicolon in an
// expression would.
var namespacesBefore = regexp.MustCompile(`^\s*[A-Za-z_][\w.-]*=[^\s;,'"()\[\]]+(\s*,\s*[A-Za-z_][\w.-]*=[^\s;,'"()\[\]]+)*\s*;`)

// parseExpression finds out that it cannot fail later, by trying it once.
func parseExpression(s string) (x expression, err error) {
	before := namespacesBefore.FindString(s)
	x = expression{strings.TrimSpace(s[len(before):]), map[string]string{}}
	for pair := range strings.SplitSeq(strings.TrimRight(strings.TrimSpace(before), ";"), ",") {
		prefix, uri, ok := strings.Cut(strings.TrimSpace(pair), "=")
		if ok {
			x.namespaces[prefix] = strings.TrimSpace(uri)
		}
	}
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("%v", v)
		}
	}()
	document, err := parseXML([]byte("<a/>"))
	if err != nil {
		return x, err
	}
	result, err := x.evaluate(context.Background(), document)
	switch result.(type) {
	case float64, string:
		return x, fmt.Errorf("%s is a number or a text, not elements and not true or false: compare it with something", x.source)
	}
	if err != nil {
		return x, fmt.Errorf("%s: %w: prefixes are declared before it, as in s=http://example.org/ns;//s:name", x.source, err)
	}
	return x, nil
}

// evaluate returns a bool or a node set. It panics where the package does, and
// so does the node set, and with the error of the context when that is done.
func (x expression) evaluate(ctx context.Context, document *node) (any, error) {
	compiled, err := xpath.CompileWithNS(x.source, x.namespaces)
	if err != nil {
		return nil, err
	}
	return compiled.Evaluate(&navigator{walk: &walk{ctx: ctx, document: document}, at: document}), nil
}

// errNotNodes cannot happen to an expression that was tried.
var errNotNodes = errors.New("expression gave neither nodes nor true or false")

// find returns the nodes that the expression selects, with pass for whether it
// selects anything, or is true. Attributes and text are no nodes of their own.
func (x expression) find(ctx context.Context, document *node) (elements []*node, pass bool, err error) {
	result, err := x.evaluate(ctx, document)
	if err != nil {
		return nil, false, err
	}
	switch result := result.(type) {
	case bool:
		return nil, result, nil
	case *xpath.NodeIterator:
		for result.MoveNext() {
			pass = true
			if n := result.Current().(*navigator); n.NodeType() == xpath.ElementNode {
				elements = append(elements, n.at)
			}
		}
		return elements, pass, nil
	}
	return nil, false, errNotNodes
}

// xpathStep selects elements of a message, or lets it pass or not.
type xpathStep struct {
	expression
	maxBytes int
	runner   runner
}

func newXPath(arg string, o Options) (step, error) {
	x, err := parseExpression(arg)
	if err != nil {
		return step{}, err
	}
	s := &xpathStep{expression: x, maxBytes: o.MaxBytes, runner: runner{limit: o.StepTimeout}}
	return step{needs: xmlForm, makes: xmlForm, run: s.run}, nil
}

func (s *xpathStep) run(ctx context.Context, data []byte, _ *Meta) ([][]byte, error) {
	document, err := parseXML(data)
	if err != nil {
		return nil, err
	}
	return s.runner.do(ctx, func(ctx context.Context) ([][]byte, error) {
		elements, pass, err := s.find(ctx, document)
		switch {
		case err != nil || !pass:
			return nil, err
		case len(elements) == 0, len(elements) == 1 && elements[0] == document.root():
			return [][]byte{data}, nil
		}
		return s.cutOut(data, elements)
	})
}

func (s *xpathStep) cutOut(data []byte, elements []*node) (out [][]byte, err error) {
	if len(elements) > maxResults {
		return nil, tooManyResults()
	}
	left := s.maxBytes
	for _, e := range elements {
		b, err := e.standalone(data)
		if err != nil {
			return nil, err
		}
		if left -= len(b); left < 0 {
			return nil, resultTooLarge()
		}
		out = append(out, b)
	}
	return out, nil
}

// standalone is the element as a document: its own bytes, and the namespaces
// that were declared above it.
func (n *node) standalone(data []byte) ([]byte, error) {
	inherited := map[string]string{}
	own := n.scope
	if n.scope == n.parent.scope {
		own = nil
	}
	for s := n.parent.scope; s != nil; s = s.above {
		for prefix, uri := range s.declared {
			_, known := inherited[prefix]
			if !known && (own == nil || !own.declares(prefix)) {
				inherited[prefix] = uri
			}
		}
	}
	var declarations bytes.Buffer
	for _, prefix := range slices.Sorted(maps.Keys(inherited)) {
		uri, err := escapeXML(inherited[prefix])
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&declarations, ` %s="%s"`, strings.TrimSuffix("xmlns:"+prefix, ":"), uri)
	}
	name := n.start + 1 + len(qualified(n.prefix, n.name))
	return slices.Concat(data[n.start:name], declarations.Bytes(), data[name:n.end]), nil
}

func (s *scope) declares(prefix string) bool { _, ok := s.declared[prefix]; return ok }
