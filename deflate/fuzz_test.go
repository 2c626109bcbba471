package deflate

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"strings"
	"testing"
)

// FuzzRoundTrip: every message comes back, over takeover, by the standard
// library too.
func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte("hello hello hello"), uint8(15), uint8(1), false)
	f.Add(bytes.Repeat([]byte("ab"), 3000), uint8(8), uint8(7), true)
	pool := &Pool{}
	f.Fuzz(func(t *testing.T, data []byte, bits, step uint8, noTakeover bool) {
		p := Params{ServerNoTakeover: noTakeover, ServerBits: 8 + int(bits)%8}
		mirror := Params{ClientNoTakeover: noTakeover, ClientBits: p.ServerBits}
		c, other, ref := pool.Codec(p), pool.Codec(mirror), newReference(p)
		for _, m := range [][]byte{data, data[len(data)/2:], bytes.Repeat(data, 3), data} {
			packed, ok := c.Append(nil, m)
			if !ok {
				continue
			}
			if got := ref.inflate(t, packed); got != string(m) {
				t.Fatalf("%d bytes became others for the reference", len(m))
			}
			if got, err := inflate(other, cut(string(packed), 1+int(step)), 100); err != nil || got != string(m) {
				t.Fatalf("%d bytes became %d: %v", len(m), len(got), err)
			}
		}
	})
}

// FuzzInflate: whatever comes, we and the standard library agree on it.
func FuzzInflate(f *testing.F) {
	for _, seed := range []string{"\xf2\x48\xcd\xc9\xc9\x07\x00", "\x00", "\x00\x05\x00\xfa\xffHello\x00", "\xf3\x48\xcd\xc9\xc9\x07\x00\x00", "\x05\xc0", ""} {
		f.Add([]byte(seed), uint8(3))
	}
	pool := &Pool{}
	f.Fuzz(func(t *testing.T, message []byte, step uint8) {
		const most = 1 << 20
		got, err := inflateUpTo(pool.Codec(Params{}), cut(string(message), 1+int(step)), 100+int(step), most)
		if len(message) == 0 || len(got) >= most {
			return
		}
		in := bytes.NewReader([]byte(string(message) + tail))
		want, refErr := io.ReadAll(flate.NewReader(in))
		if in.Len() > 0 && refErr == nil {
			return // a block with BFINAL
		}
		if got != string(want) || (err == nil) != (refErr == nil) {
			t.Errorf("%d bytes, %v; the standard library: %d bytes, %v", len(got), err, len(want), refErr)
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	text := []byte(strings.Repeat("all the world's a stage, and all the men and women merely players; ", 1000))
	for _, size := range []int{MinBytes, 1024, 16 << 10, 64 << 10} {
		for _, p := range []Params{{}, {ServerNoTakeover: true}} {
			b.Run(fmt.Sprintf("%d %s", size, p), func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(size))
				c, out := new(Pool).Codec(p), make([]byte, 0, 64<<10)
				for b.Loop() {
					c.Append(out, text[:size])
				}
			})
		}
	}
}

func BenchmarkInflate(b *testing.B) {
	text := strings.Repeat("all the world's a stage, and all the men and women merely players; ", 1000)[:64<<10]
	packed := newReference(Params{ClientNoTakeover: true})
	var out bytes.Buffer
	packed.w.Reset(&out)
	io.WriteString(packed.w, text)
	packed.w.Flush()
	message := &pieces{}
	c, room := new(Pool).Codec(Params{}), make([]byte, 64<<10)
	b.ReportAllocs()
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		message.all = append(message.all[:0], out.String()[:out.Len()-4])
		c.Begin(message)
		for {
			if _, last, err := c.Read(room); last || err != nil {
				break
			}
		}
		c.End()
	}
}
