package content

import (
	"path/filepath"
	"testing"
)

// TestASchemaMayReferToTheFilesBesideIt, wherever it is.
func TestASchemaMayReferToTheFilesBesideIt(t *testing.T) {
	for _, c := range []struct{ file, text, want string }{
		{filepath.Join("d", "list.json"), `["a"]`, ""},
		{filepath.Join("d", "list.json"), `["a",1]`, "schema: /1 got number, want string"},
		{filepath.FromSlash("/abs.json"), `1`, ""},
		{"any.json", `{"a/b":"x"}`, ""},
		{"any.json", `{"a/b":1}`, "schema: /a~1b got number, want string"},
		{"number.json", `1e1000`, ""},
		{"number.json", `{"a":[{"b":1e-1001}]}`, "schema: number beyond 1e1000"},
		{"number.json", `1e99999999999999999999`, "schema: number beyond 1e1000"},
		{"number.json", `12345678901234567890.5`, ""},
		{"unique.json", `[12345678901234567890,12345678901234567891]`, ""},
		{"unique.json", `[1,1.0]`, "schema: items at 0 and 1 are equal"},
	} {
		got := ""
		p := compile(t, Options{Files: files}, "schema:"+c.file)
		if _, e := send(t, p, JSON, c.text); e != nil {
			got = e.Reason
		}
		if got != c.want {
			t.Errorf("%s: %s: %q, want %q", c.file, c.text, got, c.want)
		}
	}
}
