//go:build linux

package e2e

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// A speech is what one peer says behind a fixed opening handshake, right or wrong.
type speech struct {
	name   string
	frames []piece
}

// A piece is one frame, whatever rule it breaks.
type piece struct {
	first    byte // FIN, the reserved bits and the opcode
	form     int  // bits of the length: 7, 16 or 64; 0: as few as it needs
	stranger bool // masked as only the other side's frames are
	payload  string
}

// lastWords are said behind each speech. Whoever gives them back has taken all.
const lastWords = "and that is all"

// speech is the bytes of a speech and of the last words, which are the rest of
// its message if one is open.
func (s speech) bytes(client bool) []byte {
	open := false
	var b []byte
	for _, p := range s.frames {
		b = p.append(b, client)
		switch op := p.first & 0xf; {
		case op == opText, op == opBinary, op == opContinuation && open:
			open = p.first&final == 0
		}
	}
	last := piece{first: final | opText, payload: lastWords}
	if open {
		last.first = final | opContinuation
	}
	return last.append(b, client)
}

// append appends the frame as RFC 6455, 5.2 has it.
func (p piece) append(b []byte, client bool) []byte {
	mask := byte(0)
	if client != p.stranger {
		mask = 0x80
	}
	switch n := len(p.payload); p.bits() {
	case 7:
		b = append(b, p.first, mask|byte(n))
	case 16:
		b = binary.BigEndian.AppendUint16(append(b, p.first, mask|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, p.first, mask|127), uint64(n))
	}
	if mask == 0 {
		return append(b, p.payload...)
	}
	key := [4]byte{0x37, 0xfa, 0x21, 0x3d}
	b = append(b, key[:]...)
	for i := range len(p.payload) {
		b = append(b, p.payload[i]^key[i&3])
	}
	return b
}

func (p piece) bits() int {
	if p.form > 0 {
		return p.form
	}
	return fewest(len(p.payload))
}

// fewest is how many bits say a length of n.
func fewest(n int) int {
	switch {
	case n < 126:
		return 7
	case n < 1<<16:
		return 16
	}
	return 64
}

// closeBody is a Close frame's.
func closeBody(code int, reason string) string {
	return string(binary.BigEndian.AppendUint16(nil, uint16(code))) + reason
}

// speeches are all of them; more is how many are left to chance.
func speeches(more int) []speech {
	random := rand.New(rand.NewPCG(6455, 7692))
	return slices.Concat(headers(), sequences(), closes(), texts(), chances(random, more))
}

// letters are valid in text and in binary messages of any size.
var letters = strings.Repeat("all the world is a stage, and all the men and women merely players; ", 1000)

// sizes are payloads at the edges of what a header can say, with the bits to say it.
var sizes = []struct{ bytes, form int }{
	{0, 7}, {0, 16}, {0, 64}, {1, 7}, {1, 16}, {1, 64}, {125, 7}, {125, 16}, {125, 64},
	{126, 16}, {126, 64}, {65535, 16}, {65535, 64}, {65536, 64},
}

// headers are single frames: every kind, bit and mask in a short one, and every
// kind in every size.
func headers() (all []speech) {
	add := func(first byte, form, bytes int, stranger bool) {
		p := piece{first, form, stranger, letters[:bytes]}
		if first&0xf == opClose && bytes > 1 {
			p.payload = closeBody(1000, letters[:bytes-2])
		}
		all = append(all, speech{fmt.Sprintf("frame %#02x, masked by the wrong side: %t, %d bytes said in %d bits", first, stranger, bytes, form), []piece{p}})
	}
	for first := range 256 {
		add(byte(first), 0, 2, false)
		add(byte(first), 0, 2, true)
		if first&0x70 == 0 {
			for _, size := range sizes {
				add(byte(first), size.form, size.bytes, false)
			}
		}
	}
	return all
}

// steps are the frames that sequences are made of.
var steps = map[string]piece{
	"text":               {first: final | opText, payload: "t"},
	"start of text":      {first: opText, payload: "s"},
	"start of binary":    {first: opBinary, payload: "b"},
	"continuation":       {first: opContinuation, payload: "c"},
	"end":                {first: final | opContinuation, payload: "e"},
	"ping":               {first: final | opPing, payload: "p"},
	"pong":               {first: final | opPong, payload: "nobody asked"},
	"start of ping":      {first: opPing, payload: "p"},
	"empty continuation": {first: opContinuation},
}

// sequences are all orders of up to three steps.
func sequences() (all []speech) {
	var names []string
	for name := range steps {
		names = append(names, name)
	}
	slices.Sort(names)
	longest := []speech{{name: "sequence"}}
	for range 3 {
		var longer []speech
		for _, t := range longest {
			for _, name := range names {
				longer = append(longer, speech{t.name + ", " + name, append(slices.Clone(t.frames), steps[name])})
			}
		}
		all = append(all, longer...)
		longest = longer
	}
	return all
}

// closes are Close frames with every kind of body, and what comes behind them.
func closes() (all []speech) {
	add := func(name, body string, then ...piece) {
		all = append(all, speech{"close " + name, append([]piece{{first: final | opClose, payload: body}}, then...)})
	}
	codes := []int{0, 1, 999, 1016, 1099, 1100, 1999, 2000, 2999, 3000, 3999, 4000, 4999, 5000, 32768, 65535}
	for code := 1000; code <= 1015; code++ {
		codes = append(codes, code)
	}
	for _, code := range codes {
		add(fmt.Sprint(code), closeBody(code, ""))
		add(fmt.Sprint(code, " with a reason"), closeBody(code, "bye, ÿ"))
		add(fmt.Sprint(code, " with a reason of 123 bytes"), closeBody(code, letters[:123]))
		add(fmt.Sprint(code, " with a reason that is not UTF-8"), closeBody(code, "\xff"))
		add(fmt.Sprint(code, " with half a rune"), closeBody(code, "bye \xc3"))
		add(fmt.Sprint(code, " with data behind it"), closeBody(code, ""), piece{first: final | opBinary, payload: letters[:1000]})
		add(fmt.Sprint(code, " with a breach behind it"), closeBody(code, ""), piece{first: final | 0x70 | 3})
	}
	add("without a body", "")
	add("of one byte", "\x03")
	add("twice", "", piece{first: final | opClose})
	for _, open := range []byte{opText, opBinary} {
		all = append(all, speech{"close inside a message", []piece{{first: open, payload: "half"}, {first: final | opClose, payload: closeBody(1000, "")}}})
	}
	return all
}

// writings are text, some of it such as no text may be (RFC 3629, 3 and 4).
var writings = []string{
	"", "plain", "µ@ß", "κόσμε", "日本語", "\U0001f600 smiles", "\x00", "\x7f", "\u0080", "\u07ff", "\u0800", "\ud7ff", "\ue000", "\ufeff", "\ufffd", "\ufffe", "\uffff", "\U00010000", "\U0010ffff",
	"\x80", "\xbf", "ok \x80", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2\x41", "\xe0\x80\x80", "\xe0\x9f\xbf", "\xe2\x82", "\xe2\x82\x41", "\xed\xa0\x80", "\xed\xbf\xbf",
	"\xed\xa0\xbd\xed\xb8\x80", "\xf0\x80\x80\x80", "\xf0\x8f\xbf\xbf", "\xf0\x9f\x98", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xf8\x88\x80\x80\x80", "\xfc\x84\x80\x80\x80\x80", "\xfe", "\xff",
}

// texts are the writings in one frame, and cut in two at every place with a ping
// in the cut; binary, they are as good as any bytes.
func texts() (all []speech) {
	for _, s := range writings {
		all = append(all, speech{fmt.Sprintf("text %+q", s), []piece{{first: final | opText, payload: s}}},
			speech{fmt.Sprintf("binary %+q", s), []piece{{first: final | opBinary, payload: s}}},
			speech{fmt.Sprintf("ping %+q", s), []piece{{first: final | opPing, payload: s}}})
		for at := range len(s) + 1 {
			all = append(all, speech{fmt.Sprintf("text %+q then %+q", s[:at], s[at:]),
				[]piece{{first: opText, payload: s[:at]}, {first: final | opPing, payload: "?"}, {first: final | opContinuation, payload: s[at:]}}})
		}
	}
	return all
}

// chances are frames of all kinds in any order, most of them right.
func chances(random *rand.Rand, n int) (all []speech) {
	for i := range n {
		t := speech{name: fmt.Sprintf("chance %d", i)}
		open := false
		for range 1 + random.IntN(8) {
			p := chance(random, &open)
			t.frames = append(t.frames, p)
		}
		all = append(all, t)
	}
	return all
}

// chance is one frame. One in ten breaks a rule, or may.
func chance(random *rand.Rand, open *bool) piece {
	size := sizes[random.IntN(len(sizes))]
	p := piece{payload: letters[:size.bytes], first: byte(random.IntN(2)) * final}
	switch {
	case random.IntN(4) == 0:
		p.first, p.payload = final|opPing+byte(random.IntN(2)), letters[:random.IntN(126)]
	case *open:
		*open = p.first&final == 0
	default:
		p.first |= opText + byte(random.IntN(2))
		*open = p.first&final == 0
	}
	switch random.IntN(50) {
	case 0:
		p.first = byte(random.Uint32())
	case 1:
		p.form = size.form
	case 2:
		p.stranger = true
	case 3:
		p.payload += "\xf0\x9f"
	case 4:
		p.first, p.payload = final|opClose, closeBody(random.IntN(5001), letters[:random.IntN(124)])
	}
	if p.form > 0 && p.form < fewest(len(p.payload)) {
		p.form = 0
	}
	return p
}
