package content

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// maxExponent is how large a number may be for a schema, which computes with
// all its digits.
const maxExponent = 1000

// schemaStep lets messages pass that a JSON Schema is content with.
type schemaStep struct {
	schema *jsonschema.Schema
	runner runner
}

func newSchema(name string, o Options) (step, error) {
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.UseLoader(schemaFiles{o.Files})
	schema, err := compiler.Compile(schemaURL(name))
	if err != nil {
		return step{}, fmt.Errorf("%s: %w", name, unwrapLoad(err))
	}
	s := &schemaStep{schema: schema, runner: runner{limit: o.StepTimeout}}
	return step{needs: jsonForm, makes: jsonForm, run: s.run}, nil
}

// unwrapLoad leaves the library's made-up addresses out.
func unwrapLoad(err error) error {
	var load *jsonschema.LoadURLError
	if errors.As(err, &load) {
		return load.Err
	}
	return err
}

// schemaFiles loads schemas, and what they refer to, from files only.
type schemaFiles struct {
	read func(name string) ([]byte, error)
}

// schemaURL makes an address of a file's name, so that a schema can refer to
// the files beside it.
func schemaURL(name string) string {
	u := url.URL{Scheme: "schema", Host: "relative", Path: filepath.ToSlash(name)}
	if strings.HasPrefix(u.Path, "/") {
		u.Host = "absolute"
	} else {
		u.Path = "/" + u.Path
	}
	return u.String()
}

// Load reads the file that was meant.
func (f schemaFiles) Load(address string) (any, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	if u.Scheme != "schema" {
		return nil, fmt.Errorf("refers to %s, and nothing is loaded over the network: put it in a file beside this one", address)
	}
	name := u.Path
	if u.Host == "relative" {
		name = strings.TrimPrefix(name, "/")
	}
	data, err := f.read(filepath.FromSlash(name))
	if err != nil {
		return nil, err
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("%s is not JSON: %w", name, err)
	}
	return doc, nil
}

func (s *schemaStep) run(ctx context.Context, data []byte, _ *Meta) ([][]byte, error) {
	v, err := decodeJSON(data)
	if err != nil {
		return nil, err
	}
	if hugeNumber(v) {
		return nil, refuse(codePolicy, "schema: number beyond 1e%d", maxExponent)
	}
	return s.runner.do(ctx, func(context.Context) ([][]byte, error) {
		return [][]byte{data}, violation(s.schema.Validate(v))
	})
}

// violation is the first thing that is wrong, and where.
func violation(err error) error {
	var v *jsonschema.ValidationError
	if !errors.As(err, &v) {
		return err
	}
	for len(v.Causes) > 0 {
		v = v.Causes[0]
	}
	_, what, _ := strings.Cut(v.Error(), "': ")
	e := refuse(codePolicy, "schema: %s", strings.TrimSpace(pointer(v.InstanceLocation)+" "+what))
	e.Err = errors.New(cut(err.Error(), 500))
	return e
}

// pointer is a place in JSON (RFC 6901).
func pointer(tokens []string) string {
	var b strings.Builder
	for _, token := range tokens {
		b.WriteByte('/')
		b.WriteString(strings.NewReplacer("~", "~0", "/", "~1").Replace(token))
	}
	return b.String()
}

func hugeNumber(v any) bool {
	switch v := v.(type) {
	case json.Number:
		return exponent(v.String()) > maxExponent
	case []any:
		for _, item := range v {
			if hugeNumber(item) {
				return true
			}
		}
	case map[string]any:
		for _, value := range v {
			if hugeNumber(value) {
				return true
			}
		}
	}
	return false
}

// exponent is that of a number as it is written, without its sign.
func exponent(number string) int {
	at := strings.IndexAny(number, "eE")
	if at < 0 {
		return 0
	}
	n, err := strconv.Atoi(number[at+1:])
	if err != nil {
		return maxExponent + 1
	}
	return max(n, -n)
}
