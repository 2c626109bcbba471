package content

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/itchyny/gojq"
)

// jqStep is a jq program. It sees no environment, no file, no other message.
type jqStep struct {
	source   string
	code     *gojq.Code // nil: compiled anew for each message
	maxBytes int
	runner   runner
}

func newJQ(source string, o Options) (step, error) {
	query, err := gojq.Parse(source)
	if err != nil {
		return step{}, fmt.Errorf("%w: the program is %s", err, source)
	}
	j := &jqStep{source: source, maxBytes: o.MaxBytes, runner: runner{limit: o.StepTimeout}}
	j.code, err = compileJQ(query)
	if err != nil {
		return step{}, fmt.Errorf("%w: of what is defined outside, steps have $meta alone", err)
	}
	if patternsVary(reflect.ValueOf(query)) {
		j.code = nil
	}
	return step{needs: jsonForm, makes: jsonForm, run: j.run}, nil
}

func compileJQ(query *gojq.Query) (*gojq.Code, error) {
	return gojq.Compile(query, gojq.WithVariables([]string{"$meta"}))
}

// program is the compiled code. It keeps every regular expression it ever saw,
// so one that takes them from messages must not live longer than a message.
func (j *jqStep) program() (*gojq.Code, error) {
	if j.code != nil {
		return j.code, nil
	}
	query, err := gojq.Parse(j.source)
	if err != nil {
		return nil, err
	}
	return compileJQ(query)
}

func (j *jqStep) run(ctx context.Context, data []byte, meta *Meta) ([][]byte, error) {
	input, err := decodeJSON(data)
	if err != nil {
		return nil, err
	}
	variable := meta.variable()
	return j.runner.do(ctx, func(ctx context.Context) ([][]byte, error) {
		code, err := j.program()
		if err != nil {
			return nil, err
		}
		return j.collect(code.RunWithContext(ctx, input, variable))
	})
}

// collect writes the results out, and asks for no more than it may have.
func (j *jqStep) collect(results gojq.Iter) (out [][]byte, err error) {
	left := j.maxBytes
	for {
		v, ok := results.Next()
		if !ok {
			return out, nil
		}
		if err, ok := v.(error); ok {
			return out, jqError(err)
		}
		if len(out) == maxResults {
			return nil, tooManyResults()
		}
		b, err := encodeJSON(v, left)
		if err != nil {
			return nil, err
		}
		left -= len(b)
		out = append(out, b)
	}
}

// jqError is nil for the program's own halt, which is not an error. A text
// that quotes the message is kept short.
func jqError(err error) error {
	var halt *gojq.HaltError
	switch {
	case errors.As(err, &halt) && halt.Value() == nil && halt.ExitCode() == 0:
		return nil
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return err
	}
	return errors.New(cut(err.Error(), 500))
}

// variable is $meta.
func (m *Meta) variable() map[string]any {
	header := map[string]any{}
	for name, value := range m.Header {
		header[name] = value
	}
	return map[string]any{
		"path": m.Path, "header": header, "client": m.Client, "time": m.timestamp(),
		"direction": m.Direction, "contentType": m.ContentType,
	}
}

func (m *Meta) timestamp() string { return m.Time.UTC().Format("2006-01-02T15:04:05.000Z07:00") }

// patternFunctions take a regular expression, all but the replacement of sub
// and gsub from their arguments.
var patternFunctions = []string{"test", "match", "capture", "scan", "split", "splits", "sub", "gsub", "_match"}

// patternsVary says whether a program, a tree of gojq's exported structs, has
// a regular expression in it that is not written out.
func patternsVary(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if f, ok := v.Interface().(*gojq.Func); ok && f != nil && patternVaries(f) {
			return true
		}
		return !v.IsNil() && patternsVary(v.Elem())
	case reflect.Slice:
		for i := range v.Len() {
			if patternsVary(v.Index(i)) {
				return true
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if patternsVary(v.Field(i)) {
				return true
			}
		}
	}
	return false
}

func patternVaries(f *gojq.Func) bool {
	if !slices.Contains(patternFunctions, f.Name) || f.Name == "split" && len(f.Args) < 2 {
		return false
	}
	for i, arg := range f.Args {
		replacement := i == 1 && (f.Name == "sub" || f.Name == "gsub")
		if !replacement && !isLiteral(arg) {
			return true
		}
	}
	return false
}

func isLiteral(q *gojq.Query) bool {
	return q.Term != nil && q.Term.Str != nil && len(q.Term.Str.Queries) == 0 && len(q.Term.SuffixList) == 0
}
