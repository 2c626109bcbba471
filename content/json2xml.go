package content

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// object is one of JSON with its members in the order they are written.
type object []member

type member struct {
	name  string
	value any // object, []any, json.Number, string, bool or nil
}

// readOrdered reads one value of valid JSON, nested no deeper than checkJSON
// lets it be.
func readOrdered(d *json.Decoder) (any, error) {
	token, err := d.Token()
	switch token {
	case json.Delim('{'):
		return readObject(d)
	case json.Delim('['):
		return readArray(d)
	}
	return token, err
}

func readObject(d *json.Decoder) (o object, err error) {
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		value, err := readOrdered(d)
		if err != nil {
			return nil, err
		}
		o = append(o, member{name.(string), value})
	}
	_, err = d.Token()
	return o, err
}

func readArray(d *json.Decoder) (a []any, err error) {
	for d.More() {
		value, err := readOrdered(d)
		if err != nil {
			return nil, err
		}
		a = append(a, value)
	}
	_, err = d.Token()
	return a, err
}

var errOneRoot = errors.New(`json2xml: the message must be an object with one member that is no array, the root element, as in {"order":...}`)

// json2xmlStep writes elements in the order of the message.
type json2xmlStep struct{ maxBytes int }

func (s json2xmlStep) run(_ context.Context, data []byte, _ *Meta) ([][]byte, error) {
	if measureJSON(data).values > maxValues {
		return nil, refuse(codeTooLarge, "message has more than %d values", maxValues)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	v, err := readOrdered(d)
	if err != nil {
		return nil, err
	}
	root, ok := v.(object)
	if !ok || len(root) != 1 {
		return nil, errOneRoot
	}
	if _, repeated := root[0].value.([]any); repeated {
		return nil, errOneRoot
	}
	w := xmlWriter{limit: s.maxBytes}
	if err := w.element(root[0].name, root[0].value, 1); err != nil {
		return nil, fmt.Errorf("json2xml: %w", err)
	}
	return [][]byte{w.b.Bytes()}, w.check()
}

// xmlWriter writes JSON as elements.
type xmlWriter struct {
	b     bytes.Buffer
	limit int // a long name in a long array is written again and again
}

// check catches what names alone do not tell, such as an attribute given twice.
func (w *xmlWriter) check() error {
	if f := checkXML(w.b.Bytes()); f != nil {
		return fmt.Errorf("json2xml: what came out is not XML: %s", f)
	}
	return nil
}

// xmlName is a name that may have one prefix.
var xmlName = regexp.MustCompile(`^[\pL_][\pL\pN_.-]*(:[\pL_][\pL\pN_.-]*)?$`)

func (w *xmlWriter) element(name string, value any, depth int) error {
	if !xmlName.MatchString(name) {
		return fmt.Errorf("%q is no name for an element or attribute", cut(name, 100))
	}
	if depth > maxXMLDepth {
		return fmt.Errorf("nested deeper than %d", maxXMLDepth)
	}
	members, isObject := value.(object)
	if !isObject {
		members = object{{"#text", value}}
	}
	if w.b.Len()+len(name) > w.limit {
		return resultTooLarge()
	}
	w.b.WriteString("<" + name)
	if err := w.attributes(members); err != nil {
		return err
	}
	w.b.WriteByte('>')
	for _, m := range members {
		if err := w.member(m, depth); err != nil {
			return err
		}
	}
	w.b.WriteString("</" + name + ">")
	return nil
}

func (w *xmlWriter) attributes(members object) error {
	for _, m := range members {
		name, ok := strings.CutPrefix(m.name, "@")
		if !ok {
			continue
		}
		if !xmlName.MatchString(name) {
			return fmt.Errorf("%q is no name for an element or attribute", cut(name, 100))
		}
		w.b.WriteString(" " + name + `="`)
		if err := w.text(m.value); err != nil {
			return err
		}
		w.b.WriteByte('"')
	}
	return nil
}

func (w *xmlWriter) member(m member, depth int) error {
	switch {
	case strings.HasPrefix(m.name, "@"):
		return nil
	case m.name == "#text":
		return w.text(m.value)
	}
	repeated, ok := m.value.([]any)
	if !ok {
		repeated = []any{m.value}
	}
	for _, value := range repeated {
		if err := w.element(m.name, value, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (w *xmlWriter) text(value any) error {
	var s string
	switch value := value.(type) {
	case nil:
	case string:
		s = value
	case bool, json.Number:
		s = fmt.Sprint(value)
	default:
		return errors.New("an array or object stands where only a text can")
	}
	b, err := escapeXML(s)
	w.b.Write(b)
	return err
}
