package content

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// TestWSO06JSONToJSONBothWays: the way in and the way out each have steps, and
// $meta knows which it is.
func TestWSO06JSONToJSONBothWays(t *testing.T) {
	in := compile(t, Options{Stage: "in"}, "validate", `jq: {msg: .["sample message"], at: $meta.time}`)
	out := compile(t, Options{Stage: "out"}, "jq: .msg", "validate")
	sent, e := send(t, in, JSON, `{"sample message":"test"}`)
	if want := []string{`{"at":"2026-01-31T12:00:00.000Z","msg":"test"}`}; e != nil || !cmp.Equal(want, sent) {
		t.Fatalf("in: %q, %v; want %q", sent, e, want)
	}
	back, e := send(t, out, in.Result(JSON), sent[0])
	if want := []string{`"test"`}; e != nil || !cmp.Equal(want, back) {
		t.Fatalf("out: %q, %v; want %q", back, e, want)
	}
}

// TestWSO06AnUnchangedMessageIsTheSameBytes, and not a copy of them.
func TestWSO06AnUnchangedMessageIsTheSameBytes(t *testing.T) {
	jsonText, xmlText := "\n{ \"b\": 1.00,\t\"a\": 1e2 }", "<?xml version='1.0'?>\r\n<a  b='1'\t/><!-- x -->\n"
	quiet := slog.New(slog.DiscardHandler)
	for _, c := range []struct {
		contentType, text string
		steps             []string
	}{
		{"", "anything\x00", nil},
		{JSON, jsonText, nil},
		{XML, xmlText, nil},
		{JSON, jsonText, []string{"validate", "log", "schema:number.json", "validate:application/json"}},
		{TextXML, xmlText, []string{"validate", "log:2", "xpath:/a", "xpath:true()", "xmlset:/b=1"}},
		{XML, "\ufeff" + xmlText, []string{"xpath:/a/@b"}},
	} {
		p := compile(t, Options{Files: files, Log: quiet}, c.steps...)
		data := []byte(c.text)
		out, err := p.Run(t.Context(), Message{true, data}, meta(c.contentType))
		if err != nil || len(out) != 1 || string(out[0].Data) != c.text || &out[0].Data[0] != &data[0] {
			t.Errorf("%s through %q: %v, %v", c.contentType, c.steps, out, err)
		}
	}
	var none *Pipeline
	out, err := none.Run(t.Context(), Message{false, []byte{0xff}}, meta(JSON))
	if err != nil || len(out) != 1 || out[0].Text || out[0].Data[0] != 0xff {
		t.Errorf("a nil pipeline: %v, %v", out, err)
	}
}

// TestWSO08BadContentIsNotSilent is the table of close codes.
func TestWSO08BadContentIsNotSilent(t *testing.T) {
	for _, c := range []struct {
		name, contentType, step, text string
		o                             Options
		code                          int
		stage, reason                 string
	}{
		{name: "not JSON", contentType: JSON, text: `{"a":}`, code: 1007, stage: "in", reason: "invalid application/json at byte 6"},
		{name: "no message at all", contentType: JSON, text: ``, code: 1007, stage: "in", reason: "invalid application/json at byte 0"},
		{name: "not XML", contentType: XML, text: `<a></b>`, code: 1007, stage: "in", reason: "invalid application/xml at byte 7"},
		{name: "the session's own type is said", contentType: TextXML, text: `x`, code: 1007, stage: "in", reason: "invalid text/xml at byte 1: text outside the root element"},
		{name: "the way out has its name", contentType: JSON, text: `x`, o: Options{Stage: "out"}, code: 1007, stage: "out", reason: "invalid application/json at byte 1"},
		{name: "a step needs JSON on a session without a type", step: "jq:.", text: `x`, code: 1007, stage: "in[1]", reason: "invalid application/json at byte 1"},
		{name: "a schema is violated", contentType: JSON, step: "schema:order.json", text: `{"qty":0}`, code: 1008, stage: "in[1]", reason: "schema: /qty minimum: got 0, want 1"},
		{name: "a step fails", contentType: JSON, step: `jq:error("secret")`, text: `1`, code: 1011, stage: "in[1]", reason: "transform in[1]"},
		{name: "a step takes too long", contentType: JSON, step: "jq:def f: f; f", text: `1`, o: Options{StepTimeout: time.Millisecond}, code: 1011, stage: "in[1]", reason: "transform in[1]: time is up"},
		{name: "two results where one may be", contentType: JSON, step: "jq:1,2", text: `1`, o: Options{Single: true}, code: 1011, stage: "in[1]", reason: "transform in[1]: more than one result"},
		{name: "two elements where one may be", contentType: XML, step: "xpath:/a/b", text: `<a><b/><b/></a>`, o: Options{Single: true}, code: 1011, stage: "in[1]", reason: "transform in[1]: more than one result"},
		{name: "too many results", contentType: JSON, step: "jq:range(17)", text: `1`, code: 1011, stage: "in[1]", reason: "transform in[1]: more than 16 results"},
		{name: "too many elements", contentType: XML, step: "xpath://b", text: "<a>" + strings.Repeat("<b/>", 17) + "</a>", code: 1011, stage: "in[1]", reason: "transform in[1]: more than 16 results"},
		{name: "the wrong type for a step", contentType: XML, step: "jq:.", text: `<a/>`, code: 1011, stage: "in[1]", reason: "transform in[1]: needs application/json, the message is application/xml"},
		{name: "a large message", contentType: JSON, text: `"123456789"`, o: Options{MaxBytes: 10}, code: 1009, stage: "in", reason: "message too large: more than 10 bytes"},
		{name: "a large message nobody looks into", text: `12345678901`, o: Options{MaxBytes: 10}, code: 1009, stage: "in", reason: "message too large: more than 10 bytes"},
		{name: "a large result", contentType: JSON, step: `jq:"x" * 9`, text: `1`, o: Options{MaxBytes: 10}, code: 1009, stage: "in[1]", reason: "result too large"},
		{name: "results that are large together", contentType: JSON, step: `jq:"1234","1234"`, text: `1`, o: Options{MaxBytes: 10}, code: 1009, stage: "in[1]", reason: "result too large"},
		{name: "a result that grows when it is written", contentType: JSON, step: `jq:"\u0001\u0001\u0001"`, text: `1`, o: Options{MaxBytes: 10}, code: 1009, stage: "in[1]", reason: "result too large"},
		{name: "a result that is one thing many times", contentType: JSON, step: `jq:reduce range(60) as $i (1; [., .])`, text: `1`, code: 1009, stage: "in[1]", reason: "result too large"},
		{name: "a result that is nested too deep", contentType: JSON, step: `jq:reduce range(600) as $i (1; [.])`, text: `1`, code: 1009, stage: "in[1]", reason: "result is nested deeper than 512"},
		{name: "a very long number", contentType: JSON, step: "jq:.", text: strings.Repeat("9", 1001), code: 1009, stage: "in[1]", reason: "number has more than 1000 digits"},
		{name: "a number that became long", contentType: JSON, step: "jq:reduce range(20) as $i (10; . * .)", text: `1`, code: 1009, stage: "in[1]", reason: "result too large"},
		{name: "more values than a step takes apart", contentType: JSON, step: "jq:length", text: "[0" + strings.Repeat(",0", maxValues) + "]", code: 1009, stage: "in[1]", reason: "message has more than 524288 values"},
		{name: "more elements than a step takes apart", contentType: XML, step: "xpath:/a", text: "<a>" + strings.Repeat("<b/>", maxValues) + "</a>", code: 1009, stage: "in[1]", reason: "message has more than 524288 elements"},
		{name: "a long name again and again", contentType: JSON, step: "json2xml", text: `{"r":{"` + strings.Repeat("n", 1000) + `":[0` + strings.Repeat(",0", 100) + `]}}`, o: Options{MaxBytes: 10000}, code: 1009, stage: "in[1]", reason: "result too large"},
		{name: "a text in too many places", contentType: XML, step: "xmlset://b=" + strings.Repeat("x", 100), text: "<a>" + strings.Repeat("<b/>", 100) + "</a>", o: Options{MaxBytes: 9000}, code: 1009, stage: "in[1]", reason: "result too large"},
		{name: "xmlset on what is no element", contentType: XML, step: "xmlset:/a/text()=1", text: `<a>x</a>`, code: 1011, stage: "in[1]", reason: "transform in[1]"},
		{name: "a character that XML does not have", contentType: JSON, step: "json2xml", text: `{"a":"\u0001"}`, code: 1011, stage: "in[1]", reason: "transform in[1]"},
		{name: "an attribute that is an object", contentType: JSON, step: "json2xml", text: `{"a":{"@b":{}}}`, code: 1011, stage: "in[1]", reason: "transform in[1]"},
		{name: "an attribute that is more than its name", contentType: JSON, step: "json2xml", text: `{"a":{"@b='1' c":2}}`, code: 1011, stage: "in[1]", reason: "transform in[1]"},
		{name: "an attribute given twice", contentType: JSON, step: "json2xml", text: `{"a":{"@b":1,"@b":2}}`, code: 1011, stage: "in[1]", reason: "transform in[1]"},
		{name: "two roots to be", contentType: JSON, step: "json2xml", text: `{"a":[1,2]}`, code: 1011, stage: "in[1]", reason: "transform in[1]"},
		{name: "XML to be that is too deep", contentType: JSON, step: "json2xml", text: strings.Repeat(`{"a":`, 300) + "1" + strings.Repeat("}", 300), code: 1011, stage: "in[1]", reason: "transform in[1]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			steps := []string{"validate"}
			if c.step != "" {
				steps = append(steps, c.step)
			}
			c.o.Files = files
			_, e := send(t, compile(t, c.o, steps...), c.contentType, c.text)
			if e == nil {
				t.Fatal("it passed")
			}
			if e.Code != c.code || e.Stage != c.stage || e.Reason != c.reason {
				t.Errorf("%d %s %q\nwant %d %s %q", e.Code, e.Stage, e.Reason, c.code, c.stage, c.reason)
			}
		})
	}
}

// TestWSO08AnErrorAsAReply is one message that says what the close would have.
func TestWSO08AnErrorAsAReply(t *testing.T) {
	e := &Error{Code: 1008, Stage: "in[1]", Reason: `schema: /a "<&>" wrong`, Err: errors.New("secret")}
	var got any
	if err := json.Unmarshal(e.Reply(JSON), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"error": map[string]any{"code": 1008.0, "stage": "in[1]", "message": e.Reason}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("JSON (-want +got):\n%s", diff)
	}
	if string(e.Reply("")) != string(e.Reply(JSON)) {
		t.Error("without a content type the reply is not JSON")
	}
	reply := e.Reply(TextXML)
	document, err := parseXML(reply)
	if err != nil || checkXML(reply) != nil {
		t.Fatalf("%s: %v, %v", reply, err, checkXML(reply))
	}
	var attributes []string
	for _, a := range document.root().attributes {
		attributes = append(attributes, a.name+"="+a.value)
	}
	if diff := cmp.Diff([]string{"code=1008", "stage=in[1]", "message=" + e.Reason}, attributes); diff != "" {
		t.Errorf("XML (-want +got):\n%s", diff)
	}
}

func TestWSO09BinaryOnAContentRoute(t *testing.T) {
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	for _, c := range []struct {
		name, contentType string
		steps             []string
		pass              bool
		refused           bool
	}{
		{"a session with a type", JSON, nil, false, true},
		{"steps that look into it", "", []string{"jq:."}, false, true},
		{"nobody looks into it", "", []string{"validate", "log"}, false, false},
		{"told to pass", XML, []string{"validate", "xpath:false()", "xml2json", "log"}, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			log.Reset()
			p := compile(t, Options{BinaryPass: c.pass, Log: logger}, c.steps...)
			data := []byte{0xff, 0}
			out, err := p.Run(t.Context(), Message{false, data}, meta(c.contentType))
			var e *Error
			if errors.As(err, &e) != c.refused {
				t.Fatalf("%v, %v", out, err)
			}
			if c.refused {
				if e.Code != 1003 || e.Reason != "text required" {
					t.Errorf("%d %s; want 1003", e.Code, e.Reason)
				}
				return
			}
			if len(out) != 1 || out[0].Text || &out[0].Data[0] != &data[0] {
				t.Errorf("%v came out", out)
			}
			if !strings.Contains(log.String(), "bytes=2") {
				t.Errorf("it was not logged: %s", &log)
			}
		})
	}
}

// TestWSO10EndlessProgramsEnd, whatever they do without end, with a context
// that has no deadline of its own.
func TestWSO10EndlessProgramsEnd(t *testing.T) {
	for _, program := range []string{
		`[range(1e18)]`, `def f: f; f`, `def f: [f]; f`, `def f: f, f; f`, `repeat(1; .) | empty`, `[limit(1e12; repeat(1))]`,
		`last(range(1e18))`, `reduce range(1e18) as $i (0; . + 1)`, `[.[] | recurse([.])]`, `until(false; .)`, `label $x | range(1e18) | empty`,
	} {
		program = strings.Replace(program, "repeat(1; .)", "repeat(.)", 1)
		t.Run(program, func(t *testing.T) {
			p := compile(t, Options{StepTimeout: time.Millisecond}, "jq:"+program)
			_, e := send(t, p, JSON, `[1]`)
			if e == nil || e.Code != 1011 || e.Reason != "transform in[0]: time is up" {
				t.Errorf("%v, want 1011: time is up", e)
			}
		})
	}
}

// TestWSO10OthersAreUnaffected: while one session's messages never end, those
// of another pass the same pipeline.
func TestWSO10OthersAreUnaffected(t *testing.T) {
	p := compile(t, Options{StepTimeout: unhurried}, `jq:if . == "endless" then [range(1e18)] else . end`)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 4)
	for range cap(ended) {
		go func() {
			_, err := p.Run(ctx, Message{true, []byte(`"endless"`)}, meta(JSON))
			ended <- err
		}()
	}
	for i := range 100 {
		if out, e := send(t, p, JSON, fmt.Sprint(i)); e != nil || !cmp.Equal(out, []string{fmt.Sprint(i)}) {
			t.Fatalf("message %d: %q, %v", i, out, e)
		}
	}
	cancel()
	for range cap(ended) {
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("%v, want canceled", err)
		}
	}
}

func TestWhatIsWrongIsSaidWhenItIsCompiled(t *testing.T) {
	for _, c := range []struct {
		steps []string
		want  string
	}{
		{[]string{"validate", "jq: .["}, "in[1]: jq: unexpected EOF"},
		{[]string{"jq:$x"}, "variable not defined: $x"},
		{[]string{"jq:input"}, "input(s)/0 is not allowed"},
		{[]string{`jq:import "a" as a; .`}, "cannot load module"},
		{[]string{"jq: "}, "jq: nothing to do: say jq:PROGRAM"},
		{[]string{"jq"}, "jq: nothing to do"},
		{[]string{"exec:x"}, `no step is called "exec": there are validate`},
		{[]string{""}, "no step is called"},
		{[]string{"validate:text/plain"}, `"text/plain" is none of application/json`},
		{[]string{"schema:none.json"}, "in[0]: schema: none.json: open none.json"},
		{[]string{"schema:broken.json"}, "broken.json is not JSON"},
		{[]string{"schema:wrong.json"}, "not valid against metaschema"},
		{[]string{"schema:" + "d/far.json"}, "nothing is loaded over the network"},
		{[]string{"xpath:/a["}, "/a["},
		{[]string{"xpath://s:a"}, "prefix s not defined"},
		{[]string{"xpath:count(//a)"}, "is a number or a text"},
		{[]string{"xpath:starts-with(//a, 1)"}, "must be string"},
		{[]string{"xpath:s=urn:x;"}, "xpath"},
		{[]string{"xmlset:/a"}, "does not say what to set: say xmlset:XPATH=TEXT"},
		{[]string{"xmlset:=1"}, "does not say what to set"},
		{[]string{"xmlset:/a=$meta.nothing"}, "there is $meta.path"},
		{[]string{"xmlset:/a=$5"}, "$$ for a dollar sign"},
		{[]string{"xmlset:/a[=1"}, "does not say what to set"},
		{[]string{"xml2json:x"}, "takes nothing behind it"},
		{[]string{"log:0"}, "one in how many"},
		{[]string{"log:many"}, "one in how many"},
		{[]string{"jq:.", "xpath:/a"}, "in[1]: xpath:/a needs application/xml, but what comes to it is application/json: put json2xml before it"},
		{[]string{"xpath:/a", "log", "jq:."}, "in[2]: jq:. needs application/json, but what comes to it is application/xml: put xml2json before it"},
	} {
		p, err := Compile(c.steps, Options{Files: files})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, %v; want %s", c.steps, p, err, c.want)
		}
	}
}

func TestTypesThroughThePipeline(t *testing.T) {
	for _, c := range []struct {
		steps       []string
		contentType string
		takes       bool
		result      string
	}{
		{nil, JSON, true, JSON},
		{nil, "", true, ""},
		{[]string{"validate", "log"}, TextXML, true, TextXML},
		{[]string{"jq:."}, JSON, true, JSON},
		{[]string{"jq:."}, "", true, JSON},
		{[]string{"jq:."}, XML, false, JSON},
		{[]string{"xpath:/a"}, TextXML, true, TextXML},
		{[]string{"xml2json", "jq:."}, TextXML, true, JSON},
		{[]string{"xml2json"}, JSON, false, JSON},
		{[]string{"xml2json", "jq:.", "json2xml"}, TextXML, true, TextXML},
		{[]string{"json2xml"}, JSON, true, XML},
	} {
		p := compile(t, Options{}, c.steps...)
		if takes, result := p.Takes(c.contentType), p.Result(c.contentType); takes != c.takes || c.takes && result != c.result {
			t.Errorf("%q of %q: %v, %q; want %v, %q", c.steps, c.contentType, takes, result, c.takes, c.result)
		}
	}
	if none := (*Pipeline)(nil); !none.Takes(XML) || none.Result(XML) != XML {
		t.Error("a nil pipeline does not take and leave everything")
	}
}

// TestXMLForAJSONTarget: the client speaks XML, the target JSON.
func TestXMLForAJSONTarget(t *testing.T) {
	in := compile(t, Options{}, "xml2json", "jq:.order.item")
	out := compile(t, Options{Stage: "out"}, `jq:{answer: .}`, "json2xml")
	sent, e := send(t, in, XML, `<order><item n="1">pen</item></order>`)
	if e != nil || !cmp.Equal(sent, []string{`{"#text":"pen","@n":"1"}`}) {
		t.Fatalf("%q, %v", sent, e)
	}
	back, e := send(t, out, in.Result(XML), sent[0])
	if e != nil || !cmp.Equal(back, []string{`<answer n="1">pen</answer>`}) {
		t.Fatalf("%q, %v", back, e)
	}
	if _, e := send(t, out, in.Result(XML), "<a/>"); e == nil || e.Code != 1007 || e.Reason != "invalid application/json at byte 1" {
		t.Errorf("XML from the target: %v, want 1007", e)
	}
}

func TestSeveralResultsGoOnOneByOne(t *testing.T) {
	p := compile(t, Options{}, "jq:.[]", "jq:select(. > 1)", "jq:., .")
	got, e := send(t, p, JSON, `[1,2,3]`)
	if diff := cmp.Diff([]string{"2", "2", "3", "3"}, got); e != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", e, diff)
	}
	if _, e := send(t, compile(t, Options{}, "jq:.[]", "jq:.,.,."), JSON, `[1,2,3,4,5,6]`); e == nil || e.Code != 1011 {
		t.Errorf("18 results in all: %v, want 1011", e)
	}
}

// TestAReasonFitsACloseFrame, cut between runes.
func TestAReasonFitsACloseFrame(t *testing.T) {
	for i := range 4 {
		long := refuse(codePolicy, "%s%s", strings.Repeat("x", i), strings.Repeat("é€😀", 40))
		if n := len(long.Reason); n > 123 || n < 119 || !utf8.ValidString(long.Reason) {
			t.Errorf("%d bytes: %q", n, long.Reason)
		}
	}
}
