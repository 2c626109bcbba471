//go:build linux

package main

import (
	"bytes"
	"math/rand/v2"
)

// chunk is the size of one write of bulk data and the payload of one masked frame.
const chunk = 64 << 10

// A pattern is the endless stream that all bulk data is cut from: chunk bytes of
// noise, repeated. Both ends know it, so every byte that arrives is compared.
type pattern []byte

func newPattern() pattern {
	p := make(pattern, chunk)
	noise := rand.NewPCG(1, 2)
	for i := range p {
		p[i] = byte(noise.Uint64())
	}
	return p
}

// matches reports whether b is what stands at offset in the stream.
func (p pattern) matches(offset int64, b []byte) bool {
	at := int(offset % int64(len(p)))
	for len(b) > 0 {
		n := min(len(b), len(p)-at)
		if !bytes.Equal(b[:n], p[at:at+n]) {
			return false
		}
		b, at = b[n:], 0
	}
	return true
}
