package content

import (
	"context"
	"fmt"
	"strings"
)

// compileStep reads one step: a word, or a word and what belongs to it.
func compileStep(text string, o Options) (step, error) {
	name, arg, hasArg := strings.Cut(strings.TrimSpace(text), ":")
	arg = strings.TrimSpace(arg)
	switch name {
	case "jq", "schema", "xpath", "xmlset":
		if arg == "" {
			return step{}, fmt.Errorf("%s: nothing to do: say %s", name, usage[name])
		}
	case "xml2json", "json2xml":
		if hasArg {
			return step{}, fmt.Errorf("%s takes nothing behind it, not %q", name, arg)
		}
	case "validate", "log":
	default:
		return step{}, fmt.Errorf("no step is called %q: there are validate, jq:, schema:, xpath:, xmlset:, xml2json, json2xml and log", name)
	}
	s, err := makeStep(name, arg, o)
	if err != nil {
		return step{}, fmt.Errorf("%s: %w", name, err)
	}
	return s, nil
}

// usage is how steps are written that need something behind them.
var usage = map[string]string{
	"jq":     "jq:PROGRAM, as in jq:.order",
	"schema": "schema:FILE",
	"xpath":  "xpath:EXPRESSION, as in xpath:/order/item",
	"xmlset": "xmlset:XPATH=TEXT, as in xmlset:/order/seen=$meta.time",
}

func makeStep(name, arg string, o Options) (step, error) {
	switch name {
	case "jq":
		return newJQ(arg, o)
	case "schema":
		return newSchema(arg, o)
	case "xpath":
		return newXPath(arg, o)
	case "xmlset":
		return newXMLSet(arg, o)
	case "xml2json":
		return step{needs: xmlForm, makes: jsonForm, run: xml2json}, nil
	case "json2xml":
		return step{needs: jsonForm, makes: xmlForm, run: json2xmlStep{o.MaxBytes}.run}, nil
	case "log":
		return newLog(arg, o)
	}
	return newValidate(arg)
}

// newValidate is a step that leaves everything as it is: what it asks for is
// checked before it runs.
func newValidate(arg string) (step, error) {
	if arg == "" {
		return step{run: pass}, nil
	}
	t, err := parseType(arg)
	return step{needs: formOf(t), run: pass}, err
}

func pass(_ context.Context, data []byte, _ *Meta) ([][]byte, error) { return [][]byte{data}, nil }
