package message

import (
	"slices"
	"unicode/utf8"

	"github.com/wsbridge/wsbridge/frame"
)

// inflate reads the compressed message that begins with ev. It is bounded both
// as it comes and as what it becomes: a bomb is known by its first byte too many.
func (c *Conn) inflate(ev frame.Event) (Message, error) {
	in := c.o.Deflate
	in.Begin(&compressed{c: c, first: &ev, left: c.o.MaxBytes + c.o.MaxBytes/8 + keptBytes})
	defer in.End()
	for {
		if len(c.part) == cap(c.part) {
			c.part = slices.Grow(c.part, leastBytes)
		}
		n, last, err := in.Read(c.part[len(c.part):cap(c.part)])
		c.part = c.part[:len(c.part)+n]
		switch {
		case len(c.part) > c.o.MaxBytes:
			return Message{}, c.tooLarge()
		case last && ev.Text && !utf8.Valid(c.part):
			return Message{}, frame.ErrNotUTF8
		case last:
			return c.take(Message{ev.Text, c.part})
		case err != nil:
			return Message{}, err
		}
	}
}

// leastBytes is the least room that is made for what comes out.
const leastBytes = 512

// compressed is the payload of a compressed message, for deflate.
type compressed struct {
	c     *Conn
	first *frame.Event // that was read already
	left  int          // bytes that may still come: not all of them become others
}

func (m *compressed) Piece() (p []byte, last bool, err error) {
	ev := m.first
	if m.first = nil; ev == nil {
		next, err := m.c.next()
		if err != nil {
			return nil, false, err
		}
		ev = &next
	}
	if m.left -= len(ev.Payload); m.left < 0 {
		return nil, false, m.c.tooLarge()
	}
	return ev.Payload, ev.Last, nil
}
