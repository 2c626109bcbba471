package frame

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/gobwas/ws"
	"github.com/google/go-cmp/cmp"
)

// decodeHixie is decode for the frames of the Hixie drafts.
func decodeHixie(d *HixieDecoder, stream []byte, step int) (out []seen, err error) {
	message := []byte{}
	for piece := range slices.Chunk(stream, step) {
		for len(piece) > 0 {
			ev, n, err := d.Next(piece)
			if err != nil {
				return out, err
			}
			if at := n - len(ev.Payload); !bytes.Equal(ev.Payload, piece[at:n]) {
				return out, fmt.Errorf("a payload that does not end where the bytes taken do: %q of %q", ev.Payload, piece[:n])
			}
			piece = piece[n:]
			message = append(message, ev.Payload...)
			if ev.Last || ev.Kind == Close {
				out = append(out, seen{Kind: ev.Kind, Text: ev.Text, Payload: string(message), Code: ev.Code})
				message = nil
			}
		}
	}
	return out, nil
}

// A stream of every kind of frame there is, cut everywhere.
func TestHixieFrames(t *testing.T) {
	long := strings.Repeat("x", 300)
	stream := []byte("\x00hello\xff" + // text
		"\x00\xff" + // none
		"\x80\x05\x00\xff\x00\xff\x00" + // a length, and what looks like frames
		"\x81\x80\x80\x02zz" + // a length with more bytes than it needs
		"\xff\x82\x2c" + long + // 0xFF with a length does not close
		"\x80\x00" + // nor does an empty one that is not 0xFF
		"\x01unknown\x00\xff" + "\x7f\xff" + // kinds to come
		"\x00caf\xc3\xa9\xff" +
		"\xff\x00" + // closes, from draft 76 on
		"\x00more\xff")
	text := func(s string) seen { return seen{Kind: Data, Text: true, Payload: s} }
	before := []seen{text("hello"), text(""), text("café")}
	for _, tc := range []struct {
		closing bool
		want    []seen
	}{
		{true, append(slices.Clone(before), seen{Kind: Close, Code: ws.StatusNoStatusRcvd})},
		{false, append(slices.Clone(before), text("more"))},
	} {
		for step := 1; step <= len(stream); step++ {
			got, err := decodeHixie(&HixieDecoder{Closing: tc.closing}, stream, step)
			if diff := cmp.Diff(tc.want, got); diff != "" || err != nil {
				t.Fatalf("closing %v, step %d: %v %s", tc.closing, step, err, diff)
			}
		}
	}
}

func TestHixieWhole(t *testing.T) {
	for stream, whole := range map[string]bool{
		"": true, "\x00hi\xff": true, "\x80\x02ab": true, "\xff\x00": true, "\x05ab\xff": true,
		"\x00": false, "\x00hi": false, "\x80": false, "\x80\x81": false, "\x80\x02a": false, "\x05ab": false,
	} {
		var d HixieDecoder
		decodeHixie(&d, []byte(stream), 3)
		if d.Whole() != whole {
			t.Errorf("%q: whole %v", stream, d.Whole())
		}
	}
}

// A length without an end is refused; a huge one costs nothing.
func TestHixieLengths(t *testing.T) {
	var wrong *Error
	_, err := decodeHixie(new(HixieDecoder), []byte("\x80"+strings.Repeat("\x80", 9)+"\x00"), 4)
	if !errors.As(err, &wrong) || wrong.Code != 1002 {
		t.Errorf("ten bytes of length: %v", err)
	}
	d := new(HixieDecoder)
	decodeHixie(d, []byte("\x80"+strings.Repeat("\xff", 8)+"\x7f"), 100)
	chunk := make([]byte, 64<<10)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 1000 {
		if ev, n, err := d.Next(chunk); n != len(chunk) || ev.Kind != None || err != nil {
			t.Fatalf("took %d, %+v, %v", n, ev, err)
		}
	}
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 64<<10 {
		t.Errorf("64 MB to be skipped allocated %d bytes", grown)
	}
}

// The examples of draft 76: the requests of sections 1.2 and 1.3.
func TestHixieChallenge(t *testing.T) {
	for _, tc := range []struct {
		key1, key2 string
		one, two   uint32
		body, want string
	}{
		{"4 @1  46546xW%0l 1 5", "12998 5 Y3 1  .P00", 829309203, 259970620, "^n:ds[4U", "8jKS'y:G*Co,Wxa-"},
		{"18x 6]8vM;54 *(5:  {   U1]8  z [  8", "1_ tx7X d  <  nw  334J702) 7]o}` 0", 155712099, 173347027, "Tm[K T2u", "fQJ,fN/4F4!~K~MH"},
	} {
		one, err1 := HixieKey(tc.key1)
		two, err2 := HixieKey(tc.key2)
		if err1 != nil || err2 != nil || one != tc.one || two != tc.two {
			t.Errorf("%d %v, %d %v, want %d and %d", one, err1, two, err2, tc.one, tc.two)
		}
		if got := HixieAnswer(one, two, [HixieBody]byte([]byte(tc.body))); string(got[:]) != tc.want {
			t.Errorf("answer %q, want %q", got, tc.want)
		}
	}
}

func TestHixieKeysRefused(t *testing.T) {
	for key, says := range map[string]string{
		"":                "no space",
		"1234":            "no space",
		"a b c":           "no number",
		"4294967296 0":    "no number of 32 bits",
		"99999999999 9 9": "no number of 32 bits",
		"1 0 1":           "do not divide",
	} {
		if n, err := HixieKey(key); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %d %v, want word of %q", key, n, err, says)
		}
	}
	if n, err := HixieKey("4294967295 "); err != nil || n != 1<<32-1 {
		t.Errorf("the largest number: %d %v", n, err)
	}
}

// What comes out must not depend on how the bytes were cut, and what goes in as
// frames must come out.
func FuzzHixie(f *testing.F) {
	f.Add([]byte("\x00hello\xff\x80\x02ab\x05x\xff\xff\x00"), true, uint8(2))
	f.Add([]byte("\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f"), false, uint8(1))
	f.Fuzz(func(t *testing.T, stream []byte, closing bool, step uint8) {
		whole, wholeErr := decodeHixie(&HixieDecoder{Closing: closing}, stream, len(stream)+1)
		cut, cutErr := decodeHixie(&HixieDecoder{Closing: closing}, stream, int(step)+1)
		if diff := cmp.Diff(whole, cut); diff != "" || fmt.Sprint(wholeErr) != fmt.Sprint(cutErr) {
			t.Fatalf("cuts show: %v, %v\n%s", wholeErr, cutErr, diff)
		}
		if strings.Contains(payloads(whole), "\xff") {
			t.Fatalf("0xFF in a payload: %q", payloads(whole))
		}
		text := base64.StdEncoding.EncodeToString(stream)
		buf := append(append(make([]byte, HeaderRoom), text...), 'x')
		framed := AppendHixieClose(bytes.Clone(WrapHixie(buf, len(text))))
		back, err := decodeHixie(&HixieDecoder{Closing: true}, framed, int(step)+1)
		want := []seen{{Kind: Data, Text: true, Payload: text}, {Kind: Close, Code: ws.StatusNoStatusRcvd}}
		if diff := cmp.Diff(want, back); diff != "" || err != nil {
			t.Fatalf("%v %s", err, diff)
		}
	})
}
