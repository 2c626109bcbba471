package hub

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wsbridge/wsbridge/message"
)

func FuzzEnvelope(f *testing.F) {
	f.Add([]byte{})
	f.Add(envelope{sequence: 7, groups: []string{"a", ""}, message: text("hello")}.append(nil))
	f.Add(envelope{message: message.Message{Data: []byte{0xff}}}.append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := parseEnvelope(b)
		if err != nil {
			return
		}
		wire := e.append(nil)
		if len(wire) > e.size() {
			t.Errorf("%d bytes, and the size is %d", len(wire), e.size())
		}
		again, err := parseEnvelope(wire)
		if diff := cmp.Diff(e, again, cmp.AllowUnexported(envelope{})); diff != "" || err != nil {
			t.Errorf("%v\n%s", err, diff)
		}
	})
}

func TestEnvelopesThatAreNone(t *testing.T) {
	good := envelope{groups: []string{"group"}, message: text("é")}.append(nil)
	for name, b := range map[string][]byte{
		"cut in the key":   good[:len(good)-4],
		"cut in the head":  good[:20],
		"another version":  append([]byte{2}, good[1:]...),
		"text not UTF-8":   good[:len(good)-1],
		"too many groups":  append(append([]byte{}, good[:26]...), 0xff, 0xff, 0x01),
		"a key too long":   append(append([]byte{}, good[:26]...), 1, 0xff, 0xff, 0x01, 'x'),
		"a number too big": append(append([]byte{}, good[:26]...), []byte(strings.Repeat("\xff", 11))...),
	} {
		if e, err := parseEnvelope(b); err == nil {
			t.Errorf("%s: %+v", name, e)
		}
	}
	if _, err := parseEnvelope(good); err != nil {
		t.Error(err)
	}
}

// TestWindow holds the window against a set, for numbers that come a little
// out of order, with gaps, and again.
func TestWindow(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var w window
	came, highest := map[uint64]bool{}, uint64(0)
	for base := uint64(1); base < 50_000; base += uint64(random.IntN(3)) {
		n := base + uint64(random.IntN(windowSize/2))
		if random.IntN(1000) == 0 {
			base += 2 * windowSize
		}
		old := highest >= windowSize && n <= highest-windowSize
		if got, want := w.first(n), !came[n] && !old; got != want {
			t.Fatalf("%d with %d the highest: %v, want %v", n, highest, got, want)
		}
		came[n], highest = true, max(highest, n)
	}
}

func TestWindowsAreBounded(t *testing.T) {
	var ws windows
	for i := range 3 * maxOrigins {
		id := nodeID{byte(i), byte(i >> 8), 1}
		if !ws.first(id, 5) || ws.first(id, 5) {
			t.Fatalf("origin %d", i)
		}
		if !ws.first(nodeID{}, uint64(i+1)) || ws.first(nodeID{}, uint64(i+1)) {
			t.Fatalf("the one that goes on, at %d", i)
		}
	}
	if got := len(ws.of) + len(ws.older); got > maxOrigins {
		t.Errorf("%d are remembered", got)
	}
}
