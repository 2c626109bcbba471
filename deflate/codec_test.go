package deflate

import (
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// pieces is a message cut into pieces, or an error behind them.
type pieces struct {
	all []string
	err error
}

func (p *pieces) Piece() ([]byte, bool, error) {
	if len(p.all) == 0 {
		return nil, false, p.err
	}
	next := p.all[0]
	p.all = p.all[1:]
	return []byte(next), len(p.all) == 0 && p.err == nil, nil
}

func cut(message string, step int) *pieces {
	p := &pieces{}
	for chunk := range slices.Chunk([]byte(message), step) {
		p.all = append(p.all, string(chunk))
	}
	if p.all == nil {
		p.all = []string{""}
	}
	return p
}

// inflate reads a message, size bytes at a time.
func inflate(c *Codec, from Source, size int) (string, error) {
	return inflateUpTo(c, from, size, 1<<30)
}

func inflateUpTo(c *Codec, from Source, size, most int) (string, error) {
	c.Begin(from)
	defer c.End()
	var out []byte
	for b := make([]byte, size); len(out) < most; {
		n, last, err := c.Read(b)
		out = append(out, b[:n]...)
		if last || err != nil {
			return string(out), err
		}
	}
	return string(out), nil
}

// The messages of RFC 7692, 7.2.3, and others that are just as right.
func TestVectors(t *testing.T) {
	const hello = "\xf2\x48\xcd\xc9\xc9\x07\x00"
	for _, tc := range []struct {
		name     string
		messages []string
		want     string // of all messages, by spaces
	}{
		{"one block", []string{hello}, "Hello"},
		{"takeover", []string{hello, "\xf2\x00\x11\x00\x00"}, "Hello Hello"},
		{"takeover over an empty message", []string{hello, "\x00", "\xf2\x00\x11\x00\x00"}, "Hello  Hello"},
		{"stored", []string{"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"}, "Hello"},
		{"BFINAL", []string{"\xf3\x48\xcd\xc9\xc9\x07\x00\x00"}, "Hello"},
		{"BFINAL, then more", []string{"\xf3\x48\xcd\xc9\xc9\x07\x00" + hello}, "HelloHello"},
		{"takeover over BFINAL", []string{"\xf3\x48\xcd\xc9\xc9\x07\x00\x00", "\xf2\x00\x11\x00\x00"}, "Hello Hello"},
		{"two blocks", []string{"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"}, "Hello"},
		{"empty", []string{"\x00"}, ""},
		{"empty, as the RFC has it not", []string{"", hello, "", "\xf2\x00\x11\x00\x00"}, " Hello  Hello"},
	} {
		for step := 1; step < 10; step++ {
			c := new(Pool).Codec(Params{})
			var got []string
			for _, m := range tc.messages {
				text, err := inflate(c, cut(m, step), step)
				if err != nil {
					t.Errorf("%s, step %d: %v", tc.name, step, err)
				}
				got = append(got, text)
			}
			if text := strings.Join(got, " "); text != tc.want {
				t.Errorf("%s, step %d: %q, want %q", tc.name, step, text, tc.want)
			}
		}
	}
}

func TestCorrupt(t *testing.T) {
	const hello = "\xf2\x48\xcd\xc9\xc9\x07\x00"
	for name, message := range map[string]string{
		"reserved block":              "\x06",
		"cut":                         hello[:4],
		"stored and cut":              "\x00\x05\x00\xfa\xffHel",
		"stored, lengths disagree":    "\x00\x05\x00\x00\x00Hello\x00",
		"looks back before the first": "\xf2\x00\x11\x00\x00",
		"BFINAL and nothing behind":   "\xf3\x48\xcd\xc9\xc9\x07\x00",
		"whole, then rubbish":         hello + "\xff",
		"text":                        "Hello, hello, hello",
		"its tail was left in":        hello + "\x00\x00\xff\xff",
	} {
		for _, step := range []int{1, 100} {
			if got, err := inflate(new(Pool).Codec(Params{}), cut(message, step), 100); !errors.Is(err, ErrCorrupt) {
				t.Errorf("%s: %q, %v, want ErrCorrupt", name, got, err)
			}
		}
	}
	// Without takeover nothing before a message is known.
	c := new(Pool).Codec(Params{ClientNoTakeover: true})
	inflate(c, cut(hello, 7), 100)
	if got, err := inflate(c, cut("\xf2\x00\x11\x00\x00", 5), 100); !errors.Is(err, ErrCorrupt) {
		t.Errorf("%q, %v, want ErrCorrupt", got, err)
	}
}

// What one connection has said is nowhere in what another is told: an inflater is
// lent to both. These tables have no codes, and must not borrow the last ones.
func TestNothingIsLeftBehind(t *testing.T) {
	const codes, noCodes = "$0\x80\x0000", "$ \x00\x00400\x1a\x1a\x1a\x1a\x1a0"
	pool := &Pool{}
	for range 10 { // a pool may lose what it is given
		inflate(pool.Codec(Params{}), cut(codes, 100), 100)
		if got, err := inflate(pool.Codec(Params{}), cut(noCodes, 100), 100); got != "" || !errors.Is(err, ErrCorrupt) {
			t.Fatalf("%q, %v", got, err)
		}
	}
}

// What keeps the next piece from coming is told as it is, at any byte, and what
// came before it is not lost.
func TestSourceFails(t *testing.T) {
	gone := errors.New("the client is gone")
	const hello = "\xf2\x48\xcd\xc9\xc9\x07\x00"
	for n := range hello {
		for _, gone := range []error{gone, io.EOF, io.ErrUnexpectedEOF} {
			c := new(Pool).Codec(Params{})
			if _, err := inflate(c, &pieces{[]string{hello[:n]}, gone}, 10); err != gone {
				t.Errorf("after %d bytes: %v", n, err)
			}
		}
	}
	// A part that was flushed is there before the rest has come.
	c := new(Pool).Codec(Params{})
	if got, _ := inflate(c, &pieces{[]string{hello + "\x00\x00\xff\xff"}, gone}, 10); got != "Hello" {
		t.Errorf("%q, want Hello", got)
	}
}

// samples are messages of every size around the edges.
func samples() (all []string) {
	r := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 1<<18)
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	text := strings.Repeat("all the world's a stage, and all the men and women merely players; ", 1<<14)
	for _, n := range []int{0, 1, 127, 128, 129, 255, 257, 4095, 8191, 8193, 32767, 32768, 32769, 65535, 65536, 100_000} {
		all = append(all, text[n:2*n], string(noise[:n]), text[:n/2]+string(noise[:n-n/2]))
	}
	return append(all, text[:1<<18], string(noise), strings.Repeat("\x00", 1<<18), text[:300])
}

func everyParams() (all []Params) {
	for _, bits := range []int{8, 9, 12, 15} {
		for takeovers := range 4 {
			all = append(all, Params{takeovers&1 != 0, takeovers&2 != 0, bits, 23 - bits})
		}
	}
	return append(all, Params{})
}

// What we compress, the standard library inflates, knowing no more of the past
// than was agreed on; what it compresses, we do.
func TestAgainstStandardLibrary(t *testing.T) {
	messages := samples()
	for _, p := range everyParams() {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			c := new(Pool).Codec(p)
			ref := newReference(p)
			for i, m := range messages {
				if packed, ok := c.Append([]byte("head"), []byte(m)); ok {
					if len(packed)-4 >= len(m) || string(packed[:4]) != "head" {
						t.Errorf("message %d: %d bytes became %d behind %q", i, len(m), len(packed)-4, packed[:4])
					}
					if got := ref.inflate(t, packed[4:]); got != m {
						t.Fatalf("message %d of %d bytes: the reference has %d other bytes", i, len(m), len(got))
					}
				}
				if got, err := inflate(c, cut(ref.deflate(t, m), 1+i*97), 1+i*1009); err != nil || got != m {
					t.Fatalf("message %d of %d bytes: we have %d other bytes: %v", i, len(m), len(got), err)
				}
			}
		})
	}
}

// reference is the other end, made of the standard library's parts. Its window
// is 32 KiB, which nothing of ours may need more of.
type reference struct {
	p        Params
	received []byte
	w        *flate.Writer
	out      bytes.Buffer
}

func newReference(p Params) *reference {
	r := &reference{p: p}
	r.w, _ = flate.NewWriter(&r.out, flate.DefaultCompression)
	return r
}

func (r *reference) inflate(t *testing.T, packed []byte) string {
	out, err := io.ReadAll(flate.NewReaderDict(io.MultiReader(bytes.NewReader(packed), strings.NewReader(tail)), r.received))
	if err != nil {
		t.Fatal(err)
	}
	if !r.p.ServerNoTakeover {
		r.received = append(r.received, out...)
		r.received = r.received[max(0, len(r.received)-1<<bitsOf(r.p.ServerBits)):]
	}
	return string(out)
}

// deflate takes over only if its window may be as large as it is.
func (r *reference) deflate(t *testing.T, m string) string {
	r.out.Reset()
	if r.p.ClientNoTakeover || bitsOf(r.p.ClientBits) < maxBits {
		r.w.Reset(&r.out)
	}
	io.WriteString(r.w, m)
	r.w.Flush()
	return strings.TrimSuffix(r.out.String(), "\x00\x00\xff\xff")
}

// A repetition farther away than the window is not seen; a nearer one is, over
// messages too where the context is taken over.
func TestWindow(t *testing.T) {
	for bits := 8; bits <= 15; bits++ {
		far, near := hexNoise(1<<bits+300), hexNoise(1<<(bits-1))
		size := func(m string) float64 {
			packed, ok := new(Pool).Codec(Params{ServerBits: bits}).Append(nil, []byte(m))
			if !ok {
				return 1
			}
			return float64(len(packed)) / float64(len(m))
		}
		if ratio := size(far + far); ratio < 0.45 {
			t.Errorf("%d bits: %.2f: looked back too far", bits, ratio)
		}
		if ratio := size(near + near); ratio > 0.45 {
			t.Errorf("%d bits: %.2f: did not look back", bits, ratio)
		}
	}
	m := []byte(hexNoise(3000) + hexNoise(1000))
	for _, noTakeover := range []bool{false, true} {
		c := new(Pool).Codec(Params{ServerNoTakeover: noTakeover})
		_, first := c.Append(nil, m)
		again, ok := c.Append(nil, m)
		if takesOver := len(again) < 200; !first || !ok || takesOver == noTakeover {
			t.Errorf("no takeover %t: the second time it is %d bytes (%t, %t)", noTakeover, len(again), first, ok)
		}
	}
}

func hexNoise(n int) string {
	r := rand.New(rand.NewPCG(3, 4))
	var b strings.Builder
	for b.Len() < n {
		fmt.Fprintf(&b, "%016x", r.Uint64())
	}
	return b.String()[:n]
}

// Noise is looked at less and less; text after it is compressed again.
func TestNoGain(t *testing.T) {
	c := new(Pool).Codec(Params{})
	noise := []byte(samples()[22])
	for range 1000 {
		if _, ok := c.Append(nil, noise); ok {
			t.Fatal("noise became smaller")
		}
	}
	text := []byte(strings.Repeat("a rose is a rose ", 100))
	for left := 0; ; left++ {
		if left > 1<<maxRestBits {
			t.Fatal("text is never looked at again")
		}
		if _, ok := c.Append(nil, text); ok {
			break
		}
	}
	if _, ok := c.Append(nil, text); !ok {
		t.Error("the text after it was left alone")
	}
}
