package deflate

import (
	"bytes"
	"compress/flate"
	"io"
	"runtime"
	"strings"
	"testing"
)

// A bomb goes off in the reader's hands only: it takes no more memory than any
// message, however much comes out.
func TestBomb(t *testing.T) {
	const zeros = 64 << 20
	var bomb bytes.Buffer
	w, _ := flate.NewWriter(&bomb, flate.BestCompression)
	io.CopyN(w, zeroes{}, zeros)
	w.Flush()
	c := new(Pool).Codec(Params{})
	message := cut(strings.TrimSuffix(bomb.String(), "\x00\x00\xff\xff"), 4096)
	before := allocated()
	c.Begin(message)
	total, b := 0, make([]byte, 64<<10)
	for {
		n, last, err := c.Read(b)
		if total += n; last {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	c.End()
	if total != zeros {
		t.Errorf("%d bytes came of %d", total, zeros)
	}
	if took := allocated() - before; took > 2<<20 {
		t.Errorf("%d bytes were allocated for a bomb of %d", took, bomb.Len())
	}
}

type zeroes struct{}

func (zeroes) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// allocated is how much was, ever.
func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

func heap() uint64 {
	for range 3 { // what is pooled lives through one
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// A connection that waits holds what docs/compression.md says.
func TestMemory(t *testing.T) {
	const n = 200
	message := strings.Repeat("all the world's a stage ", 4000)
	packed := newReference(Params{}).deflate(t, message)
	for _, tc := range []struct {
		p    Params
		most int
	}{
		{Params{}, 41 << 10},
		{Params{ClientBits: 10, ServerBits: 10}, 3 << 10},
		{Params{ServerNoTakeover: true, ClientNoTakeover: true}, 1 << 10},
	} {
		pool, codecs := &Pool{}, make([]*Codec, n)
		before := heap()
		for i := range codecs {
			codecs[i] = pool.Codec(tc.p)
			codecs[i].Append(nil, []byte(message))
			if _, err := inflate(codecs[i], cut(packed, 4096), 4096); err != nil {
				t.Fatal(err)
			}
		}
		if each := (int(heap()) - int(before)) / n; each > tc.most {
			t.Errorf("%s: %d bytes a connection, want %d at most", tc.p, each, tc.most)
		} else {
			t.Logf("%s: %d bytes a connection", tc.p, each)
		}
		runtime.KeepAlive(codecs)
	}
}

// A connection whose peer has sent half of a message holds an inflater as well.
func TestMemoryInsideAMessage(t *testing.T) {
	const n, most = 100, 60 << 10
	pool, codecs := &Pool{}, make([]*Codec, n)
	before := heap()
	for i := range codecs {
		codecs[i] = pool.Codec(Params{ClientNoTakeover: true})
		codecs[i].Begin(&pieces{[]string{"\xf2\x48\xcd\xc9"}, io.ErrNoProgress})
		codecs[i].Read(make([]byte, 10))
	}
	each := (int(heap()) - int(before)) / n
	if each > most {
		t.Errorf("%d bytes a connection, want %d at most", each, most)
	}
	t.Logf("%d bytes a connection", each)
	for _, c := range codecs {
		c.End()
	}
}
