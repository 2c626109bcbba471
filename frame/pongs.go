package frame

import (
	"iter"

	"github.com/gobwas/ws"
)

// Pongs are the answers to the pings of one read. Sent together they cost one
// write, however many there are; who cannot send them all may send the newest
// alone (RFC 6455, 5.5.3). The zero value is none.
type Pongs struct {
	frames []byte
	newest int // where it begins
}

// PongsIn is none, with room for some.
func PongsIn(room []byte) Pongs { return Pongs{frames: room[:0]} }

// Add answers a ping, whose payload it copies.
func (p *Pongs) Add(ping []byte) {
	p.newest = len(p.frames)
	p.frames = AppendControl(p.frames, ws.OpPong, ping)
}

// Frames are all of them, unmasked; empty: there are none.
func (p *Pongs) Frames() []byte { return p.frames }

// Newest is a copy of the last frame of Frames.
func (p *Pongs) Newest() []byte { return append([]byte(nil), p.frames[p.newest:]...) }

// Payloads are those of the frames, which the caller may change.
func (p *Pongs) Payloads() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for rest := p.frames; len(rest) > 0; {
			n := 2 + int(rest[1])
			if !yield(rest[2:n]) {
				return
			}
			rest = rest[n:]
		}
	}
}
