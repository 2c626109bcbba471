package content

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

func nested(open, close string, depth int) string {
	return strings.Repeat(open, depth) + strings.Repeat(close, depth)
}

func TestWhatIsJSON(t *testing.T) {
	for _, c := range []struct {
		name, text string
		at         int // 0: it is JSON
	}{
		{"a value alone", ` 1 `, 0},
		{"duplicate keys", `{"a":1,"a":2}`, 0},
		{"a number of any size", strings.Repeat("9", 5000) + "e999999", 0},
		{"half a surrogate pair", `"\ud800"`, 0},
		{"brackets in a string", `"` + strings.Repeat(`[{\"`, 1000) + `"`, 0},
		{"as deep as may be", nested("[", "]", 512), 0},
		{"a comma behind the value", "[],[]", 3},
		{"a level too deep", nested("[", "]", 513), 513},
		{"objects too deep", strings.Repeat(`{"a":`, 513) + "1" + strings.Repeat("}", 513), 512*5 + 1},
		{"an object that ends too soon", `{"a":1`, 6},
		{"a comma too many", `[1,]`, 4},
		{"two values", `1 2`, 3},
		{"a byte order mark", "\ufeff1", 1},
		{"not UTF-8", "\"\xff\"", 2},
		{"UTF-16 in UTF-8", "\"\xed\xa0\x80\"", 2},
		{"a line's end in a string", "\"a\nb\"", 3},
		{"single quotes", `{'a':1}`, 2},
		{"NaN", `NaN`, 1},
		{"only white space", "  ", 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			at := 0
			if f := checkJSON([]byte(c.text)); f != nil {
				at = f.at
			}
			if at != c.at {
				t.Errorf("bad at byte %d, want %d", at, c.at)
			}
		})
	}
	for text, want := range map[string]string{"\xff": "not UTF-8", nested("[", "]", 513): "nested deeper than 512"} {
		if f := checkJSON([]byte(text)); f.why != want {
			t.Errorf("%q is said, want %q", f.why, want)
		}
	}
}

// TestNumbersSurvive what jq does to the rest of a message.
func TestNumbersSurvive(t *testing.T) {
	p := compile(t, Options{}, "jq:.")
	for _, number := range []string{
		"0", "-0", "12345678901234567890", "-98765432109876543210", "1.10", "1e2", "1E+400", "0.1234567890123456789",
		strings.Repeat("9", maxDigits), "-" + strings.Repeat("1", maxDigits-10) + ".5",
	} {
		text := fmt.Sprintf(`{"n":[%s,"x"]}`, number)
		if got, e := send(t, p, JSON, text); e != nil || got[0] != text {
			t.Errorf("%s became %s, %v", text, got, e)
		}
	}
}

// FuzzJSON holds the check against encoding/json, which knows neither UTF-8
// nor our depth.
func FuzzJSON(f *testing.F) {
	for _, seed := range []string{`{"a":[1,-2.5e+3,"\"[\\",null]}`, "\xff", `[[[`, `"\u00e9é"`, `{"a":1 `, nested("[", "]", 513)} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got := checkJSON(data)
		good := json.Valid(data) && utf8.Valid(data)
		if got == nil && !good {
			t.Fatal("bad JSON passed")
		}
		if got != nil && good && depthOf(data) <= maxJSONDepth {
			t.Fatalf("good JSON did not: byte %d, %s", got.at, got)
		}
		if got != nil && (got.at < 0 || got.at > len(data)) {
			t.Fatalf("byte %d of %d", got.at, len(data))
		}
		if got == nil && depthOf(data) > maxJSONDepth {
			t.Fatal("too deep, and it passed")
		}
	})
}

// depthOf is how deep good JSON is nested, by another way than ours.
func depthOf(data []byte) (deepest int) {
	depth := 0
	for d := json.NewDecoder(strings.NewReader(string(data))); ; {
		token, err := d.Token()
		if err != nil {
			return deepest
		}
		switch token {
		case json.Delim('['), json.Delim('{'):
			depth++
			deepest = max(deepest, depth)
		case json.Delim(']'), json.Delim('}'):
			depth--
		}
	}
}
