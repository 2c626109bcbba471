// Package deflate is permessage-deflate (RFC 7692), the compression of
// WebSocket messages, as a server has it: what a client offers and is answered,
// and a Codec for each connection. It reads and writes no socket and starts no
// goroutine.
//
// What a connection keeps between two messages are bytes, not the state of a
// compressor, which is a megabyte: with context takeover at most 8 KiB of what
// was sent and, of what was received, as much as the client's window holds, 32
// KiB at most; without it nothing. The rest is lent by a Pool while a message is
// worked on.
package deflate

import (
	"sync"

	"github.com/wsbridge/wsbridge/frame"
)

// MinBytes is the size from which messages are compressed: below it nothing is
// gained by the encoder that is used.
const MinBytes = 128

const (
	maxBits   = 15      // of a window; it is then 32 KiB
	sentBytes = 8 << 10 // of what was sent that are kept: more costs more time with every message than it gains
)

// ErrCorrupt says that a message cannot be inflated.
var ErrCorrupt = &frame.Error{Code: 1007, Reason: "compressed message is corrupt"}

// Pool lends what compressing and inflating need while they are at it. The zero
// value is ready; its methods may be called by anybody.
type Pool struct {
	squeezers [maxBits + 1]sync.Pool // by the bits of their window
	streams   sync.Pool
}

// Codec is both directions of one connection. Each is for one goroutine at a
// time.
type Codec struct {
	Compressor
	Inflater
}

// Codec is for a connection that was answered with p.
func (pool *Pool) Codec(p Params) *Codec {
	c := &Codec{}
	c.bits, c.squeezers = bitsOf(p.ServerBits), &pool.squeezers[bitsOf(p.ServerBits)]
	if !p.ServerNoTakeover {
		c.keepsSent = min(1<<c.bits, sentBytes)
	}
	c.streams = &pool.streams
	if !p.ClientNoTakeover {
		c.keepsReceived = 1 << bitsOf(p.ClientBits)
	}
	return c
}

func bitsOf(bits int) int {
	if bits == 0 {
		return maxBits
	}
	return bits
}

// remember is history with p behind it, cut to its last most bytes.
func remember(history, p []byte, most int) []byte {
	p = p[max(0, len(p)-most):]
	if over := len(history) + len(p) - most; over > 0 {
		history = history[:copy(history, history[over:])]
	}
	if need := len(history) + len(p); need > cap(history) {
		grown := make([]byte, len(history), min(most, max(need, 2*cap(history))))
		copy(grown, history)
		history = grown
	}
	return append(history, p...)
}
