package fme

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

var messagesOfTests = []string{
	`{"ws_op":"open","ws_stream_ids":["a","b"]}`,
	`{ws_op : "open", ws_stream_id : "sd_plane"}`,
	`{ws_op: 'send', ws_msg: '@Value(ws_msg)'}`,
	`{"ws_op":"send","ws_msg":{"id":12345678901234567890,"b":[1.5e-3,true,null,"\ud83d\ude00\ud800x"]}}`,
	`{ws_op:send,ws_msg:{a:'it\'s',b:[1,],},}`,
	`{"ws_op":"admin","ws_msg":"getnumchannels();"}`,
	`{"ws_op":"close","ws_op":"open","x":{"y":[[[{}]]]}}`,
	"{\"ws_msg\":\"\u2028<&>\\u0000\\b\\f\\n\\r\\t\\/\\\"\\\\\"}",
	`{"":0,"a":-0,"b":-0.0E+10}`, `{"a":01}`, `{"a":1.}`, `{,}`, `{"a":}`, `{"a" 1}`, `{"a":1,,}`, `{'a':tru}`, `{"\q":1}`, `{"a":"\u12"}`, ` {} `, `{}{}`, "{\"a\":\"\x7f\"}",
}

// FuzzParse holds what is taken against encoding/json: the strict parser takes
// exactly JSON objects and finds the same in them; the lenient one takes all
// of them with the same meaning, and what it makes of others is JSON.
func FuzzParse(f *testing.F) {
	for _, m := range messagesOfTests {
		f.Add([]byte(m))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		if !utf8.Valid(src) {
			t.Skip("checked before")
		}
		strict, errStrict := parse(src, true)
		lenient, errLenient := parse(src, false)
		if errStrict == nil && errLenient != nil {
			t.Fatalf("%q: %v", src, errLenient)
		}
		object := json.Valid(src) && bytes.HasPrefix(bytes.TrimLeft(src, " \t\r\n"), []byte("{"))
		if tooDeep := errStrict != nil && strings.Contains(errStrict.Error(), "levels of"); (errStrict == nil) != object && !tooDeep {
			t.Fatalf("%q: %v, while it is JSON: %v", src, errStrict, object)
		}
		if errStrict == nil {
			sameMeaning(t, src, strict)
			sameMeaning(t, src, lenient)
		}
		if errLenient != nil {
			return
		}
		lenient.operation()
		lenient.named()
		if payload, err := lenient.payload(); err == nil && lenient.msg.kind != stringKind && !json.Valid(payload) {
			t.Fatalf("%q: the payload is not JSON: %q", src, payload)
		}
	})
}

func sameMeaning(t *testing.T, src []byte, q request) {
	t.Helper()
	var want map[string]json.RawMessage
	if err := json.Unmarshal(src, &want); err != nil {
		t.Fatal(err)
	}
	raw := want["ws_msg"]
	if !bytes.Equal(raw, q.msg.raw) {
		t.Fatalf("%q: ws_msg is %q, want %q", src, q.msg.raw, raw)
	}
	payload, err := q.payload()
	if len(raw) == 0 || string(raw) == "null" {
		if err == nil {
			t.Fatalf("%q: a payload of nothing: %q", src, payload)
		}
		return
	}
	var text string
	if json.Unmarshal(raw, &text) == nil {
		raw = []byte(text)
	}
	if !bytes.Equal(raw, payload) {
		t.Fatalf("%q: payload %q, want %q", src, payload, raw)
	}
}

// TestLenientMeaning is what others' spellings mean.
func TestLenientMeaning(t *testing.T) {
	for src, want := range map[string]string{
		`{x: 1}`:                          `{"x":1}`,
		`{x-1.y$: 'a"b'}`:                 `{"x-1.y$":"a\"b"}`,
		`{'k' : 'it\'s', }`:               `{"k":"it's"}`,
		`[1,'two',[],{},]`:                `[1,"two",[],{}]`,
		`{true: true, null: [null]}`:      `{"true":true,"null":[null]}`,
		`{a: "\u0001\ud83d\ude00\u20ac"}`: `{"a":"\u0001😀€"}`,
		"{ a :\t[ 1e5 ,\r\n-2.50 ] }":     `{"a":[1e5,-2.50]}`,
	} {
		q, err := parse([]byte(`{"ws_msg":`+src+`}`), false)
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		got, err := q.payload()
		if diff := cmp.Diff(want, string(got)); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", src, err, diff)
		}
	}
}

// TestNotEvenLenient is what nobody writes on purpose.
func TestNotEvenLenient(t *testing.T) {
	for _, src := range []string{
		`{a: word}`, `{a: [word]}`, `{"a": 1 /* why */}`, "{\"a\": 1} // end", `{a: 'x"}`, `{a: "x\'"}`, `{ws_stream_id: a b}`,
		`{ws_stream_ids: [a,,b]}`, `{ws_op: 1a}`, `{1a: 1}`, `{a: +1}`, `{a: .5}`, `{a: 0x10}`, `{a: NaN}`, `{a = 1}`, `{a: 1; b: 2}`, `[a]`, `"x"`, `{a: 'x`,
	} {
		if q, err := parse([]byte(src), false); err == nil {
			t.Errorf("%s was taken: %+v", src, q)
		}
	}
}

func TestPatterns(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"a", "a", true}, {"a", "ab", false}, {"", "", true}, {"", "a", false},
		{"*", "", true}, {"*", "anything/at all", true},
		{"a*", "a", true}, {"a*", "abc", true}, {"a*", "ba", false},
		{"*a", "ba", true}, {"*a", "ab", false},
		{"a*a", "a", false}, {"a*a", "aa", true}, {"a*b*c", "a-c-b-c", true}, {"a*b*c", "a-c-b", false},
		{"a**b", "ab", true}, {"*x*", "axb", true}, {"*x*", "ab", false},
	} {
		if got := match(c.pattern, c.name); got != c.want {
			t.Errorf("%q of %q: %v", c.pattern, c.name, got)
		}
	}
}
