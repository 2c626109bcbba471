package message_test

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/wsbridge/wsbridge/deflate"
	"github.com/wsbridge/wsbridge/frame"
	"github.com/wsbridge/wsbridge/message"
)

// squeezed is a compressed message's payload, by the standard library.
func squeezed(data string) string {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.BestCompression)
	io.WriteString(w, data)
	w.Flush()
	return strings.TrimSuffix(b.String(), "\x00\x00\xff\xff")
}

// marked is a client's frame that begins a compressed message.
func marked(op ws.OpCode, fin bool, payload string) []byte {
	f := client(op, fin, payload)
	f[0] |= 0x40
	return f
}

// hearCompressed is hear, where permessage-deflate was negotiated.
func hearCompressed(sent []byte, most int) (heard []string, err error) {
	far, near := net.Pipe()
	var done sync.WaitGroup
	done.Go(func() { io.Copy(io.Discard, far) })
	done.Go(func() { far.Write(sent); far.Close() })
	defer done.Wait()
	c := message.New(near, message.Options{MaxBytes: most, Deflate: new(deflate.Pool).Codec(deflate.Params{})})
	defer c.Finish(time.Now())
	for {
		m, err := c.Read()
		if err != nil {
			return heard, err
		}
		heard = append(heard, string(m.Data))
	}
}

// TestReadCompressed is what a client sends that may compress.
func TestReadCompressed(t *testing.T) {
	hello, text := squeezed("Hello"), strings.Repeat("to be or not to be ", 100)
	long := squeezed(text)
	for name, c := range map[string]struct {
		frames [][]byte
		want   string // messages, then the error
	}{
		"whole":                  {[][]byte{marked(ws.OpText, true, hello)}, "Hello; EOF"},
		"takeover":               {[][]byte{marked(ws.OpText, true, hello), marked(ws.OpText, true, "\xf2\x00\x11\x00\x00")}, "Hello; Hello; EOF"},
		"one as it is between":   {[][]byte{marked(ws.OpText, true, hello), client(ws.OpText, true, "plain"), marked(ws.OpText, true, "\xf2\x00\x11\x00\x00")}, "Hello; plain; Hello; EOF"},
		"fragments and controls": {[][]byte{marked(ws.OpText, false, long[:3]), client(ws.OpPing, true, "?"), client(ws.OpContinuation, false, ""), client(ws.OpPong, true, ""), client(ws.OpContinuation, true, long[3:])}, text + "; EOF"},
		"empty":                  {[][]byte{marked(ws.OpText, true, "\x00"), marked(ws.OpBinary, true, "\x00")}, "; ; EOF"},
		"empty, of no bytes":     {[][]byte{marked(ws.OpText, true, ""), marked(ws.OpText, true, hello)}, "; Hello; EOF"},
		"a Close inside":         {[][]byte{marked(ws.OpText, false, long[:9]), client(ws.OpClose, true, "\x03\xe8")}, "closed with 1000"},
		"cut":                    {[][]byte{marked(ws.OpText, false, long[:9])}, "EOF"},
		"corrupt":                {[][]byte{marked(ws.OpText, true, hello), marked(ws.OpText, true, "rubbish")}, "Hello; 1007 compressed message is corrupt"},
		"incomplete":             {[][]byte{marked(ws.OpBinary, true, long[:9])}, "1007 compressed message is corrupt"},
		"not UTF-8":              {[][]byte{marked(ws.OpBinary, true, squeezed("\xff")), marked(ws.OpText, true, squeezed("\xff"))}, "\xff; 1007 text is not valid UTF-8"},
		"marked twice":           {[][]byte{marked(ws.OpText, false, long[:3]), marked(ws.OpContinuation, true, long[3:])}, "1002 non-zero rsv"},
		"a marked ping":          {[][]byte{marked(ws.OpText, false, long[:3]), marked(ws.OpPing, true, "")}, "1002 non-zero rsv"},
		"as large as may be":     {[][]byte{marked(ws.OpText, true, squeezed(strings.Repeat("a", 4000)))}, strings.Repeat("a", 4000) + "; EOF"},
		"too large":              {[][]byte{marked(ws.OpText, true, squeezed(strings.Repeat("a", 4001)))}, "1009 message is larger than 4000 bytes"},
		"of many empty blocks":   {[][]byte{marked(ws.OpText, true, strings.Repeat("\x00\x00\x00\xff\xff", 20<<10)+"\x00")}, "1009 message is larger than 4000 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			heard, err := hearCompressed(bytes.Join(c.frames, nil), 4000)
			end := err.Error()
			if breach, ok := err.(*frame.Error); ok {
				end = fmt.Sprint(int(breach.Code), " ", breach.Reason)
			}
			if got := strings.Join(append(heard, end), "; "); !strings.HasPrefix(got, c.want) {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// TestMarkedWithoutNegotiation: who did not negotiate may not compress.
func TestMarkedWithoutNegotiation(t *testing.T) {
	if got := hear(t, marked(ws.OpText, true, squeezed("Hello")), 100, 8); !strings.HasPrefix(got, "1002") {
		t.Errorf("%q", got)
	}
}

// TestBombs are known by their first byte too many: neither what they would
// become nor what they say they are is ever allocated.
func TestBombs(t *testing.T) {
	small := squeezed(strings.Repeat("\x00", 1<<20)) // a thousand bytes
	huge := binary.BigEndian.AppendUint64([]byte{0xc2, 0xff}, 10<<30)
	huge = append(append(huge, 0, 0, 0, 0), squeezed(strings.Repeat("\x00", 64<<20))...)
	for name, sent := range map[string][]byte{
		"a megabyte of zeros":     marked(ws.OpBinary, true, small),
		"10 GB, as its head says": huge,
	} {
		t.Run(name, func(t *testing.T) {
			before := allocated()
			_, err := hearCompressed(sent, 64<<10)
			if code, reason := message.CloseCode(err); code != ws.StatusMessageTooBig {
				t.Errorf("%d %s", code, reason)
			}
			if took := allocated() - before; took > 1<<20 {
				t.Errorf("%d bytes were allocated", took)
			}
		})
	}
}

func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// TestWriteCompressed: a client that knows the bytes of RFC 7692 reads what we
// write, compressed or not, also when many write at a time and when frames made
// for many go between.
func TestWriteCompressed(t *testing.T) {
	far, near := net.Pipe()
	c := message.New(near, message.Options{Deflate: new(deflate.Pool).Codec(deflate.Params{})})
	want := map[string]int{}
	var writers sync.WaitGroup
	for i := range 8 {
		var mine []string
		for j := range 20 {
			mine = append(mine, strings.Repeat(fmt.Sprintf("writer %d says %d; ", i%3, j), j*j))
			want[mine[j]]++
		}
		writers.Go(func() {
			for j, text := range mine {
				if j%5 == 4 {
					c.WriteFrames(message.Frame(nil, message.Message{Text: true, Data: []byte(text)}), 1, len(text))
					continue
				}
				c.Write(message.Message{Text: true, Data: []byte(text)})
				c.Ping([]byte(text))
			}
		})
	}
	var closing sync.WaitGroup
	closing.Go(func() {
		writers.Wait()
		c.Close(1000, "")
		c.Cut()
	})
	got, compressed := readCompressed(t, far)
	closing.Wait()
	for text, n := range want {
		if got[text] != n {
			t.Errorf("%d times came %q, want %d", got[text], text, n)
		}
	}
	if compressed < 80 {
		t.Errorf("%d messages were compressed", compressed)
	}
	if stats := c.Stats(); stats.Messages != 160 {
		t.Errorf("%+v", stats)
	}
}

// readCompressed counts what a server says until its Close.
func readCompressed(t *testing.T, conn net.Conn) (got map[string]int, compressed int) {
	got = map[string]int{}
	in := new(deflate.Pool).Codec(deflate.Params{})
	for {
		h, err := ws.ReadHeader(conn)
		if err != nil {
			t.Fatal(err)
		}
		p := make([]byte, h.Length)
		io.ReadFull(conn, p)
		switch {
		case h.OpCode == ws.OpClose:
			return got, compressed
		case h.OpCode.IsControl():
			if h.Rsv != 0 {
				t.Errorf("a control frame is marked: %+v", h)
			}
			continue
		case h.Rsv1():
			compressed++
			p = inflated(t, in, p)
		}
		got[string(p)]++
	}
}

func inflated(t *testing.T, in *deflate.Codec, packed []byte) (out []byte) {
	in.Begin(&onePiece{packed})
	defer in.End()
	for b := make([]byte, 4096); ; {
		n, last, err := in.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		if out = append(out, b[:n]...); last {
			return out
		}
	}
}

type onePiece struct{ p []byte }

func (o *onePiece) Piece() ([]byte, bool, error) { return o.p, true, nil }
