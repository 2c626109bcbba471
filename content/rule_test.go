package content

import (
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// all is the rule of content: auto.
func all(t testing.TB) Rule {
	t.Helper()
	r, err := ParseRule("auto")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestWSO01TheThreeNamesAreEchoedByteForByte: each way to write them comes back
// as it was written.
func TestWSO01TheThreeNamesAreEchoedByteForByte(t *testing.T) {
	for offered, want := range map[string]string{
		`synapse(contentType='application/json')`:                 JSON,
		`synapse(contentType='application/xml')`:                  XML,
		`synapse(contentType='text/xml')`:                         TextXML,
		`synapse(contentType="application/json")`:                 JSON,
		`synapse( contentType = 'application/json' )`:             JSON,
		`synapse(contentType='Application/JSON')`:                 JSON,
		`synapse(contentType='application/json; charset=utf-8')`:  JSON,
		`synapse(contentType='application/json;charset="UTF-8"')`: JSON,
		`synapse(contentType='application/json'; charset=utf-8)`:  JSON,
		`synapse(contentType='application/json; charset=latin1')`: "",
		`synapse(contentType='text/plain')`:                       "",
		`synapse(contentType=application/json)`:                   "",
		`synapse(contentType='application/json")`:                 "",
		`synapse(contenttype='application/json')`:                 "",
		`synapse(contentType='application/json') and then some`:   "",
		`SYNAPSE(contentType='application/json')`:                 "",
		`synapse`: "",
		``:        "",
	} {
		name, got, err := all(t).Choose(SplitOffered([]string{offered}), nil)
		if err != nil || got != want || want != "" && name != offered {
			t.Errorf("%s: %q was echoed for %q, %v; want %q", offered, name, got, err, want)
		}
	}
}

// TestWSO02TheFirstAcceptableOneIsChosen, of several, or none at all.
func TestWSO02TheFirstAcceptableOneIsChosen(t *testing.T) {
	jsonOnly := Rule{Types: []string{JSON}}
	for _, c := range []struct {
		name               string
		rule               Rule
		offered, query     string
		wantName, wantType string
	}{
		{"the client's order counts", all(t), `synapse(contentType='text/xml'), synapse.json`, "", `synapse(contentType='text/xml')`, TextXML},
		{"what the route does not take is passed over", jsonOnly, `graphql-ws, synapse(contentType='text/xml'), synapse(contentType='application/json')`, "", `synapse(contentType='application/json')`, JSON},
		{"none acceptable", jsonOnly, `synapse(contentType='text/xml'), graphql-ws`, "", "", ""},
		{"none offered", all(t), "", "", "", ""},
		{"a route without content", Rule{}, `synapse.json`, "contentType=application/json", "", ""},
		{"the subprotocol before the query", all(t), "synapse.xml", "contentType=application/json", "synapse.xml", XML},
		{"the query before the route", Rule{Types: []string{JSON, XML}, Default: XML}, "", "contentType=application/json", "", JSON},
		{"the query says what the route does not take", jsonOnly, "", "contentType=text/xml", "", ""},
		{"the second of the query", jsonOnly, "", "contentType=text/xml&contentType=application/json", "", JSON},
		{"the route alone", Rule{Types: []string{JSON}, Default: JSON}, "other", "", "", JSON},
		{"auto is no default", Rule{Types: []string{JSON}, Default: "auto"}, "other", "", "", ""},
		{"synapse.xml where only text/xml is taken", Rule{Types: []string{TextXML}}, "synapse.xml", "", "synapse.xml", TextXML},
		{"a default is enough where one is required", Rule{Types: []string{JSON}, Default: JSON, Required: true}, "", "", "", JSON},
	} {
		t.Run(c.name, func(t *testing.T) {
			query, _ := url.ParseQuery(c.query)
			name, got, err := c.rule.Choose(SplitOffered([]string{c.offered}), query)
			if err != nil || name != c.wantName || got != c.wantType {
				t.Errorf("%q, %q, %v; want %q, %q", name, got, err, c.wantName, c.wantType)
			}
		})
	}
}

func TestWSO02ARequiredTypeIsSaidWhenItIsMissing(t *testing.T) {
	r := Rule{Types: []string{JSON, TextXML}, Required: true}
	name, got, err := r.Choose([]string{"graphql-ws"}, nil)
	if err == nil || name != "" || got != "" {
		t.Fatalf("%q, %q, %v; want an error", name, got, err)
	}
	for _, want := range []string{"synapse(contentType='application/json')", "synapse(contentType='text/xml')", "?contentType="} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %s", err, want)
		}
	}
	if strings.Contains(err.Error(), "'application/xml'") {
		t.Errorf("%v says what the route does not take", err)
	}
}

// TestWSO03BrowserSpellings have the same meaning and are held to it.
func TestWSO03BrowserSpellings(t *testing.T) {
	p := compile(t, Options{})
	for _, c := range []struct{ offered, query string }{{"synapse.json", ""}, {"", "contentType=application/json"}} {
		query, _ := url.ParseQuery(c.query)
		name, contentType, err := all(t).Choose(SplitOffered([]string{c.offered}), query)
		if err != nil || name != c.offered {
			t.Fatalf("%v: %q, %v", c, name, err)
		}
		if _, e := send(t, p, contentType, `{"sample message":"test"}`); e != nil {
			t.Errorf("%v: %v", c, e)
		}
		if _, e := send(t, p, contentType, `{"sample message"`); e == nil || e.Code != 1007 {
			t.Errorf("%v: bad JSON: %v, want 1007", c, e)
		}
	}
}

func TestSplitOffered(t *testing.T) {
	for _, c := range []struct {
		name  string
		lines []string
		want  []string
	}{
		{"no line", nil, nil},
		{"an empty one", []string{""}, nil},
		{"empty names", []string{" , a,,\tb ,"}, []string{"a", "b"}},
		{"two lines are one list", []string{"a, b", "c"}, []string{"a", "b", "c"}},
		{"a comma in parentheses", []string{`f(a, b), c`}, []string{`f(a, b)`, "c"}},
		{"a comma in quotes", []string{`"a,b", c`}, []string{`"a,b"`, "c"}},
		{"a parenthesis in quotes", []string{`f(x='),('), c`}, []string{`f(x='),(')`, "c"}},
		{"an apostrophe is part of a token", []string{`don't, can't`}, []string{`don't`, `can't`}},
		{"nested", []string{`f(g(a,b),c),d`}, []string{`f(g(a,b),c)`, "d"}},
		{"one parenthesis too many", []string{`a),b`}, []string{"a)", "b"}},
		{"one that stays open", []string{`f(a, b`, "c"}, []string{`f(a, b,c`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, SplitOffered(c.lines)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseRule(t *testing.T) {
	for content, want := range map[string]Rule{
		"":                                {},
		"none":                            {},
		"auto":                            {Types: []string{JSON, XML, TextXML}},
		"text/xml":                        {Types: []string{TextXML}, Default: TextXML},
		"application/json; charset=UTF-8": {Types: []string{JSON}, Default: JSON},
	} {
		got, err := ParseRule(content)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%q: %v (-want +got):\n%s", content, err, diff)
		}
	}
	for _, bad := range []string{"json", "text/plain", "application/json; charset=latin1", ";"} {
		if r, err := ParseRule(bad); err == nil || !strings.Contains(err.Error(), "auto or none") {
			t.Errorf("%q: %v, %v; want an error with a hint", bad, r, err)
		}
	}
}

// FuzzSplitOffered: no byte of a name is made up or lost, and names that are
// joined again are the same names.
func FuzzSplitOffered(f *testing.F) {
	f.Add(`synapse(contentType='application/json'), "a,b", c`)
	f.Add(`f(a, 'b`)
	f.Fuzz(func(t *testing.T, line string) {
		names := SplitOffered([]string{line})
		rest := line
		for _, name := range names {
			before, after, found := strings.Cut(rest, name)
			if !found || strings.Trim(before, ", \t") != "" {
				t.Fatalf("%q: %q is not next in %q", line, name, rest)
			}
			rest = after
		}
		if strings.Trim(rest, ", \t") != "" {
			t.Fatalf("%q: %q is lost", line, rest)
		}
		if diff := cmp.Diff(names, SplitOffered(names)); diff != "" {
			t.Fatalf("joined again (-before +after):\n%s", diff)
		}
	})
}
