package bridge

import (
	"bytes"
	"slices"
	"testing"

	"github.com/gobwas/ws"
)

// takeAll gives u what wire holds, cut at every n bytes, and gathers the rest.
func takeAll(u unframer, wire []byte, n int) (payload []byte, last unframed, pings []string) {
	for len(wire) > 0 && last.err == nil && !last.closed {
		piece := bytes.Clone(wire[:min(n, len(wire))])
		wire = wire[len(piece):]
		last = u.take(piece)
		for ping := range last.pongs.Payloads() {
			pings = append(pings, string(ping))
		}
		payload = append(payload, last.payload...)
	}
	if last.err == nil && !last.closed {
		last = u.end()
		payload = append(payload, last.payload...)
	}
	return payload, last, pings
}

// All pings of a piece are answered together, by one write of whoever sends.
func TestPongsOfAPiece(t *testing.T) {
	u := newUnframer(binaryMode, new(buffers))
	out := u.take([]byte(masked(ws.OpPing, true, "a") + masked(ws.OpBinary, true, "-") + masked(ws.OpPing, true, "b")))
	if got := string(out.pongs.Frames()); got != "\x8a\x01a\x8a\x01b" || string(out.payload) != "-" {
		t.Errorf("answered by %q, payload %q", got, out.payload)
	}
}

// What a client sent means the same however it is cut.
func FuzzUnframe(f *testing.F) {
	f.Add([]byte(masked(ws.OpBinary, true, "hello")+masked(ws.OpPing, true, "p")+masked(ws.OpText, false, "wo")+masked(ws.OpContinuation, true, "rld")), uint8(binaryMode), uint8(3))
	f.Add([]byte(masked(ws.OpText, true, "aGVsbG8=")+masked(ws.OpClose, true, closeBody(1000, "bye"))), uint8(base64Mode), uint8(1))
	f.Add([]byte(masked(ws.OpText, true, "aGVs!")+"\x82\x01x"), uint8(base64Mode), uint8(2))
	f.Add([]byte(masked(ws.OpText, true, "aGVsbA")+masked(ws.OpClose, true, "")), uint8(base64Mode), uint8(5))
	f.Add([]byte("\x00aGVsb\xff\x80\x02ab\x00G8=\xff\xff\x00"), uint8(hixie76Mode), uint8(4))
	f.Add([]byte("\x00aGVsbA\xff\xff\x00"), uint8(hixie75Mode), uint8(1))
	f.Fuzz(func(t *testing.T, wire []byte, kind, step uint8) {
		if len(wire) > bufferSize/2 {
			return
		}
		m := mode(kind) % (hixie76Mode + 1)
		whole, wholeLast, wholePings := takeAll(newUnframer(m, new(buffers)), wire, len(wire))
		cut, cutLast, cutPings := takeAll(newUnframer(m, new(buffers)), wire, 1+int(step))
		// How much comes before broken base64 depends on the cuts.
		n := min(len(whole), len(cut))
		if !bytes.Equal(whole[:n], cut[:n]) || wholeLast.err == nil && len(whole) != len(cut) {
			t.Errorf("payload %q in one piece, %q in several", whole, cut)
		}
		if (wholeLast.err == nil) != (cutLast.err == nil) {
			t.Fatalf("%v in one piece, %v in several", wholeLast.err, cutLast.err)
		}
		if wholeLast.err != nil {
			return
		}
		if wholeLast.closed != cutLast.closed || wholeLast.code != cutLast.code {
			t.Errorf("closed: %v %d in one piece, %v %d in several", wholeLast.closed, wholeLast.code, cutLast.closed, cutLast.code)
		}
		if !slices.Equal(wholePings, cutPings) {
			t.Errorf("%q pings in one piece, %q in several", wholePings, cutPings)
		}
	})
}
