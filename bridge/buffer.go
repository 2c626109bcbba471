package bridge

import (
	"sync"

	"github.com/wsbridge/wsbridge/frame"
)

// bufferSize bounds what one read takes and one copied frame carries.
const bufferSize = 64 << 10

// headRoom is kept free before the payload: for a frame header, and before
// that header's payload for a rune cut by the read before (text mode).
const headRoom = 16

// buffer is one read's room. A payload starts at headRoom; the header goes
// right before it.
type buffer [bufferSize]byte

func (b *buffer) room() []byte { return b[headRoom:] }

// framed is where frame.Prepend puts a header when the payload starts at.
func (b *buffer) framed(at int) []byte { return b[at-frame.HeaderRoom:] }

// buffers lends buffers; an idle session holds none.
type buffers struct{ pool sync.Pool }

func (p *buffers) get() *buffer {
	if b, ok := p.pool.Get().(*buffer); ok {
		return b
	}
	return new(buffer)
}

func (p *buffers) put(b *buffer) { p.pool.Put(b) }
