//go:build linux

package main

import (
	"io"
	"math"
	"math/rand/v2"
)

// maxFrame is the largest payload of a message that the soak sends.
const maxFrame = 70_000

// edges are sizes beside those at which a frame's header, or a buffer, changes.
var edges = []int{0, 1, 2, 3, 124, 125, 126, 127, 128, 4095, 4096, 16384, 32767, 65535, 65536, 65537, maxFrame}

// size is one from 0 to maxFrame: an edge, any, or one of any magnitude.
func size(random *rand.Rand) int {
	switch random.IntN(3) {
	case 0:
		return edges[random.IntN(len(edges))]
	case 1:
		return random.IntN(maxFrame + 1)
	}
	return int(magnitude(random, maxFrame))
}

// magnitude is one from 0 to most; as likely below 10 as from 10,000 to 100,000.
func magnitude(random *rand.Rand, most int64) int64 {
	return int64(math.Exp(random.Float64()*math.Log(float64(most)+1)+1e-12)) - 1
}

// chopped writes in pieces of random size, so that a read at the other end begins
// and ends anywhere.
type chopped struct {
	w      io.Writer
	random *rand.Rand
}

const maxChop = 256 << 10

func (c chopped) Write(p []byte) (n int, err error) {
	for len(p) > 0 {
		m, err := c.w.Write(p[:min(len(p), 1+int(magnitude(c.random, maxChop)))])
		if n += m; err != nil {
			return n, err
		}
		p = p[m:]
	}
	return n, nil
}
