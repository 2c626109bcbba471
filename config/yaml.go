package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

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

// followed is what an alias stands for; an alias of an alias is no YAML.
func followed(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}
