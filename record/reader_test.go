package record

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func ms(n int) time.Duration { return time.Duration(n) * time.Millisecond }

// Recordings of all ages and makers, and by hand.
func TestRecordingsThatCanBeRead(t *testing.T) {
	hello := []Frame{{0, false, []byte("RFB")}, {ms(7), true, []byte("hi")}}
	for name, c := range map[string]struct {
		text string
		want []Frame
		cut  bool
	}{
		"websockify":           {"var VNC_frame_data = [\n'{0{RFB',\n'}7}hi',\n'EOF'];\n", hello, false},
		"websockify-js":        {"let VNC_frame_data = [\n'{0{RFB',\n'}7}\\x68\\x69',\n'EOF'];\n", hello, false},
		"0.8 in base64":        {"var VNC_frame_encoding = 'base64';\nvar VNC_frame_data = [\n'{0{UkZC',\n'}7}aGk=',\n'EOF'];\n", hello, false},
		"0.8 in binary":        {"var VNC_frame_encoding = 'binary';\nvar VNC_frame_data = [\n'{0{RFB',\n'}7}hi',\n'EOF'];\n", hello, false},
		"binary, looks base64": {"var VNC_frame_encoding = 'binary';\nvar VNC_frame_data = ['{0{UkZC','EOF'];", []Frame{{0, false, []byte("UkZC")}}, false},
		"base64, unsaid":       {"var VNC_frame_data = [\n'{0{UkZC',\n'}7}aGk=',\n'EOF'];\n", hello, false},
		"double quotes":        {"var VNC_frame_data = [\n\"{0{RFB\",\n\"}7}h\\x69\",\n'EOF'];\n", hello, false},
		"a quote in others":    {`var VNC_frame_data = ["{0{it's",'}0}"','EOF'];`, []Frame{{0, false, []byte("it's")}, {0, true, []byte(`"`)}}, false},
		"CRLF":                 {"var VNC_frame_data = [\r\n'{0{RFB',\r\n'}7}hi',\r\n'EOF'];\r\n", hello, false},
		"one line":             {"VNC_frame_data=['{0{RFB','}7}hi','EOF']", hello, false},
		"no EOF":               {"var VNC_frame_data = ['{0{RFB','}7}hi',];", hello, false},
		"all escapes":          {`var VNC_frame_data = ['{0{\\\'\"\b\f\n\r\t\v\0\x7F\u00fF','EOF'];`, []Frame{{0, false, []byte("\\'\"\b\f\n\r\t\v\x00\x7f\xff")}}, false},
		"latin-1 as UTF-8":     {"var VNC_frame_data = ['{0{é\u0080ÿ','EOF'];", []Frame{{0, false, []byte{0xe9, 0x80, 0xff}}}, false},
		"marks in payload":     {"var VNC_frame_data = ['{0{{}{','}0}}{}','EOF'];", []Frame{{0, false, []byte("{}{")}, {0, true, []byte("}{}")}}, false},
		"empty message":        {"var VNC_frame_data = ['}5}','EOF'];", []Frame{{ms(5), true, []byte{}}}, false},
		"clock set back":       {"var VNC_frame_data = ['{9{a','{-3{b','{10{c','EOF'];", []Frame{{ms(9), false, []byte("a")}, {ms(9), false, []byte("b")}, {ms(10), false, []byte("c")}}, false},
		"nothing said":         {"var VNC_frame_data = [\n'EOF'];\n", nil, false},
		"breaks off":           {"var VNC_frame_data = [\n'{0{RFB',\n'}7}hi',\n'}8}ha", hello, true},
		"breaks off in text":   {"var VNC_frame_data = [\n'{0{RFB',\n'}7}hi',\n'}8}ha\\x", hello, true},
		"no end":               {"var VNC_frame_data = [\n'{0{RFB',\n'}7}hi',\n", hello, true},
		"breaks off in front":  {"var VNC_fr", nil, true},
		"lost its power":       {"var VNC_frame_data = [\n'{0{RFB',\n'}7}hi',\n'}8}\x00\x00\x00\x00", hello, true},
	} {
		t.Run(name, func(t *testing.T) {
			r := NewReader(iotest.OneByteReader(strings.NewReader(c.text)), "recording")
			if diff := cmp.Diff(c.want, frames(t, r), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("frames (-want +got):\n%s", diff)
			}
			if r.Cut() != c.cut {
				t.Errorf("Cut() is %v", r.Cut())
			}
			if _, err := r.Next(); err != io.EOF {
				t.Errorf("after the end: %v, want io.EOF", err)
			}
		})
	}
}

func TestErrorsNameTheLineAndTheReason(t *testing.T) {
	const head = "var VNC_frame_data = [\n'{0{fine',\n"
	for text, want := range map[string]string{
		"hello":                                 "session.1:1: not a recording",
		"var x = [\n'{0{x',\n'EOF'];\n":         "session.1:1: not a recording",
		"var VNC_frame_data = '{0{x'":           "session.1:1: not a recording",
		"var VNC_frame_encoding = 'base64';":    "session.1:1: not a recording",
		"\x7fELF\x02\x01":                       "session.1:1: not a recording",
		"var VNC_frame_encoding = 'rot13';\n":   `session.1:1: encoding "rot13" is unknown: it is base64 or binary`,
		head + "'{1{x\n',\n":                    "session.1:3: the line ends inside a frame",
		head + "'{1{x'\n'{2{y',\n":              "session.1:4: a comma is missing",
		head + "'EOF',\n'{2{y'];":               "session.1:3: a ] is missing",
		head + "17,\n":                          "session.1:3: a frame in quotes is missing",
		head + "'<1<x',\n":                      "session.1:3: a frame begins with { or }",
		head + "'',\n":                          "session.1:3: a frame begins with { or }",
		head + "'{',\n":                         "session.1:3: a frame begins with its time",
		head + "'{1}x',\n":                      "session.1:3: a frame begins with its time",
		head + "'}-}x',\n":                      "session.1:3: a frame begins with its time",
		head + "'{99999999999999999999999{x',":  "session.1:3: a frame begins with its time",
		head + `'{1{\q',`:                       `session.1:3: a backslash before 'q' means nothing`,
		head + `'{1{\7',`:                       `session.1:3: a backslash before '7' means nothing`,
		head + `'{1{\xg0',`:                     `session.1:3: "g0" is no byte in 2 hexadecimal digits`,
		head + `'{1{\u0100',`:                   `session.1:3: "0100" is no byte`,
		head + "'{1{€',":                        "session.1:3: a frame has a character that is no byte",
		head + "'{1{\xff',":                     "session.1:3: a frame has a character that is no byte",
		head + "'{1{\x00',\n":                   "session.1:3: bytes of value 0: the file is damaged",
		head + "'EOF'];\n'{2{y',\n'EOF'];\n":    "session.1:4: more follows the recording's end",
		"VNC_frame_data=['{0{UkZC',\n'{1{?',\n": "session.1:2: a frame is not the base64 that the recording is in",
	} {
		r := NewReader(strings.NewReader(text), "session.1")
		var err error
		for err == nil {
			_, err = r.Next()
		}
		if err == io.EOF || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q\n got %v\nwant %s", text, err, want)
		}
		if _, again := r.Next(); again != err {
			t.Errorf("%q: the next error is %v", text, again)
		}
	}
}

func TestAFileThatFailsIsNotAFileThatEnds(t *testing.T) {
	broken := errors.New("broken disk")
	r := NewReader(io.MultiReader(strings.NewReader("var VNC_frame_data = [\n'{0{x"), iotest.ErrReader(broken)), "session.1")
	if _, err := r.Next(); !errors.Is(err, broken) || !strings.HasPrefix(err.Error(), "session.1:2: ") {
		t.Errorf("%v, want one that wraps %v and names the line", err, broken)
	}
}

func TestAQuoteThatIsMissingDoesNotEatTheMemory(t *testing.T) {
	endless := io.MultiReader(strings.NewReader("var VNC_frame_data = [\n'{0{"), endlessly('x'))
	r := NewReader(endless, "session.1")
	r.max = 1 << 20 // the real limit is slow to reach
	_, err := r.Next()
	if err == nil || !strings.Contains(err.Error(), "session.1:2: a frame is larger than 1 MiB") {
		t.Error(err)
	}
}

type endlessly byte

func (e endlessly) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(e)
	}
	return len(p), nil
}

// Any bytes, both ways, in any pieces, come back as they were.
func TestWhatWasRecordedIsRead(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var want []Frame
		file := []byte(header)
		at := time.Duration(0)
		for range random.IntN(20) {
			at += ms(random.IntN(100_000))
			f := Frame{at, random.IntN(2) == 0, make([]byte, random.IntN(300))}
			for i := range f.Data {
				f.Data[i] = byte(random.Uint32())
			}
			want = append(want, f)
			file = appendFrame(file, f)
		}
		file = append(file, terminator...)
		got := frames(t, NewReader(bytes.NewReader(file), "recording"))
		if !slices.EqualFunc(want, got, sameFrame) {
			t.Fatalf("%s\nreads as %v\nwant %v", file, got, want)
		}
	}
}

func sameFrame(a, b Frame) bool {
	return a.At == b.At && a.ToTarget == b.ToTarget && bytes.Equal(a.Data, b.Data)
}

// FuzzReader: no file makes it panic or loop, and what it reads, written
// again, reads the same.
func FuzzReader(f *testing.F) {
	f.Add([]byte("var VNC_frame_data = [\n'{0{RFB',\n'}7}h\\x69\\'',\n'EOF'];\n"))
	f.Add([]byte("var VNC_frame_encoding = 'base64';\nvar VNC_frame_data = [\n'{0{UkZC',\n'}7}aGk=',\n'EOF'];\n"))
	f.Add([]byte("let VNC_frame_data = [\"{-3{\\u00ff\xc3\xa9\",'}9}\x00\x00"))
	f.Fuzz(func(t *testing.T, in []byte) {
		var got []Frame
		file := []byte(header)
		size := 0
		r := NewReader(bytes.NewReader(in), "fuzz")
		for {
			frame, err := r.Next()
			if err != nil {
				break
			}
			frame.Data = bytes.Clone(frame.Data)
			got = append(got, frame)
			file = appendFrame(file, frame)
			size += len(frame.Data)
		}
		if size > len(in) || r.whole > int64(len(in)) {
			t.Errorf("%d bytes in frames up to offset %d of %d bytes", size, r.whole, len(in))
		}
		file = append(file, terminator...)
		again := NewReader(bytes.NewReader(file), "again")
		no := false
		again.base64 = &no // a payload may look like it
		if second := frames(t, again); !slices.EqualFunc(got, second, sameFrame) {
			t.Errorf("%q reads as %v\nwritten again as %q it reads as %v", in, got, file, second)
		}
	})
}

func BenchmarkReader(b *testing.B) {
	data := bytes.Repeat([]byte("RFB\x00\x01\x02 and text"), 4<<10)
	file := append(appendFrame([]byte(header), Frame{0, false, data}), terminator...)
	b.SetBytes(int64(len(file)))
	for b.Loop() {
		r := NewReader(bytes.NewReader(file), "recording")
		if f, err := r.Next(); err != nil || len(f.Data) != len(data) {
			b.Fatal(err)
		}
	}
}
