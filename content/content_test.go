package content

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// unhurried is for steps that must not run out of time on a busy machine.
const unhurried = time.Minute

// meta is of a message of ada's.
func meta(contentType string) Meta {
	return Meta{
		Path: "/orders", Header: map[string]string{"X-User": "ada"}, Client: "192.0.2.7:5000",
		Time: time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC), Direction: "in", ContentType: contentType,
	}
}

func compile(t *testing.T, o Options, steps ...string) *Pipeline {
	t.Helper()
	if o.StepTimeout == 0 {
		o.StepTimeout = unhurried
	}
	p, err := Compile(steps, o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// send runs a text through p. One of the two results is nil.
func send(t *testing.T, p *Pipeline, contentType, text string) ([]string, *Error) {
	t.Helper()
	out, err := p.Run(t.Context(), Message{true, []byte(text)}, meta(contentType))
	var e *Error
	if err != nil && !errors.As(err, &e) {
		t.Fatalf("%v is not an *Error", err)
	}
	texts := []string{}
	for _, m := range out {
		if !m.Text {
			t.Errorf("%q became binary", text)
		}
		texts = append(texts, string(m.Data))
	}
	if e != nil && out != nil {
		t.Errorf("%v, and results all the same: %q", e, texts)
	}
	return texts, e
}

// orderSchema is what docs/content.md says is in order.json.
const orderSchema = `{"type":"object","properties":{"qty":{"minimum":1}},"required":["qty"]}`

// files are schemas that are nowhere on a disk.
func files(name string) ([]byte, error) {
	all := map[string]string{
		"order.json":                    orderSchema,
		filepath.Join("d", "list.json"): `{"items":{"$ref":"item.json#/$defs/item"}}`,
		filepath.Join("d", "item.json"): `{"$defs":{"item":{"type":"string"}}}`,
		filepath.Join("d", "far.json"):  `{"$ref":"https://example.org/s.json"}`,
		filepath.FromSlash("/abs.json"): `{"$ref":"/d.json"}`,
		filepath.FromSlash("/d.json"):   `true`,
		"wrong.json":                    `{"type":"nope"}`,
		"broken.json":                   `{`,
		"unique.json":                   `{"uniqueItems":true}`,
		"number.json":                   `{"minimum":1}`,
		"any.json":                      `{"properties":{"a/b":{"anyOf":[{"type":"string"},{"type":"null"}]}}}`,
	}
	if s, ok := all[name]; ok {
		return []byte(s), nil
	}
	return nil, &os.PathError{Op: "open", Path: name, Err: os.ErrNotExist}
}

// documented are the rows of the manual's tables of steps.
func documented(t *testing.T) (rows [][]string) {
	t.Helper()
	manual, err := os.ReadFile(filepath.Join("..", "docs", "content.md"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(manual), orderSchema) {
		t.Error("the manual shows another order.json")
	}
	in := false
	for line := range strings.Lines(string(manual)) {
		if in = strings.HasPrefix(line, "|") && (in || strings.HasPrefix(line, "| step |")); !in {
			continue
		}
		cells := strings.Split(strings.Trim(line, "| \n"), " | ")
		if strings.HasPrefix(line, "| `") {
			rows = append(rows, cells)
		}
	}
	return rows
}

// quoted are the pieces of a cell that are written as code.
func quoted(cell string) (all []string) {
	all = []string{}
	for _, m := range regexp.MustCompile("`([^`]*)`").FindAllStringSubmatch(cell, -1) {
		all = append(all, m[1])
	}
	return all
}

func TestEveryExampleOfTheManual(t *testing.T) {
	rows := documented(t)
	if len(rows) < 35 {
		t.Fatalf("the manual has %d examples only", len(rows))
	}
	for _, row := range rows {
		if len(row) != 3 {
			t.Errorf("not an example: %q", row)
			continue
		}
		step, message := quoted(row[0])[0], quoted(row[1])[0]
		t.Run(step, func(t *testing.T) {
			o := Options{Files: files, StepTimeout: unhurried, Log: slog.New(slog.DiscardHandler)}
			if strings.Contains(row[2], "time is up") {
				o.StepTimeout = time.Millisecond
			}
			contentType := JSON
			if strings.HasPrefix(message, "<") {
				contentType = XML
			}
			got, e := send(t, compile(t, o, step), contentType, message)
			if e != nil {
				got = []string{e.Reason}
			}
			if diff := cmp.Diff(quoted(row[2]), got); diff != "" {
				t.Errorf("%s (-manual +got):\n%s", message, diff)
			}
			code, closes := strings.CutPrefix(row[2], "closes ")
			if closes != (e != nil) || closes && !strings.HasPrefix(code, strconv.Itoa(e.Code)) {
				t.Errorf("%s: %v, the manual says: %s", message, e, row[2])
			}
		})
	}
}
