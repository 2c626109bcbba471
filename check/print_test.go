package check

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/gobwas/ws"
	"github.com/google/go-cmp/cmp"
)

var sample = Report{
	URL: "wss://h/", Result: Fail, Exit: 6,
	Steps: []Step{
		{"url", OK, "wss://h/", 0.1, nil},
		{"resolve", Skip, "no need", 0, nil},
		{"tls", Warn, "TLS 1.3; ends soon", 12, map[string]int{"n": 1}},
		{"trust", Fail, "has expired", 1.5, nil},
	},
}

func printed(p Printer, r Report) string {
	var b strings.Builder
	p.To = &b
	for _, s := range r.Steps {
		p.Step(s)
	}
	p.Result(r)
	return b.String()
}

func TestPrinter(t *testing.T) {
	for _, tt := range []struct {
		printer Printer
		want    string
	}{
		{Printer{}, `ok    url        wss://h/  (0.1 ms)
skip  resolve    no need
warn  tls        TLS 1.3; ends soon  (12.0 ms)
FAIL  trust      has expired  (1.5 ms)
RESULT FAIL in step trust (exit status 6)
`},
		{Printer{Quiet: true}, `warn  tls        TLS 1.3; ends soon  (12.0 ms)
FAIL  trust      has expired  (1.5 ms)
RESULT FAIL in step trust (exit status 6)
`},
		{Printer{Quiet: true, Color: true}, "\x1b[33mwarn\x1b[0m  tls        TLS 1.3; ends soon  (12.0 ms)\n" +
			"\x1b[1;31mFAIL\x1b[0m  trust      has expired  (1.5 ms)\n" +
			"RESULT \x1b[1;31mFAIL\x1b[0m in step trust (exit status 6)\n"},
	} {
		if diff := cmp.Diff(tt.want, printed(tt.printer, sample)); diff != "" {
			t.Error(diff)
		}
	}
}

func TestPrinterOfSuccess(t *testing.T) {
	for _, tt := range []struct {
		report Report
		want   string
	}{
		{Report{Result: OK, Secure: true}, "Successfully established secure WebSocket connection\nRESULT ok\n"},
		{Report{Result: OK}, "RESULT ok\n"},
		{Report{Result: Warn, Steps: []Step{{"lf", Warn, "x", 1, nil}}}, "warn  lf         x  (1.0 ms)\nRESULT warn: 1 to look at\n"},
		{Report{Result: Warn, Exit: 1, Steps: []Step{{"lf", Warn, "x", 1, nil}}}, "warn  lf         x  (1.0 ms)\nRESULT warn: 1 to look at (exit status 1)\n"},
	} {
		if diff := cmp.Diff(tt.want, printed(Printer{}, tt.report)); diff != "" {
			t.Error(diff)
		}
	}
}

// A program sees these keys and no others: docs/check.md promises them.
func TestJSON(t *testing.T) {
	var b bytes.Buffer
	if err := sample.JSON(&b); err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(&b)
	decoder.DisallowUnknownFields()
	var got struct {
		URL    string `json:"url"`
		Result string `json:"result"`
		Exit   int    `json:"exit"`
		Secure bool   `json:"secure"`
		Steps  []struct {
			Name   string          `json:"name"`
			Status string          `json:"status"`
			Detail string          `json:"detail"`
			MS     float64         `json:"ms"`
			Data   json.RawMessage `json:"data"`
		} `json:"steps"`
	}
	if err := decoder.Decode(&got); err != nil {
		t.Fatal(err)
	}
	if got.Result != "fail" || got.Exit != 6 || len(got.Steps) != 4 || got.Steps[2].Status != "warn" || string(got.Steps[2].Data) == "" {
		t.Errorf("%+v", got)
	}
}

func TestOneLine(t *testing.T) {
	for text, want := range map[string]string{
		"a\nb\tc": "a b c", "\x1b[2J": ".[2J", "caf\xe9": "caf.", "naïve": "naïve", "\u202eabc": ".abc",
	} {
		if got := oneLine(text); got != want {
			t.Errorf("oneLine(%q) = %q, want %q", text, got, want)
		}
	}
}

// Frames, deflated or not, are read within bounds whatever they hold.
func FuzzFrameReader(f *testing.F) {
	f.Add([]byte("\x81\x05hello\x89\x00"), false)
	f.Add([]byte("\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00"), true) // RFC 7692, 7.2.3.1
	f.Add([]byte("\x41\x03\xf2\x48\xcd\x80\x04\xc9\xc9\x07\x00"), true)
	f.Fuzz(func(t *testing.T, wire []byte, deflated bool) {
		r := &frameReader{in: bytes.NewReader(wire), deflated: deflated}
		for {
			op, p, err := r.next()
			if err != nil {
				return
			}
			if len(p) > maxMessage {
				t.Fatalf("a message of %d bytes", len(p))
			}
			if op != ws.OpBinary && !op.IsControl() {
				t.Fatalf("opcode %x", op)
			}
		}
	})
}

func TestFrameReader(t *testing.T) {
	for wire, want := range map[string]string{
		"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00":                             "Hello",      // RFC 7692, 7.2.3.1
		"\x41\x03\xf2\x48\xcd\x80\x04\xc9\xc9\x07\x00":                     "Hello",      // in two pieces
		"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00\xc1\x05\xf2\x00\x11\x00\x00": "HelloHello", // 7.2.3.2: of what went before
		"\x01\x02He\x89\x00\x80\x03llo":                                    "Hello",
		"\x81\x7e\x00\x05Hello":                                            "Hello",
		"\x81\x05Hel":                                                      "",
		"\x81\x7f\x00\x00\x00\x00\x40\x00\x00\x00":                         "",
		"\x81\x85\x00\x00\x00\x00Hello":                                    "",
	} {
		r := &frameReader{in: strings.NewReader(wire), deflated: true}
		var got []byte
		for {
			op, p, err := r.next()
			if err != nil {
				break
			}
			if !op.IsControl() {
				got = append(got, p...)
			}
		}
		if string(got) != want {
			t.Errorf("%q: got %q, want %q", wire, got, want)
		}
	}
}
