//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestStreamsDoNotDependOnCuts: whoever takes a stream in whatever pieces has the
// same bytes, and text is never cut inside a rune by whole.
func TestStreamsDoNotDependOnCuts(t *testing.T) {
	for _, runes := range []*alphabet{nil, newAlphabet()} {
		for _, n := range []int64{0, 1, 3, 5, block - 1, block, 3*block + 7} {
			var all []byte
			for s := newStream(7, runes, n); !s.over(); {
				all = append(all, s.take(1000)...)
			}
			if int64(len(all)) != n {
				t.Fatalf("%d bytes of %d", len(all), n)
			}
			if runes != nil && !utf8.Valid(all) {
				t.Fatalf("text of %d bytes is not UTF-8", n)
			}
			var again []byte
			random := rand.New(rand.NewPCG(1, 2))
			for s := newStream(7, runes, n); !s.over(); {
				p := s.whole(size(random))
				if runes != nil && !utf8.Valid(p) {
					t.Fatalf("cut inside a rune: % x", p)
				}
				again = append(again, p...)
			}
			if !bytes.Equal(all, again) {
				t.Fatalf("other cuts make other bytes, of %d", n)
			}
		}
	}
}

// TestCheckerFindsEveryFault: a byte changed, lost, added or out of place is found
// and its place told, however the bytes arrive.
func TestCheckerFindsEveryFault(t *testing.T) {
	const n, at = 200_000, 150_001
	whole := newStream(3, nil, n)
	var good []byte
	for !whole.over() {
		good = append(good, whole.take(block/2)...)
	}
	flipped, swapped := slices.Clone(good), slices.Clone(good)
	flipped[at] ^= 1
	swapped[at], swapped[at+1] = swapped[at+1], swapped[at]
	for name, tt := range map[string]struct {
		arrives []byte
		want    string
	}{
		"nothing wrong": {good, ""},
		"flipped":       {flipped, "first difference is at byte 150001:"},
		"swapped":       {swapped, "first difference is at byte 150001:"},
		"lost":          {slices.Delete(slices.Clone(good), at, at+1), "first difference is at byte 150001:"},
		"added":         {slices.Insert(slices.Clone(good), at, good[at]^1), "first difference is at byte 150001:"},
		"twice":         {append(slices.Clone(good), good[n-5:]...), "bytes more than the 200000"},
		"cut off":       {good[:n-1], "all after byte 199999 is missing"},
	} {
		for _, piece := range []int{1, 1000, n + 10} {
			if got := arrive(tt.arrives, newChecker(newStream(3, nil, n)), piece); !speaksOf(got, tt.want) {
				t.Errorf("%s, in pieces of %d: %v, want %q", name, piece, got, tt.want)
			}
		}
	}
}

// arrive gives c all bytes, and then their sum.
func arrive(all []byte, c *checker, piece int) error {
	for p := range slices.Chunk(all, piece) {
		if err := c.take(p); err != nil {
			return err
		}
	}
	sum := sha256.Sum256(all)
	return c.finish(sum[:])
}

func speaksOf(err error, want string) bool {
	return err == nil && want == "" || err != nil && want != "" && strings.Contains(err.Error(), want)
}

// TestAnotherSumIsFound: bytes that are right and a sum that is not are a fault too.
func TestAnotherSumIsFound(t *testing.T) {
	if err := newChecker(newStream(1, nil, 0)).finish([]byte("another")); err == nil {
		t.Error("not found")
	}
}

// TestFrames: what is written is read again; what breaks a rule of the RFC is named.
func TestFrames(t *testing.T) {
	key := [4]byte{1, 2, 3, 4}
	for _, n := range edges {
		f := frame{true, opBinary, bytes.Repeat([]byte{9}, n), false}
		for _, masked := range []bool{false, true} {
			var k *[4]byte
			if masked {
				k = &key
			}
			got, err := reader(appendFrame(nil, f, k), masked).next()
			if err != nil || got.op != f.op || !got.fin || !bytes.Equal(got.payload, f.payload) {
				t.Errorf("%d bytes, masked %t: %d bytes of kind %d, %v", n, masked, len(got.payload), got.op, err)
			}
		}
	}
	for wire, want := range map[string]string{
		"\xc2\x00":                 "a reserved bit",
		"\x82\x80\x00\x00\x00\x00": "masked by the wrong side",
		"\x82\x7e\x00\x05":         "longer than it need be",
		"\x82\x7f" + strings.Repeat("\x00", 6) + "\xff\xff": "longer than it need be",
		"\x83\x00":         "an unknown kind",
		"\x8b\x00":         "an unknown kind",
		"\x09\x00":         "a control frame in pieces",
		"\x89\x7e\x00\x7e": "a control frame in pieces, or too long",
		"\x80\x00":         "a continuation out of place",
		"\x02\x00\x82\x00": "a continuation out of place",
		"\x82\x7f\x7f" + strings.Repeat("\xff", 7): "too long",
		"\x82\x05four": "unexpected EOF",
	} {
		r := reader([]byte(wire), false)
		_, err := r.next()
		if err == nil {
			_, err = r.next()
		}
		if !speaksOf(err, want) {
			t.Errorf("% x: %v, want %q", wire, err, want)
		}
	}
}

func reader(wire []byte, masked bool) *frameReader {
	return &frameReader{r: bufio.NewReader(bytes.NewReader(wire)), masked: masked}
}

// TestOnlyAskedPongs: a pong answers its ping and those before it, once.
func TestOnlyAskedPongs(t *testing.T) {
	p, random := new(pings), rand.New(rand.NewPCG(1, 2))
	asked := [][]byte{p.ask(random), p.ask(random), p.ask(random)}
	if err := p.answered(asked[1]); err != nil || p.open() != 1 {
		t.Errorf("%v, %d open", err, p.open())
	}
	if err := p.answered(asked[0]); err == nil {
		t.Error("an old one was taken")
	}
}

// saboteur is a listener whose nth connection has a byte changed on its way in.
type saboteur struct {
	net.Listener
	at int64 // which byte; -1: none
}

func (s saboteur) Accept() (net.Conn, error) {
	c, err := s.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &sabotaged{Conn: c, at: s.at}, nil
}

type sabotaged struct {
	net.Conn
	at int64
}

func (c *sabotaged) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.at >= 0 && c.at < int64(n) {
		p[c.at] ^= 0x20
	}
	c.at -= int64(n)
	return n, err
}

// TestSessions: with nobody between client and target all sessions are right; with
// one byte changed on the way none is.
func TestSessions(t *testing.T) {
	for name, tt := range map[string]struct {
		at    int64
		fails bool
	}{"untouched": {-1, false}, "a byte of a payload": {60_000, true}} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			r := &rig{row: row{way: ways[0], landing: toServer}, runes: newAlphabet(), done: new(atomic.Int64),
				bridge: &bridge{address: l.Addr().String()}}
			go r.serve(saboteur{l, tt.at})
			for id := range 3 {
				one := newTalk(id, uint64(id), 1)
				one.toTarget, one.toClient = 300_000, 200_000
				r.talks = append(r.talks, one)
			}
			for _, one := range r.talks {
				if err := r.session(t.Context(), one); (err != nil) != tt.fails {
					t.Errorf("%v: %v", one, err)
				}
			}
		})
	}
}

// TestTalksFollowFromTheSeed: the same seed has the same sessions, of about as many
// bytes as were asked for.
func TestTalksFollowFromTheSeed(t *testing.T) {
	for _, bytes := range []int64{1, 1000, 5e6, 250e6} {
		var total int64
		again := talks(9, bytes)
		for i, one := range talks(9, bytes) {
			total += one.toTarget + one.toClient
			if one.String() != again[i].String() || one.seed != again[i].seed {
				t.Fatalf("%v is %v the next time", one, again[i])
			}
		}
		if total > bytes*3/2+1 || bytes > 1e6 && total < bytes*9/10 {
			t.Errorf("%d bytes, not %d", total, bytes)
		}
	}
}

// TestCommandLine: what cannot be meant is refused before anything is built.
func TestCommandLine(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, args := range []string{"-bytes 0", "-bytes 1T", "-bytes 99999999G", "-rows (", "-sessions 0", "left over"} {
		if code := run(ctx, strings.Fields(args), io.Discard, io.Discard); code != 2 {
			t.Errorf("%s: %d", args, code)
		}
	}
	var a amount
	if err := a.Set("10G"); err != nil || a != 10e9 {
		t.Errorf("10G: %d, %v", a, err)
	}
	if code := run(ctx, []string{"-rows", "no such row", "-wsbridge", "/bin/true"}, io.Discard, io.Discard); code != 1 {
		t.Errorf("no row: %d", code)
	}
}

// TestABridgeThatDoesNotStart: it is told, with what it said, and the command that
// does the same again.
func TestABridgeThatDoesNotStart(t *testing.T) {
	var out strings.Builder
	if code := run(t.Context(), []string{"-seed", "3", "-rows", "^plain hub$", "-wsbridge", "/bin/false"}, &out, io.Discard); code != 1 {
		t.Errorf("exit code %d", code)
	}
	for _, part := range []string{"FAILED", "wsbridge does not start", "go run ./soak -seed 3 ", "'^plain hub$'"} {
		if !strings.Contains(out.String(), part) {
			t.Errorf("%q is missing in:\n%s", part, &out)
		}
	}
}
