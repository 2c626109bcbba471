package frame

import (
	"bytes"
	"encoding/base64"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

func TestPrepend(t *testing.T) {
	for _, size := range []int{0, 1, 125, 126, 127, 65535, 65536, 70000} {
		payload := bytes.Repeat([]byte{7}, size)
		buf := append(make([]byte, HeaderRoom), payload...)
		want := ws.MustCompileFrame(ws.NewBinaryFrame(payload))
		if got := Prepend(buf, ws.OpBinary, size); !bytes.Equal(got, want) {
			t.Errorf("size %d: header %x, want %x", size, got[:len(got)-size], want[:len(want)-size])
		}
		if head := AppendHeader(nil, ws.OpBinary, size); !bytes.Equal(head, want[:len(want)-size]) {
			t.Errorf("size %d: header %x", size, head)
		}
	}
}

func TestAppendClose(t *testing.T) {
	for _, tc := range []struct {
		code   ws.StatusCode
		reason string
		want   []byte
	}{
		{1000, "", ws.MustCompileFrame(ws.NewCloseFrame(ws.NewCloseFrameBody(1000, "")))},
		{1011, "target reset", ws.MustCompileFrame(ws.NewCloseFrame(ws.NewCloseFrameBody(1011, "target reset")))},
		{1005, "", []byte{0x88, 0}},
		{1001, strings.Repeat("é", 100), ws.MustCompileFrame(ws.NewCloseFrame(ws.NewCloseFrameBody(1001, strings.Repeat("é", 61))))},
	} {
		if got := AppendClose(nil, tc.code, tc.reason); !bytes.Equal(got, tc.want) {
			t.Errorf("%d %q: % x, want % x", tc.code, tc.reason, got, tc.want)
		}
	}
}

func TestCutRune(t *testing.T) {
	for text, want := range map[string]int{
		"": 0, "a": 0, "é": 0, "caf\xc3": 1, "\xe2\x82": 2, "\xe2": 1, "\xf0\x9f\x98": 3, "😀": 0, "a\xff": 0, "\x80\x80\x80\x80": 0,
	} {
		if got := CutRune([]byte(text)); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
}

// However text is cut, the verdict is the one the whole would get.
func FuzzUTF8Stream(f *testing.F) {
	f.Add([]byte("caf\xc3\xa9 \xe2\x82\xac 😀"), uint8(1))
	f.Add([]byte("\xed\xa0\x80"), uint8(2))
	f.Fuzz(func(t *testing.T, text []byte, step uint8) {
		var u UTF8Stream
		good := true
		for rest := text; len(rest) > 0 && good; {
			n := min(int(step)+1, len(rest))
			good = u.Feed(rest[:n])
			rest = rest[n:]
		}
		if got := good && u.Whole(); got != utf8.Valid(text) {
			t.Fatalf("%q in steps of %d: %v", text, int(step)+1, got)
		}
	})
}

// decode64 feeds text in chunks of at most step bytes.
func decode64(text string, step int) (out []byte, err error) {
	var b Base64Stream
	for len(text) > 0 {
		chunk := []byte(text[:min(step, len(text))])
		text = text[len(chunk):]
		dst := make([]byte, DecodedRoom(len(chunk)))
		n, err := b.Decode(dst, chunk)
		out = append(out, dst[:n]...)
		if err != nil {
			return out, err
		}
	}
	var tail [3]byte
	n, err := b.Flush(tail[:])
	return append(out, tail[:n]...), err
}

func TestBase64AnyCut(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for size := range 200 {
		data := make([]byte, size)
		for i := range data {
			data[i] = byte(rnd.Uint32())
		}
		half := size / 2
		padded := base64.StdEncoding.EncodeToString(data[:half]) + base64.StdEncoding.EncodeToString(data[half:])
		unpadded := base64.RawStdEncoding.EncodeToString(data)
		for step := 1; step < 9; step++ {
			for _, text := range []string{padded, unpadded} {
				if got, err := decode64(text, step); err != nil || !bytes.Equal(got, data) {
					t.Fatalf("%q in steps of %d: %x, %v, want %x", text, step, got, err, data)
				}
			}
		}
	}
}

func TestBase64(t *testing.T) {
	for _, tc := range []struct {
		text, want string
		bad        bool
	}{
		{text: "", want: ""},
		{text: "aGVsbG8=", want: "hello"},
		{text: "aGVs\r\nbG8=\r\n", want: "hello"},
		{text: "aA==aA==", want: "hh"},
		{text: "aGVsbG8", want: "hello"},
		{text: "a", bad: true},
		{text: "aGVs!G8=", want: "hel", bad: true},
		{text: "aA=x", bad: true},
		{text: "====", bad: true},
	} {
		for step := 1; step < 9; step++ {
			got, err := decode64(tc.text, step)
			if (err != nil) != tc.bad || !tc.bad && string(got) != tc.want {
				t.Errorf("%q in steps of %d: %q, %v", tc.text, step, got, err)
			}
		}
	}
}

// Cuts must not show, and good base64 must come out as encoding/base64 has it.
func FuzzBase64(f *testing.F) {
	f.Add("aGVsbG8=", uint8(2))
	f.Add("aA==aA=", uint8(0))
	f.Fuzz(func(t *testing.T, text string, step uint8) {
		cut, cutErr := decode64(text, int(step)+1)
		whole, wholeErr := decode64(text, len(text)+1)
		if (cutErr == nil) != (wholeErr == nil) || cutErr == nil && !bytes.Equal(cut, whole) {
			t.Fatalf("cuts show: %q %v, %q %v", cut, cutErr, whole, wholeErr)
		}
		if want, err := base64.StdEncoding.DecodeString(text); err == nil && !bytes.Equal(whole, want) {
			t.Fatalf("%q: %q, %v, want %q", text, whole, wholeErr, want)
		}
	})
}
