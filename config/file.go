package config

import (
	"fmt"
	"path/filepath"
	"slices"

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
	read   []string // files, as they were opened
}

// readFile takes the keys of the YAML file called name; no name, no keys.
func (t table) readFile(name string, environ []string) (*reader, error) {
	r := &reader{table: t, disk: systemDisk(), env: environ, left: maxReadSize}
	if name == "" {
		return r, nil
	}
	text, err := r.content(name, maxFileSize)
	if err != nil {
		return nil, usageErrorf("name a YAML file that may be read", "configuration file: %s", err)
	}
	return r, r.file(name, text, nil)
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
