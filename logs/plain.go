package logs

import (
	"fmt"
	"io"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// plain passes JSON on with everything escaped that is not printed: what a terminal
// would obey and what turns text around, which JSON allows (RFC 8259, 7). Writes
// are whole records, one at a time.
type plain struct {
	to   io.Writer
	room []byte
}

func (w *plain) Write(p []byte) (int, error) {
	if isPlain(p) {
		return w.to.Write(p)
	}
	w.room = w.room[:0]
	for _, r := range string(p) {
		w.room = appendPlain(w.room, r)
	}
	if _, err := w.to.Write(w.room); err != nil {
		return 0, err
	}
	return len(p), nil
}

// isPlain: there is nothing but ASCII, whose control characters JSON never has
// within a record but DEL.
func isPlain(p []byte) bool {
	for _, b := range p {
		if b >= 0x7f {
			return false
		}
	}
	return true
}

func appendPlain(p []byte, r rune) []byte {
	if r == '\n' || strconv.IsPrint(r) {
		return utf8.AppendRune(p, r)
	}
	if high, low := utf16.EncodeRune(r); high != utf8.RuneError {
		return fmt.Appendf(p, `\u%04x\u%04x`, high, low)
	}
	return fmt.Appendf(p, `\u%04x`, r)
}
