package frame

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"github.com/gobwas/ws"
	"github.com/google/go-cmp/cmp"
)

// seen is an Event that outlives its buffer; pieces of a message are joined.
type seen struct {
	Kind    Kind
	Text    bool
	Payload string
	Code    ws.StatusCode
	Reason  string
}

// decode feeds stream in chunks of at most step bytes and joins what comes out:
// how the bytes were cut must not show.
func decode(d *Decoder, stream []byte, step int) (out []seen, err error) {
	var message []byte
	for len(stream) > 0 {
		chunk := bytes.Clone(stream[:min(step, len(stream))])
		stream = stream[len(chunk):]
		for len(chunk) > 0 {
			ev, n, err := d.Next(chunk)
			chunk = chunk[n:]
			if err != nil {
				return out, err
			}
			switch {
			case ev.Kind == Data:
				message = append(message, ev.Payload...)
				if ev.Last {
					out = append(out, seen{Kind: Data, Text: ev.Text, Payload: string(message)})
					message = nil
				}
			case ev.Kind != None:
				out = append(out, seen{ev.Kind, false, string(ev.Payload), ev.Code, ev.Reason})
			}
		}
	}
	return out, nil
}

// masked compiles a client's frame.
func masked(op ws.OpCode, fin bool, payload string) []byte {
	f := ws.MaskFrameInPlaceWith(ws.NewFrame(op, fin, []byte(payload)), [4]byte{1, 200, 3, 77})
	return ws.MustCompileFrame(f)
}

// plain compiles a server's frame.
func plain(op ws.OpCode, fin bool, payload string) []byte {
	return ws.MustCompileFrame(ws.NewFrame(op, fin, []byte(payload)))
}

// header compiles a frame's header alone.
func header(h ws.Header) []byte {
	var b bytes.Buffer
	if err := ws.WriteHeader(&b, h); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// Every connection has a Decoder, for as long as it lives.
func TestDecoderIsSmall(t *testing.T) {
	if size := unsafe.Sizeof(Decoder{}); size > 128 {
		t.Errorf("a Decoder is %d bytes, should be at most 128", size)
	}
}

func TestSizesAndCuts(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, size := range []int{0, 1, 2, 124, 125, 126, 127, 128, 65535, 65536, 70000} {
		payload := make([]byte, size)
		for i := range payload {
			payload[i] = byte(rnd.Uint32())
		}
		want := []seen{{Kind: Data, Payload: string(payload)}, {Kind: Ping, Payload: "after"}}
		for _, side := range []struct {
			d      Decoder
			stream []byte
		}{
			{Decoder{}, join(masked(ws.OpBinary, true, string(payload)), masked(ws.OpPing, true, "after"))},
			{Decoder{FromServer: true}, join(plain(ws.OpBinary, true, string(payload)), plain(ws.OpPing, true, "after"))},
		} {
			for _, step := range []int{1, 2, 3, 5, 7, 13, 14, 15, 1000, 4096, 1 << 20} {
				d := side.d
				got, err := decode(&d, side.stream, step)
				if diff := cmp.Diff(want, got); diff != "" || err != nil {
					t.Errorf("size %d, step %d, from server %v: %v %s", size, step, d.FromServer, err, diff)
				}
			}
		}
	}
}

func TestControlFramesBetweenFragments(t *testing.T) {
	stream := join(
		masked(ws.OpText, false, ""), // a first fragment may be empty
		masked(ws.OpContinuation, false, "caf\xc3"),
		masked(ws.OpPing, true, "are you there"),
		masked(ws.OpContinuation, false, "\xa9 "),
		masked(ws.OpPong, true, ""),
		masked(ws.OpContinuation, true, "noir"),
		masked(ws.OpBinary, true, "\xff"),
		masked(ws.OpClose, true, "\x03\xe8bye"),
		[]byte("nothing after a close counts, not even rubbish"),
	)
	want := []seen{
		{Kind: Ping, Payload: "are you there"},
		{Kind: Pong},
		{Kind: Data, Text: true, Payload: "café noir"},
		{Kind: Data, Payload: "\xff"},
		{Kind: Close, Code: 1000, Reason: "bye"},
	}
	for step := 1; step < len(stream); step++ {
		got, err := decode(new(Decoder), stream, step)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Fatalf("step %d: %v %s", step, err, diff)
		}
	}
}

func TestBreaches(t *testing.T) {
	long := strings.Repeat("x", 126)
	for _, tc := range []struct {
		name   string
		stream []byte
		code   ws.StatusCode
	}{
		{"unmasked frame", plain(ws.OpBinary, true, "x"), 1002},
		{"unmasked ping", plain(ws.OpPing, true, ""), 1002},
		{"first reserved bit", header(ws.Header{Fin: true, Rsv: 4, OpCode: ws.OpBinary, Masked: true}), 1002},
		{"last reserved bit", header(ws.Header{Fin: true, Rsv: 1, OpCode: ws.OpBinary, Masked: true}), 1002},
		{"reserved data opcode", masked(3, true, ""), 1002},
		{"reserved control opcode", masked(11, true, ""), 1002},
		{"ping over 125 bytes", masked(ws.OpPing, true, long), 1002},
		{"close over 125 bytes", masked(ws.OpClose, true, "\x03\xe8"+long), 1002},
		{"fragmented ping", masked(ws.OpPing, false, "x"), 1002},
		{"fragmented close", masked(ws.OpClose, false, "\x03\xe8"), 1002},
		{"continuation of nothing", masked(ws.OpContinuation, true, "x"), 1002},
		{"message inside a message", join(masked(ws.OpBinary, false, "x"), masked(ws.OpText, true, "y")), 1002},
		{"length with its highest bit", []byte{0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4}, 1002},
		{"half a close code", masked(ws.OpClose, true, "\x03"), 1002},
		{"close 1005", masked(ws.OpClose, true, "\x03\xed"), 1002},
		{"close 1006", masked(ws.OpClose, true, "\x03\xee"), 1002},
		{"close 1015", masked(ws.OpClose, true, "\x03\xf7"), 1002},
		{"close 1004", masked(ws.OpClose, true, "\x03\xec"), 1002},
		{"close 999", masked(ws.OpClose, true, "\x03\xe7"), 1002},
		{"close 2999", masked(ws.OpClose, true, "\x0b\xb7"), 1002},
		{"close 5000", masked(ws.OpClose, true, "\x13\x88"), 1002},
		{"close reason not UTF-8", masked(ws.OpClose, true, "\x03\xe8\xff"), 1007},
		{"text not UTF-8", masked(ws.OpText, true, "a\xffb"), 1007},
		{"text cut inside a rune", masked(ws.OpText, true, "caf\xc3"), 1007},
		{"surrogate half", masked(ws.OpText, true, "\xed\xa0\x80"), 1007},
		{"overlong", masked(ws.OpText, true, "\xc0\xaf"), 1007},
		{"beyond Unicode", masked(ws.OpText, true, "\xf4\x90\x80\x80"), 1007},
		{"bad rune over two fragments", join(masked(ws.OpText, false, "\xe2\x82"), masked(ws.OpContinuation, true, "x")), 1007},
	} {
		for _, step := range []int{1, 2, 3, 100, 1000} {
			d := new(Decoder)
			_, err := decode(d, tc.stream, step)
			var wrong *Error
			if !errors.As(err, &wrong) || wrong.Code != tc.code {
				t.Errorf("%s, step %d: %v, want close %d", tc.name, step, err, tc.code)
			}
			if _, _, again := d.Next([]byte{0x82, 0x80, 0, 0, 0, 0}); again != err {
				t.Errorf("%s: a decoder that failed went on: %v", tc.name, again)
			}
		}
	}
}

func TestMaskedFrameFromServer(t *testing.T) {
	if _, err := decode(&Decoder{FromServer: true}, masked(ws.OpBinary, true, "x"), 100); err == nil {
		t.Error("a server's masked frame was taken")
	}
}

// Bad text is refused as soon as it is seen, not when the message ends.
func TestBadTextIsFoundEarly(t *testing.T) {
	start := header(ws.Header{OpCode: ws.OpText, Masked: true, Length: 1 << 30, Fin: true})
	_, err := decode(new(Decoder), append(start, 0xff), 1)
	if err == nil {
		t.Error("still waiting for the rest of a message that cannot become text")
	}
}

func TestCloseCodes(t *testing.T) {
	good := map[ws.StatusCode]bool{1000: true, 1001: true, 1002: true, 1003: true, 1007: true, 1008: true, 1009: true,
		1010: true, 1011: true, 1012: true, 1013: true, 1014: true}
	for code := ws.StatusCode(0); code < 6000; code++ {
		want := good[code] || code >= 3000 && code <= 4999
		if got := ValidCloseCode(code); got != want {
			t.Errorf("code %d: %v, want %v", code, got, want)
		}
	}
}

// A frame that says it is 2^62 bytes long is a stream like any other.
func TestHugeFrameCostsNothing(t *testing.T) {
	d := new(Decoder)
	decode(d, header(ws.Header{Fin: true, OpCode: ws.OpBinary, Masked: true, Length: 1 << 62}), 100)
	chunk := make([]byte, 64<<10)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 1000 {
		if ev, n, err := d.Next(chunk); n != len(chunk) || ev.Last || err != nil {
			t.Fatalf("took %d, %+v, %v", n, ev, err)
		}
	}
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 64<<10 {
		t.Errorf("64 MB of payload allocated %d bytes", grown)
	}
}

func ExampleDecoder() {
	stream := masked(ws.OpText, true, "hello")
	var d Decoder
	for len(stream) > 0 {
		ev, n, err := d.Next(stream)
		if err != nil {
			fmt.Println(err)
			return
		}
		stream = stream[n:]
		fmt.Printf("%s %v\n", ev.Payload, ev.Last)
	}
	// Output: hello true
}

// What comes out must not depend on how the bytes were cut, must agree with
// gobwas/ws where that reads whole frames, and nothing may panic.
func FuzzDecoder(f *testing.F) {
	f.Add(join(masked(ws.OpText, false, "caf\xc3"), masked(ws.OpPing, true, "?"), masked(ws.OpContinuation, true, "\xa9")), uint8(3))
	f.Add(join(masked(ws.OpBinary, true, "x"), masked(ws.OpClose, true, "\x03\xe8bye")), uint8(1))
	f.Add([]byte{0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0}, uint8(2))
	f.Fuzz(func(t *testing.T, stream []byte, step uint8) {
		whole, wholeErr := decode(new(Decoder), stream, len(stream)+1)
		cut, cutErr := decode(new(Decoder), stream, int(step)+1)
		if diff := cmp.Diff(whole, cut); diff != "" || fmt.Sprint(wholeErr) != fmt.Sprint(cutErr) {
			t.Fatalf("cuts show: %v, %v\n%s", wholeErr, cutErr, diff)
		}
		if want := reference(stream); !strings.HasPrefix(want, payloads(whole)) {
			t.Fatalf("payload %q, gobwas/ws reads %q", payloads(whole), want)
		}
	})
}

func payloads(events []seen) (all string) {
	for _, ev := range events {
		if ev.Kind == Data {
			all += ev.Payload
		}
	}
	return all
}

// reference is all data payload of stream as gobwas/ws reads it.
func reference(stream []byte) (all string) {
	r := bytes.NewReader(stream)
	for {
		h, err := ws.ReadHeader(r)
		if err != nil || h.Length < 0 {
			return all
		}
		payload := make([]byte, min(h.Length, int64(r.Len())))
		r.Read(payload)
		if h.Masked {
			ws.Cipher(payload, h.Mask, 0)
		}
		if !h.OpCode.IsControl() {
			all += string(payload)
		}
	}
}

// Where permessage-deflate was negotiated, the first reserved bit says that a
// message is compressed, and it says so once, in its first frame.
func TestCompressedMessages(t *testing.T) {
	rsv := func(rsv byte, frame []byte) []byte {
		frame[0] |= rsv << 4
		return frame
	}
	stream := join(
		rsv(4, masked(ws.OpText, false, "\xff\xfe")), // no text before it is inflated
		masked(ws.OpPing, true, "there?"),
		masked(ws.OpContinuation, true, "\xfd"),
		masked(ws.OpText, true, "as it is"),
		rsv(4, masked(ws.OpBinary, true, "")),
	)
	var got []Event
	d := &Decoder{Deflate: true}
	for rest := stream; len(rest) > 0; {
		ev, n, err := d.Next(rest)
		if err != nil {
			t.Fatal(err)
		}
		ev.Payload = bytes.Clone(ev.Payload)
		rest, got = rest[n:], append(got, ev)
	}
	want := []Event{
		{Kind: Data, Text: true, Compressed: true, Payload: []byte("\xff\xfe")},
		{Kind: Ping, Payload: []byte("there?")},
		{Kind: Data, Text: true, Compressed: true, Last: true, Payload: []byte("\xfd")},
		{Kind: Data, Text: true, Last: true, Payload: []byte("as it is")},
		{Kind: Data, Compressed: true, Last: true, Payload: []byte{}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for name, stream := range map[string][]byte{
		"on a continuation":      join(rsv(4, masked(ws.OpText, false, "")), rsv(4, masked(ws.OpContinuation, true, ""))),
		"on a ping":              rsv(4, masked(ws.OpPing, true, "")),
		"on a Close":             rsv(4, masked(ws.OpClose, true, "")),
		"with the second bit":    rsv(6, masked(ws.OpText, true, "")),
		"with the third bit":     rsv(5, masked(ws.OpText, true, "")),
		"the second bit alone":   rsv(2, masked(ws.OpText, true, "")),
		"text that is not UTF-8": masked(ws.OpText, true, "\xff"), // not compressed
	} {
		_, err := decode(&Decoder{Deflate: true}, stream, 1)
		var wrong *Error
		if !errors.As(err, &wrong) {
			t.Errorf("%s: %v, want a breach", name, err)
		}
	}
}
