package content

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"unicode/utf8"

	"github.com/itchyny/gojq"
)

const (
	maxJSONDepth = 512
	// maxValues is how many values, or nodes of XML, a message may have that a
	// step takes apart: each costs some hundred bytes while it does.
	maxValues = 1 << 19
	// maxDigits is how long a number may be for a step: what is longer takes
	// more than linear time to convert.
	maxDigits = 1000
)

// checkJSON is nil if data is one JSON value (RFC 8259) in UTF-8, nested no
// deeper than 512. Duplicate keys are let through, and numbers of any size.
func checkJSON(data []byte) *fault {
	if !utf8.Valid(data) {
		return &fault{at: validPrefix(data) + 1, why: "not UTF-8"}
	}
	if s := measureJSON(data); s.tooDeep > 0 {
		return &fault{at: s.tooDeep, why: fmt.Sprintf("nested deeper than %d", maxJSONDepth)}
	}
	if json.Valid(data) {
		return nil
	}
	var syntax *json.SyntaxError
	err := json.Unmarshal(data, new(json.RawMessage))
	errors.As(err, &syntax)
	return &fault{at: int(syntax.Offset), err: err}
}

func validPrefix(data []byte) (n int) {
	for n < len(data) {
		r, size := utf8.DecodeRune(data[n:])
		if r == utf8.RuneError && size <= 1 {
			break
		}
		n += size
	}
	return n
}

// shape is what JSON looks like from afar.
type shape struct {
	values  int // at least as many as there are
	digits  int // of the longest number
	tooDeep int // where nesting passes maxJSONDepth, from 1; 0: nowhere
}

// measureJSON judges data that need not be valid.
func measureJSON(data []byte) (s shape) {
	depth, digits := 0, 0
	s.values = 1
	for i := 0; i < len(data); i++ {
		c := data[i]
		if c >= '0' && c <= '9' {
			digits++
			s.digits = max(s.digits, digits)
			continue
		}
		if c != '.' && c != 'e' && c != 'E' && c != '-' && c != '+' {
			digits = 0
		}
		switch c {
		case '"':
			i = stringEnd(data, i)
		case ',', ':':
			s.values++
		case '[', '{':
			s.values++
			if depth++; depth > maxJSONDepth && s.tooDeep == 0 {
				s.tooDeep = i + 1
			}
		case ']', '}':
			depth--
		}
	}
	return s
}

// stringEnd is where the string ends that starts at i.
func stringEnd(data []byte, i int) int {
	for i++; i < len(data) && data[i] != '"'; i++ {
		if data[i] == '\\' {
			i++
		}
	}
	return i
}

// decodeJSON takes valid JSON apart, numbers as they are written.
func decodeJSON(data []byte) (v any, err error) {
	s := measureJSON(data)
	if s.values > maxValues {
		return nil, refuse(codeTooLarge, "message has more than %d values", maxValues)
	}
	if s.digits > maxDigits {
		return nil, refuse(codeTooLarge, "number has more than %d digits", maxDigits)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	return v, d.Decode(&v)
}

// encodeJSON writes what jq made, keys sorted, in limit bytes at most. It
// looks first: a small value can be very large once its shared parts are
// written out.
func encodeJSON(v any, limit int) ([]byte, error) {
	w := weigher{left: limit}
	if w.add(v, 0); w.deep {
		return nil, refuse(codeTooLarge, "result is nested deeper than %d", maxJSONDepth)
	}
	if w.left < 0 {
		return nil, resultTooLarge()
	}
	b, err := gojq.Marshal(v)
	if err == nil && len(b) > limit {
		return nil, resultTooLarge()
	}
	return b, err
}

// weigher finds out how long a value is in JSON at least, and stops when that
// is too long.
type weigher struct {
	left int
	deep bool
}

func (w *weigher) add(v any, depth int) {
	if depth > maxJSONDepth {
		w.deep = true
	}
	if w.left--; w.left < 0 || w.deep {
		return
	}
	switch v := v.(type) {
	case string:
		w.left -= len(v) + 1
	case *big.Int:
		w.addInt(v)
	case []any:
		w.left--
		for i := 0; i < len(v) && w.left >= 0 && !w.deep; i++ {
			w.add(v[i], depth+1)
		}
	case map[string]any:
		w.left--
		for key, value := range v {
			if w.left -= len(key) + 3; w.left < 0 || w.deep {
				return
			}
			w.add(value, depth+1)
		}
	}
}

// addInt lets no number pass that takes long to write.
func (w *weigher) addInt(v *big.Int) {
	if digits := v.BitLen() * 3 / 10; digits <= maxDigits {
		w.left -= digits
	} else {
		w.left = -1
	}
}
