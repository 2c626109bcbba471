package record

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"time"
	"unicode/utf8"
)

// The size of a terminal that is not known.
const (
	castWidth  = 80
	castHeight = 24
)

// cast writes an asciicast, version 2: a header line and then a line for each
// piece of output ("o", to the client) and input ("i", to the target).
type cast struct {
	w     *bufio.Writer
	tails [2][]byte // the start of a character that the next frame completes
	last  time.Duration
}

func asciicast(w *bufio.Writer, r *Reader, about summary) error {
	fmt.Fprintf(w, `{"version": 2, "width": %d, "height": %d, "timestamp": %d}`+"\n", castWidth, castHeight, about.begun.Unix())
	c := &cast{w: w}
	for {
		f, err := r.Next()
		if err == io.EOF {
			return c.end()
		}
		if err == nil {
			err = c.frame(f)
		}
		if err != nil {
			return err
		}
	}
}

// frame writes the whole characters of f. What is not UTF-8 becomes U+FFFD.
func (c *cast) frame(f Frame) error {
	c.last = f.At
	tail := &c.tails[direction(f.ToTarget)]
	text := append(*tail, f.Data...)
	whole := len(text) - cutRune(text)
	*tail = append([]byte(nil), text[whole:]...)
	return c.event(f.At, f.ToTarget, text[:whole])
}

// end writes the characters that were never completed.
func (c *cast) end() error {
	for _, toTarget := range []bool{false, true} {
		if err := c.event(c.last, toTarget, c.tails[direction(toTarget)]); err != nil {
			return err
		}
	}
	return nil
}

func (c *cast) event(at time.Duration, toTarget bool, text []byte) error {
	if len(text) == 0 {
		return nil
	}
	quoted, err := json.Marshal(string(text))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.w, "[%.3f, %q, %s]\n", at.Seconds(), string("oi"[direction(toTarget)]), quoted)
	return err
}

// direction is an index: 0 to the client, 1 to the target.
func direction(toTarget bool) int {
	if toTarget {
		return 1
	}
	return 0
}

// cutRune is how many bytes at the end of p begin a character that more bytes
// can complete.
func cutRune(p []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(p); n++ {
		if last := p[len(p)-n:]; utf8.RuneStart(last[0]) {
			if utf8.FullRune(last) {
				return 0
			}
			return n
		}
	}
	return 0
}
