package content

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzPipeline: no message makes a step panic, or fail with what cannot be
// said in a close frame.
func FuzzPipeline(f *testing.F) {
	var all []*Pipeline
	for _, steps := range [][]string{
		{"jq:.. | select(type == \"string\")", "json2xml"}, {"xml2json", "json2xml", "xpath://*"}, {"json2xml", "xml2json"},
		{"schema:order.json", "schema:unique.json"}, {"xpath://*[@id or contains(., 'x')]"}, {"xmlset://*=$meta.client", "xpath:/*"}, {"xmlset://*/@id=<>&\"'", "xml2json"},
	} {
		p, err := Compile(steps, Options{Files: files, StepTimeout: unhurried, MaxBytes: 1 << 16})
		if err != nil {
			f.Fatal(err)
		}
		all = append(all, p)
	}
	f.Add(`{"a":{"@id":"1","b":[1,null,{"#text":"x"}]}}`)
	f.Add(`<a id="1" xmlns:p="u"><p:b>x<![CDATA[y]]></p:b><!-- c --><c id='2'/></a>`)
	f.Add(`{"qty":1e9999}`)
	f.Fuzz(func(t *testing.T, text string) {
		for _, p := range all {
			for _, contentType := range []string{"", JSON, XML} {
				out, err := p.Run(t.Context(), Message{true, []byte(text)}, meta(contentType))
				var e *Error
				if errors.As(err, &e) && (len(e.Reason) > 123 || !utf8.ValidString(e.Reason) || e.Code < 1003 || e.Code > 1011 || strings.Contains(e.Error(), "panic")) {
					t.Fatalf("%v", e)
				}
				for _, m := range out {
					if f := check(formOf(p.Result(contentType)), "", m.Data); f != nil {
						t.Fatalf("%q became %q: %v", text, m.Data, f)
					}
				}
			}
		}
	})
}
