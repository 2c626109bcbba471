package config

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

func compiledSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	text, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("schema.json", parsed); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// bySchema is what an editor thinks of a file.
func bySchema(t *testing.T, schema *jsonschema.Schema, text string) error {
	t.Helper()
	var value any
	if err := yaml.Unmarshal([]byte(text), &value); err != nil {
		t.Fatal(err)
	}
	asJSON, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(asJSON))
	if err != nil {
		t.Fatal(err)
	}
	return schema.Validate(instance)
}

// byParser is what the bridge thinks of it, but for how options go together.
func byParser(text string) error {
	c := &Config{origins: make(origins)}
	r := reader{table: newTable(c), env: []string{"X=1"}, left: maxReadSize}
	if err := r.file("f.yaml", []byte(text), nil); err != nil {
		return err
	}
	return c.origins.apply(r.given)
}

// TestSchemaTakesOurFiles: the reference and the examples.
func TestSchemaTakesOurFiles(t *testing.T) {
	schema := compiledSchema(t)
	files, err := filepath.Glob("../examples/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	for _, name := range append(files, "reference.yaml") {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := bySchema(t, schema, string(text)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	uncommented := regexp.MustCompile(`(?m)^#([a-z0-9-]+:)`).ReplaceAllString(Reference(), "$1")
	if err := bySchema(t, schema, uncommented); err != nil {
		t.Errorf("every key at its default: %v", err)
	}
}

// TestSchemaAndParserAgree on what is right and on what is wrong.
func TestSchemaAndParserAgree(t *testing.T) {
	schema := compiledSchema(t)
	for _, test := range []struct {
		text  string
		right bool
	}{
		{"", true},
		{"heartbeat: 30", true},
		{"heartbeat: 0x1e", true},
		{"heartbeat: '0b11'", true},
		{"heartbeat: 1h30m", true},
		{"heartbeat: 1.5s", true},
		{"heartbeat: .5s", true},
		{"heartbeat: ${env:X}", true},
		{"heartbeat: 1.5", false},
		{"heartbeat: -1", false},
		{"heartbeat: soon", false},
		{"heartbeat: 3d", false},
		{"heartbeat: 1000000001", false},
		{"heartbeat: [1]", false},
		{"heartbeat: null", false},
		{"heartbeet: 30", false},
		{"max-sessions: 2147483648", false},
		{"max-sessions: 017", true},
		{"max-sessions: '1_000'", false},
		{"max_sessions: 10", true},
		{"max_sessions: ten", false},
		{"text: yes", true},
		{"text: off", true},
		{"text: 1", true},
		{"text: maybe", false},
		{"text: ''", false},
		{"text: ${env:X}", true},
		{"log-format: json", true},
		{"log-format: xml", false},
		{"listen: 6080", true},
		{"listen: [6080, '[::1]:6080']", true},
		{"listen: [[6080]]", false},
		{"listen: {port: 6080}", false},
		{"config: x", false},
		{"help: true", false},
		{"web: ''", true},
		{"include: []", true},
		{"include: {a: b}", false},
		{"routes: []", true},
		{"routes: {path: /x}", false},
		{"routes: [/x]", false},
		{"routes: [{path: /x, target: 'h:1'}]", true},
		{"routes: [{path: /x, target: 'h:1', taget: x}]", false},
		{"routes: [{path: /x}]", false},
		{"routes: [{path: /x, target: 'h:1', on-connect: accept-first, require_content: true, in: validate, refused_status: 503}]", true},
		{"routes: [{path: /x, target: 'h:1', on_connect: never}]", false},
		{"routes: [{path: /x, target: 'h:1', refused-status: 404}]", false},
		{"routes: [{path: /x, target: 'h:1', cert: x}]", false},
		{"[text]", false},
	} {
		editor, bridge := bySchema(t, schema, test.text), byParser(test.text)
		if (editor == nil) != test.right || (bridge == nil) != test.right {
			t.Errorf("%s: right %v, but by the schema %v, by the parser %v", test.text, test.right, editor, bridge)
		}
	}
}

// TestSchemaTellsWhatTheTableTells of each option, for an editor to show.
func TestSchemaTellsWhatTheTableTells(t *testing.T) {
	text, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	type entry struct {
		Description string
		Default     any
	}
	var schema struct {
		Properties map[string]entry
		Defs       map[string]struct{ Properties map[string]entry } `json:"$defs"`
	}
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	for _, part := range []struct {
		options table
		entries map[string]entry
	}{{newTable(new(Config)), schema.Properties}, {Routing(), schema.Defs["route"].Properties}} {
		for _, o := range part.options {
			e, ok := part.entries[o.FileKey()]
			if ok != (o.FileKey() != "") || ok && (e.Description != o.Help || (e.Default == nil) != (o.Default == "")) {
				t.Errorf("%s: %+v", o.Long, e)
			}
			delete(part.entries, o.FileKey())
			delete(part.entries, strings.ReplaceAll(o.FileKey(), "-", "_"))
		}
	}
	delete(schema.Properties, includeKey)
	delete(schema.Properties, routesKey)
	if len(schema.Properties)+len(schema.Defs["route"].Properties) > 0 {
		t.Errorf("in no table: %v, %v", schema.Properties, schema.Defs["route"].Properties)
	}
}
