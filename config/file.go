package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

const (
	maxFileSize = 1 << 20
	maxReadSize = 4 << 20 // all files and secrets together

	includeKey = "include"
	routesKey  = "routes"
)

// reader reads a configuration file, the files that it includes, and the
// secrets that they name.
type reader struct {
	table  table
	disk   disk
	env    []string // "NAME=value", for ${env:NAME}
	left   int      // bytes that may still be read
	given  []assignment
	routes []Route
}

// readFile takes the keys of the YAML file called name; no name, no keys.
func (t table) readFile(name string, environ []string) ([]assignment, []Route, error) {
	if name == "" {
		return nil, nil, nil
	}
	r := &reader{table: t, disk: systemDisk(), env: environ, left: maxReadSize}
	text, err := r.content(name, maxFileSize)
	if err != nil {
		return nil, nil, usageErrorf("name a YAML file that may be read", "configuration file: %s", err)
	}
	err = r.file(name, text, nil)
	return r.given, r.routes, err
}

// file takes one YAML document: a mapping of keys of the table to scalars, or
// to lists of scalars where the option is a list; routes, a list of mappings;
// and include. Nothing else is let pass. What is included comes first, so that
// the file itself wins. chain is the files that include it, outermost first.
func (r *reader) file(name string, text []byte, chain []string) error {
	top, err := yamlMapping(name, text)
	if err != nil || top == nil {
		return err
	}
	pairs, err := pairsOf(name, top)
	if err != nil {
		return err
	}
	chain = slices.Concat(chain, []string{filepath.Clean(name)})
	for _, p := range pairs {
		if p.key.Value == includeKey {
			err = r.include(name, p, chain)
		}
		if err != nil {
			return err
		}
	}
	return r.keys(name, pairs)
}

// keys takes all but include.
func (r *reader) keys(name string, pairs []pair) (err error) {
	for _, p := range pairs {
		var given []assignment
		switch p.key.Value {
		case includeKey:
		case routesKey:
			err = r.readRoutes(name, p.value)
		default:
			given, err = r.readKey(r.table, name, p, includeKey, routesKey)
			r.given = append(r.given, given...)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// readRoutes takes a list of mappings, each of them a route.
func (r *reader) readRoutes(name string, list *yaml.Node) error {
	list = followed(list)
	if list.Kind != yaml.SequenceNode {
		return usageErrorf("write - path: /chat below it", "%s:%d: routes: want a list of mappings", name, list.Line)
	}
	for _, item := range list.Content {
		route, err := r.readRoute(name, item)
		if err != nil {
			return err
		}
		r.routes = append(r.routes, *route)
	}
	return nil
}

func (r *reader) readRoute(name string, item *yaml.Node) (*Route, error) {
	route, t := routeTable(fmt.Sprintf("%s:%d", name, item.Line))
	pairs, err := pairsOf(name, followed(item))
	if err != nil {
		return nil, err
	}
	for _, p := range pairs {
		given, err := r.readKey(t, name, p)
		if err == nil {
			err = route.origins.apply(given)
		}
		if err != nil {
			return nil, err
		}
	}
	if err := route.check(); err != nil {
		return nil, usageErrorf(err.Hint, "%s", route.hide(err.Msg))
	}
	return route, nil
}

// pair is a key of a mapping and its value.
type pair struct{ key, value *yaml.Node }

// pairsOf takes a mapping apart. A key, however it is spelt, is there once.
func pairsOf(name string, mapping *yaml.Node) (pairs []pair, err error) {
	if mapping.Kind != yaml.MappingNode {
		return nil, usageErrorf("write key: value", "%s:%d: not a mapping of keys to values", name, mapping.Line)
	}
	seen := make(map[string]int) // key to line
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		p := pair{mapping.Content[i], mapping.Content[i+1]}
		if line, twice := seen[p.long()]; twice {
			return nil, usageErrorf("leave out one of them", "%s:%d: key %q is already set in line %d", name, p.key.Line, p.key.Value, line)
		}
		seen[p.long()] = p.key.Line
		pairs = append(pairs, p)
	}
	return pairs, nil
}

// long is the key as the table has it: an underscore is as good as a dash.
func (p pair) long() string { return strings.ReplaceAll(p.key.Value, "_", "-") }

// yamlMapping parses a file's only document. An empty file is no mapping and no
// error.
func yamlMapping(name string, text []byte) (*yaml.Node, error) {
	if err := checkText(name, text); err != nil {
		return nil, err
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var first, second yaml.Node
	err := decoder.Decode(&first)
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	if err == nil && !errors.Is(decoder.Decode(&second), io.EOF) {
		return nil, usageErrorf("leave out --- and what stands before or behind it", "%s:%d: more than one YAML document", name, second.Line)
	}
	if err != nil {
		return nil, yamlError(name, text, err)
	}
	if len(first.Content) == 0 {
		return nil, nil
	}
	top := first.Content[0]
	if top.Kind == yaml.MappingNode {
		return top, nil
	}
	if top.Tag == "!!null" {
		return nil, nil
	}
	return nil, usageErrorf("write one key: value in each line", "%s:%d: not a mapping of keys to values", name, top.Line)
}

// checkText refuses what is no text, for which the parser knows no line.
func checkText(name string, text []byte) error {
	const hint = "save it as plain text in UTF-8"
	line := 1
	for i := 0; i < len(text); {
		c, size := utf8.DecodeRune(text[i:])
		switch {
		case c == utf8.RuneError && size == 1:
			return usageErrorf(hint, "%s:%d: byte 0x%02x is not UTF-8", name, line, text[i])
		case c == '\n':
			line++
		case c < ' ' && c != '\t' && c != '\r', c >= 0x7f && c < 0xa0 && c != 0x85:
			return usageErrorf(hint, "%s:%d: control character 0x%02x", name, line, c)
		}
		i += size
	}
	return nil
}

// parserErrors are those whose line the parser counts from 0.
var parserErrors = []string{
	"did not find expected <", "did not find expected node content", "did not find expected '-' indicator", "did not find expected key",
	"did not find expected ','", "found duplicate %", "found incompatible YAML document", "found undefined tag handle",
}

// yamlError turns "yaml: line 3: did not ..." into "name:3: did not ...".
func yamlError(name string, text []byte, err error) error {
	const hint = "indent with spaces, put a space behind each colon, and quotes around a value that holds : # { or ["
	msg := strings.TrimPrefix(err.Error(), "yaml: ")
	line, alias := 1, ""
	if n, _ := fmt.Sscanf(msg, "line %d:", &line); n == 1 {
		_, msg, _ = strings.Cut(msg, ": ")
		if slices.ContainsFunc(parserErrors, func(p string) bool { return strings.HasPrefix(msg, p) }) {
			line++
		}
	} else if n, _ := fmt.Sscanf(msg, "unknown anchor '%s", &alias); n == 1 {
		before, _, _ := bytes.Cut(text, []byte("*"+strings.TrimSuffix(alias, "'")))
		line += bytes.Count(before, []byte("\n"))
	}
	return usageErrorf(hint, "%s:%d: %s", name, line, msg)
}

// readKey takes the value or values of a key of t. others are the keys that
// may stand there besides.
func (r *reader) readKey(t table, name string, p pair, others ...string) (given []assignment, err error) {
	o, ok := t.find(p.long(), Option.FileKey)
	if !ok {
		return nil, unknownKey(name, p.key, append(t.names(Option.FileKey), others...))
	}
	items, err := o.scalars(name, p.value)
	if err != nil {
		return nil, err
	}
	for _, item := range items {
		a := assignment{option: o, origin: Origin{Source: File, Place: fmt.Sprintf("%s:%d", name, item.Line)}}
		if a.text, a.origin.Secret, err = r.expand(a.place(), filepath.Dir(name), item.Value); err != nil {
			return nil, err
		}
		given = append(given, a)
	}
	if len(items) == 0 { // an empty list: said, and so stronger than the default
		given = append(given, assignment{o, "", Origin{Source: File, Place: fmt.Sprintf("%s:%d", name, p.key.Line)}})
	}
	return given, nil
}

func unknownKey(name string, key *yaml.Node, known []string) error {
	hint := didYouMean(key.Value, known)
	if hint == "" {
		hint = "wsbridge config schema has every key"
	}
	return usageErrorf(hint, "%s:%d: unknown key %q", name, key.Line, key.Value)
}

// scalars are the values of a key's node, aliases followed.
func (o Option) scalars(name string, n *yaml.Node) (items []*yaml.Node, err error) {
	n = followed(n)
	items = []*yaml.Node{n}
	if o.isList() && n.Kind == yaml.SequenceNode {
		items = n.Content
	}
	for i, item := range items {
		item = followed(item)
		if item.Kind != yaml.ScalarNode || item.Tag == "!!null" {
			return nil, usageErrorf(o.wantedHint(), "%s:%d: %s: want %s", name, item.Line, o.Long, o.wanted())
		}
		items[i] = item
	}
	return items, nil
}

func (o Option) isList() bool { return o.Kind() == "list" }

// followed is what an alias stands for; an alias of an alias is no YAML.
func followed(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// wanted says what kind of value the option takes in a file.
func (o Option) wanted() string {
	switch {
	case o.isSwitch():
		return "true or false"
	case o.isList():
		return "a value or a list of values"
	}
	return "one value"
}

func (o Option) wantedHint() string {
	switch {
	case o.isSwitch():
		return "write " + o.Long + ": true"
	case o.isList():
		return fmt.Sprintf("write %s: [%s]", o.Long, o.Metavar)
	}
	return fmt.Sprintf("write %s: %s, or %s: \"\" for none", o.Long, o.Metavar, o.Long)
}
