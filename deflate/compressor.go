package deflate

import (
	"errors"
	"slices"
	"sync"

	"github.com/klauspost/compress/flate"
)

// After patience messages in a row that did not become smaller some are left
// alone, after every further one twice as many, 64 at most.
const (
	patience    = 4
	maxRestBits = 6
)

// Compressor compresses what is sent.
type Compressor struct {
	squeezers *sync.Pool
	bits      int    // of the window
	keepsSent int    // bytes; 0: no context takeover
	sent      []byte // the last of what was compressed

	misses int // messages in a row that did not become smaller
	rest   int // messages to leave alone
}

// Append appends p, a whole message, in its compressed form (RFC 7692, 7.2.1).
// False: the message is to be sent as it is, because it is small or would not
// become smaller, and nothing was appended. After messages that did not, more
// and more are left alone without a look.
func (c *Compressor) Append(dst, p []byte) ([]byte, bool) {
	if len(p) < MinBytes || c.resting() {
		return dst, false
	}
	s, ok := c.squeezers.Get().(*squeezer)
	if !ok {
		s = newSqueezer(c.bits)
	}
	out, ok := s.squeeze(dst, p, c.sent)
	c.squeezers.Put(s)
	if !ok {
		c.missed()
		return dst, false
	}
	c.misses = 0
	if c.keepsSent > 0 {
		c.sent = remember(c.sent, p, c.keepsSent)
	}
	return out, true
}

func (c *Compressor) missed() {
	if c.misses++; c.misses >= patience {
		c.rest = 1 << min(c.misses-patience, maxRestBits)
	}
}

func (c *Compressor) resting() bool {
	if c.rest == 0 {
		return false
	}
	c.rest--
	return true
}

// squeezer is an encoder and where it writes.
type squeezer struct {
	encoder *flate.Writer
	out     []byte
	most    int // bytes of out
}

func newSqueezer(bits int) *squeezer {
	encoder, err := flate.NewWriterWindow(nil, 1<<bits)
	if err != nil { // bits are 8 to 15
		panic(err)
	}
	return &squeezer{encoder: encoder}
}

// tailBytes is the length of the 00 00 ff ff that ends a flush and is not sent.
const tailBytes = 4

// squeeze is done with history as the bytes before p. What it takes besides dst
// is never more than p, so it has to save a tail at least.
func (s *squeezer) squeeze(dst, p, history []byte) ([]byte, bool) {
	s.out, s.most = slices.Grow(dst, len(p)), len(dst)+len(p)
	s.encoder.ResetDict(s, history)
	_, err := s.encoder.Write(p)
	if err == nil {
		err = s.encoder.Flush()
	}
	out := s.out
	s.out = nil
	s.encoder.ResetDict(nil, nil) // which lets go of history
	if err != nil {
		return dst, false
	}
	return out[:len(out)-tailBytes], true
}

var errNoGain = errors.New("not smaller")

// Write is for the encoder.
func (s *squeezer) Write(p []byte) (int, error) {
	if len(s.out)+len(p) > s.most {
		return 0, errNoGain
	}
	s.out = append(s.out, p...)
	return len(p), nil
}
