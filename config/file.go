package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

const maxFileSize = 1 << 20

// readFile takes the keys of the YAML file called name; no name, no keys.
func (t table) readFile(name string) ([]assignment, []Route, error) {
	if name == "" {
		return nil, nil, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, nil, usageErrorf("", "configuration file: %s", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFileSize+1))
	if err != nil {
		return nil, nil, usageErrorf("", "configuration file: %s", err)
	}
	if len(text) > maxFileSize {
		return nil, nil, usageErrorf("", "configuration file %s: larger than %d bytes", name, maxFileSize)
	}
	return t.readYAML(name, text)
}

// readYAML takes one YAML document: a mapping of keys of the table to scalars,
// or to lists of scalars where the option is a list, and routes to a list of
// mappings. Nothing else is let pass.
func (t table) readYAML(name string, text []byte) (given []assignment, routes []Route, err error) {
	top, err := yamlMapping(name, text)
	if err != nil || top == nil {
		return nil, nil, err
	}
	for i := 0; i+1 < len(top.Content); i += 2 {
		if top.Content[i].Value != routesKey || routes != nil {
			continue
		}
		if routes, err = readRoutes(name, top.Content[i+1]); err != nil {
			return nil, nil, err
		}
		top.Content = slices.Delete(top.Content, i, i+2)
	}
	given, err = t.readMapping(name, top)
	return given, routes, err
}

const routesKey = "routes"

// readMapping takes the keys of one mapping, each of them once.
func (t table) readMapping(name string, mapping *yaml.Node) (given []assignment, err error) {
	if mapping.Kind != yaml.MappingNode {
		return nil, usageErrorf("write key: value", "%s:%d: not a mapping of keys to values", name, mapping.Line)
	}
	seen := make(map[string]int) // key to line
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		key, value := mapping.Content[i], mapping.Content[i+1]
		if line, twice := seen[key.Value]; twice {
			return nil, usageErrorf("", "%s:%d: key %q is already set in line %d", name, key.Line, key.Value, line)
		}
		seen[key.Value] = key.Line
		some, err := t.readKey(name, key, value)
		if err != nil {
			return nil, err
		}
		given = append(given, some...)
	}
	return given, nil
}

// yamlMapping parses a file's only document. An empty file is no mapping and no
// error.
func yamlMapping(name string, text []byte) (*yaml.Node, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var first, second yaml.Node
	err := decoder.Decode(&first)
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	if err == nil && !errors.Is(decoder.Decode(&second), io.EOF) {
		return nil, usageErrorf("", "%s: more than one YAML document", name)
	}
	if err != nil {
		return nil, usageErrorf("", "%s", yamlError(name, err))
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

// yamlError turns "yaml: line 3: did not ..." into "name:3: did not ...".
func yamlError(name string, err error) string {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	var line int
	if _, bad := fmt.Sscanf(text, "line %d:", &line); bad != nil {
		return name + ": " + text
	}
	_, rest, _ := strings.Cut(text, ": ")
	return fmt.Sprintf("%s:%d: %s", name, line, rest)
}

func (t table) readKey(name string, key, value *yaml.Node) (given []assignment, err error) {
	o, ok := t.find(strings.ReplaceAll(key.Value, "_", "-"), Option.FileKey)
	if !ok {
		hint := didYouMean(key.Value, t.names(Option.FileKey))
		return nil, usageErrorf(hint, "%s:%d: unknown key %q", name, key.Line, key.Value)
	}
	items, ok := o.scalars(value)
	if !ok {
		return nil, usageErrorf("", "%s:%d: %s: want %s", name, value.Line, o.Long, o.wanted())
	}
	for _, item := range items {
		origin := Origin{File, fmt.Sprintf("%s:%d", name, item.Line)}
		given = append(given, assignment{o, item.Value, origin})
	}
	if len(items) == 0 { // an empty list: said, and so stronger than the default
		given = append(given, assignment{o, "", Origin{File, fmt.Sprintf("%s:%d", name, key.Line)}})
	}
	return given, nil
}

// scalars are the values of a key's node, aliases followed.
func (o Option) scalars(n *yaml.Node) (items []*yaml.Node, ok bool) {
	n = followed(n)
	if n.Kind == yaml.ScalarNode {
		return []*yaml.Node{n}, n.Tag != "!!null"
	}
	if !o.isList() || n.Kind != yaml.SequenceNode {
		return nil, false
	}
	for _, item := range n.Content {
		if item = followed(item); item.Kind != yaml.ScalarNode || item.Tag == "!!null" {
			return nil, false
		}
		items = append(items, item)
	}
	return items, true
}

func (o Option) isList() bool {
	switch o.to.(type) {
	case *[]string, *Verbatim:
		return true
	}
	return false
}

// followed is what an alias stands for; an alias of an alias is no YAML.
func followed(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// wanted says what kind of value the option takes in a file.
func (o Option) wanted() string {
	switch o.to.(type) {
	case *bool:
		return "true or false"
	case *[]string, *Verbatim:
		return "a value or a list of values"
	}
	return "one value"
}
