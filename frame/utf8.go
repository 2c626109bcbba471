package frame

import "unicode/utf8"

// UTF8Stream checks text that arrives in pieces cut anywhere. The zero value is
// ready.
type UTF8Stream struct {
	tail [utf8.UTFMax]byte // the start of a rune whose end is still to come
	n    uint8
}

// Feed reports whether everything so far can still become valid UTF-8.
func (u *UTF8Stream) Feed(p []byte) bool {
	for u.n > 0 && len(p) > 0 {
		u.tail[u.n] = p[0]
		u.n++
		p = p[1:]
		if utf8.FullRune(u.tail[:u.n]) {
			if r, size := utf8.DecodeRune(u.tail[:u.n]); r == utf8.RuneError && size == 1 {
				return false
			}
			u.n = 0
		}
	}
	if len(p) == 0 {
		return true
	}
	cut := len(p) - CutRune(p)
	u.n = uint8(copy(u.tail[:], p[cut:]))
	return utf8.Valid(p[:cut])
}

// Whole reports whether no rune is left open.
func (u *UTF8Stream) Whole() bool { return u.n == 0 }

// CutRune returns how many bytes at p's end (0 to 3) begin a rune that p does
// not hold to its end.
func CutRune(p []byte) int {
	for i := 1; i <= min(len(p), utf8.UTFMax-1); i++ {
		if tail := p[len(p)-i:]; utf8.RuneStart(tail[0]) {
			if utf8.FullRune(tail) {
				return 0
			}
			return i
		}
	}
	return 0
}
