package config

import (
	"encoding/json"
	"strconv"
	"strings"
)

// object is a JSON object of the schema.
type object map[string]any

// Schema is the JSON Schema (draft 2020-12) of the file, made from the tables.
// What it takes the reader may still refuse: it knows nothing of options that
// go together, nor of files that are not there.
func Schema() ([]byte, error) {
	properties := newTable(new(Config)).properties("#/properties/")
	properties[includeKey] = includeOption().schema()
	properties[routesKey] = object{
		"description": "where requests go by path, host and subprotocol; see the routes part of wsbridge(5)",
		"type":        "array", "items": object{"$ref": "#/$defs/route"},
	}
	return json.MarshalIndent(object{
		"$schema": "https://json-schema.org/draft/2020-12/schema",
		"title":   "wsbridge configuration file",
		"type":    []string{"object", "null"}, "properties": properties, "additionalProperties": false,
		"$defs": object{
			"route": object{
				"type": "object", "properties": table(Routing()).properties("#/$defs/route/properties/"), "additionalProperties": false,
				"required": []string{"target"},
			},
			"reference": object{
				"description": "${file:/path}, ${env:NAME} or ${credential:NAME}, or text that has one in it",
				"type":        "string", "pattern": `\$\{(file|env|credential):[^}]+\}`,
			},
			"text":    object{"type": []string{"string", "number", "boolean"}},
			"switch":  orReference(object{"type": "boolean"}, object{"enum": []any{"true", "false", "yes", "no", "on", "off", 1, 0, "1", "0"}}),
			"number":  orReference(object{"type": "integer", "minimum": 0, "maximum": maxInt}, object{"type": "string", "pattern": numberPattern}),
			"seconds": orReference(object{"type": "integer", "minimum": 0, "maximum": maxSeconds}, object{"type": "string", "pattern": secondsPattern}),
		},
	}, "", "  ")
}

const (
	numberPattern  = `^\+?(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|0|[1-9][0-9]*)$`
	secondsPattern = numberPattern + `|^\+?([0-9]*\.?[0-9]+(h|m|s|ms|us|µs|μs|ns))+$`
)

func orReference(kinds ...object) object {
	return object{"anyOf": append(kinds, object{"$ref": "#/$defs/reference"})}
}

// properties is the table's keys, with each dash also as an underscore. at is
// where they are in the schema.
func (t table) properties(at string) object {
	properties := object{}
	for _, o := range t {
		if o.FileKey() == "" {
			continue
		}
		properties[o.FileKey()] = o.schema()
		if other := strings.ReplaceAll(o.FileKey(), "-", "_"); other != o.FileKey() {
			properties[other] = object{"$ref": at + o.FileKey()}
		}
	}
	return properties
}

// schema is what values the option takes.
func (o Option) schema() object {
	s := object{"description": o.Help}
	if o.Default != "" {
		s["default"] = o.defaultValue()
	}
	kind := o.Kind()
	if kind == "list" {
		kind = "text"
	}
	ref := object{"$ref": "#/$defs/" + kind}
	switch {
	case o.choices() != nil:
		s["anyOf"] = []object{{"enum": o.choiceValues()}, {"$ref": "#/$defs/reference"}}
	case o.isList():
		s["anyOf"] = []object{ref, {"type": "array", "items": ref}}
	default:
		s["$ref"] = ref["$ref"]
	}
	return s
}

// choiceValues are the choices as YAML may understand them: 502 and "502".
func (o Option) choiceValues() (values []any) {
	for _, c := range o.choices() {
		if n, err := strconv.Atoi(c); err == nil {
			values = append(values, n)
		}
		values = append(values, c)
	}
	return values
}

func (o Option) defaultValue() any {
	if n, err := strconv.Atoi(o.Default); err == nil {
		return n
	}
	if o.isSwitch() {
		return o.Default == "true"
	}
	return o.Default
}
