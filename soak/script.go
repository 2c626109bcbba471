//go:build linux

package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"hash"
	"math/rand/v2"
)

// A script is a run of messages that its seed tells: kinds, sizes and bytes. Both
// ends have it, the one to send, the other to hold what arrives against it.
type script struct {
	random      *rand.Rand
	text, noise *stream
	left        int64
	said        int // messages
	sum         hash.Hash
}

// newScript has messages of n bytes together.
func newScript(seed uint64, runes *alphabet, n int64) *script {
	return &script{
		random: rand.New(newRandom(seed)), left: n, sum: sha256.New(),
		text: newStream(seed+1, runes, n), noise: newStream(seed+2, nil, n),
	}
}

func (s *script) over() bool { return s.left == 0 }

// next is a source's.
func (s *script) next() (op byte, payload []byte, ok bool) {
	if op, payload, ok = s.turn(); ok {
		s.add(op, payload)
	}
	return op, payload, ok
}

// turn is what stands next in the script.
func (s *script) turn() (op byte, payload []byte, ok bool) {
	if s.over() {
		return 0, nil, false
	}
	from, op := s.noise, byte(opBinary)
	if s.random.IntN(2) == 0 {
		from, op = s.text, opText
	}
	payload = from.whole(int(min(int64(size(s.random)), s.left)))
	s.left -= int64(len(payload))
	s.said++
	return op, payload, true
}

func (s *script) add(op byte, payload []byte) {
	s.sum.Write([]byte{op, byte(len(payload)), byte(len(payload) >> 8), byte(len(payload) >> 16)})
	s.sum.Write(payload)
}

// message is a sink's: what arrives must be what is next.
func (s *script) message(op byte, payload []byte) error {
	wantOp, want, ok := s.turn()
	switch {
	case !ok:
		return fmt.Errorf("a message of %d bytes more than the %d that were sent", len(payload), s.said)
	case op != wantOp || len(payload) != len(want):
		return fmt.Errorf("message %d is of kind %d and %d bytes, sent was kind %d and %d bytes", s.said, op, len(payload), wantOp, len(want))
	case !bytes.Equal(payload, want):
		return fmt.Errorf("in message %d: %w", s.said, difference(payload, want, 0))
	}
	s.add(op, payload)
	return nil
}

func (s *script) total() []byte { return s.sum.Sum(nil) }

// finish says what has not arrived, or that the sender's sum is another.
func (s *script) finish(sent []byte) error {
	if !s.over() {
		return fmt.Errorf("all after message %d is missing", s.said)
	}
	if got := s.sum.Sum(nil); !bytes.Equal(got, sent) {
		return fmt.Errorf("SHA-256 of what arrived is %x, of what was sent %x", got, sent)
	}
	return nil
}
