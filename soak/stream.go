//go:build linux

package main

import (
	"encoding/binary"
	"math/rand/v2"
	"unicode/utf8"
)

// block is how much of a stream is made at a time, and more than any piece of
// it that is asked for at once.
const block = 128 << 10

// A stream is a run of bytes that its seed tells: noise, or UTF-8 text of runes
// of one to four bytes. Whoever has the seed has the same stream, so both ends
// make it and nothing but the bytes under test has to cross.
type stream struct {
	chance chance
	runes  *alphabet // nil: noise
	left   int64     // not made yet
	ready  []byte    // made and not taken yet, within buf
	buf    []byte
}

// newStream has n bytes; runes is nil for noise. Text ends with a whole rune.
func newStream(seed uint64, runes *alphabet, n int64) *stream {
	return &stream{chance: chance{random: newRandom(seed)}, runes: runes, left: n, buf: make([]byte, block)}
}

func newRandom(seed uint64) *rand.ChaCha8 {
	var key [32]byte
	copy(key[:], "wsbridge: no byte is lost")
	return rand.NewChaCha8([32]byte(binary.BigEndian.AppendUint64(key[:24], seed)))
}

// take returns the next n bytes, fewer only at the end; n is at most half a block.
// They are valid until the next call.
func (s *stream) take(n int) []byte {
	s.fill(n)
	n = min(n, len(s.ready))
	piece := s.ready[:n]
	s.ready = s.ready[n:]
	return piece
}

// whole is take, but breaks no rune; it may return nothing before the end.
func (s *stream) whole(n int) []byte {
	if s.runes == nil {
		return s.take(n)
	}
	s.fill(n + 1)
	for n = min(n, len(s.ready)); n > 0 && n < len(s.ready) && !utf8.RuneStart(s.ready[n]); n-- {
	}
	return s.take(n)
}

// over reports whether all of the stream has been taken.
func (s *stream) over() bool { return s.left == 0 && len(s.ready) == 0 }

// fill makes bytes until n are ready, or all.
func (s *stream) fill(n int) {
	if len(s.ready) >= n || s.left == 0 {
		return
	}
	kept := copy(s.buf, s.ready)
	room := s.buf[kept:min(int64(len(s.buf)), int64(kept)+s.left)]
	if s.runes == nil {
		s.chance.random.Read(room)
	} else {
		room = room[:s.runes.write(room, &s.chance, int64(len(room)) == s.left)]
	}
	s.left -= int64(len(room))
	s.ready = s.buf[:kept+len(room)]
}

// alphabet has a rune for each byte: half are of one byte in UTF-8, and so on.
type alphabet [256]string

func newAlphabet() *alphabet {
	var a alphabet
	for i := range a {
		switch r := rune(i); {
		case i < 128:
			a[i] = string(r) // control characters and NUL with them
		case i < 192:
			a[i] = string(0x80 + (r-128)*29) // to U+07A3
		case i < 240:
			a[i] = string(0x800 + (r-192)*1130) // to U+D776, below the surrogates
		default:
			a[i] = string(0x10000 + (r-240)*69905) // to U+10FFFF
		}
	}
	return &a
}

// write fills p with whole runes as far as they fit, or, at the end, to its last
// byte, and returns how much it wrote. Each rune takes one byte of chance, so that
// the text does not depend on where it is cut.
func (a *alphabet) write(p []byte, chance *chance, end bool) (n int) {
	for len(p)-n >= utf8.UTFMax {
		n += copy(p[n:], a[chance.next()])
	}
	for ; end && n < len(p); n++ {
		p[n] = '.'
	}
	return n
}

// chance is random bytes one by one.
type chance struct {
	random *rand.ChaCha8
	left   []byte
	room   [1024]byte
}

func (c *chance) next() byte {
	if len(c.left) == 0 {
		c.random.Read(c.room[:])
		c.left = c.room[:]
	}
	b := c.left[0]
	c.left = c.left[1:]
	return b
}
