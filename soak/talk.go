//go:build linux

package main

import (
	"fmt"
	"math/rand/v2"
)

// helloSize is the length of a talk's id, the first that its client says.
const helloSize = 8

// An ending is how a talk is to end.
type ending int

const (
	clientCloses  ending = iota // when it has heard all
	clientHurries               // right behind its last byte; the target still talks
	targetCloses                // when it has heard all
	endings
)

// A talk is one session's: how much is said both ways, and how it ends. All of it
// follows from the seed.
type talk struct {
	id                 int
	seed               uint64
	toTarget, toClient int64
	ending             ending
	closing            closing // what the side says that closes
	early              bool    // the client speaks before it has its answer

	sent  [directions]chan []byte // SHA-256 of what the speakers said; holds one
	heard [directions][]byte      // and of what arrived, once the talk is over
	far   chan error              // the target's verdict; holds one
}

const (
	toTarget = iota
	toClient
	directions
)

// newTalk makes one of at most n bytes each way.
func newTalk(id int, seed uint64, n int64) *talk {
	random := rand.New(newRandom(seed))
	t := &talk{
		id: id, seed: seed, far: make(chan error, 1),
		toTarget: magnitude(random, n), toClient: magnitude(random, n),
		ending: ending(random.IntN(int(endings))), early: random.IntN(2) == 0,
		closing: closing{uint16(3000 + random.IntN(2000)), "talk is over"},
	}
	for i := range t.sent {
		t.sent[i] = make(chan []byte, 1)
	}
	return t
}

func (t *talk) String() string {
	how := [...]string{"the client closes", "the client closes before it has heard all", "the target closes"}[t.ending]
	return fmt.Sprintf("session %d, %d bytes to the target, %d to the client, %s", t.id, t.toTarget, t.toClient, how)
}

func (t *talk) hello() string { return fmt.Sprintf("%0*x", helloSize, t.id) }

// The seeds of what is said and of how it is cut.
func (t *talk) saidSeed(way int) uint64 { return t.seed + uint64(1+10*way) }
func (t *talk) cutSeed(way int) uint64  { return t.seed + uint64(5+10*way) }

// talks are sessions for about so many bytes, both ways together.
func talks(seed uint64, bytes int64) (all []*talk) {
	random := rand.New(newRandom(seed))
	most := max(1, min(bytes/4, 32<<20))
	for bytes > 0 {
		t := newTalk(len(all), random.Uint64(), min(most, bytes))
		all = append(all, t)
		bytes -= t.toTarget + t.toClient + 1000 // a session is work, too
	}
	return all
}

// greeting says a talk's hello in front of a source, whose total is without it.
type greeting struct {
	source
	op    byte
	hello []byte
}

func (g *greeting) next() (byte, []byte, bool) {
	if hello := g.hello; hello != nil {
		g.hello = nil
		return g.op, hello, true
	}
	return g.source.next()
}
