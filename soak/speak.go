//go:build linux

package main

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash"
	"math/rand/v2"
	"sync"
)

// A source has the messages that one end is to send; ok is false after the last.
// A payload is valid until the next call. The total is the SHA-256 of all.
type source interface {
	next() (op byte, payload []byte, ok bool)
	total() []byte
}

// bytesSource makes messages of a stream: where it is cut means nothing.
type bytesSource struct {
	stream *stream
	sum    hash.Hash
	coding coding
	random *rand.Rand
	room   []byte
}

func (s *bytesSource) next() (op byte, payload []byte, ok bool) {
	if s.stream.over() {
		return 0, nil, false
	}
	n := size(s.random)
	if s.coding.base64 {
		n = n * 3 / 4
	}
	p := s.stream.whole(n)
	s.sum.Write(p)
	if s.coding.base64 {
		s.room = base64.StdEncoding.AppendEncode(s.room[:0], p)
		return opText, s.room, true
	}
	if s.coding.text && s.random.IntN(2) == 0 {
		return opText, p, true
	}
	return opBinary, p, true
}

func (s *bytesSource) total() []byte { return s.sum.Sum(nil) }

// A speaker is the sending half of one end of a WebSocket. One goroutine has it.
type speaker struct {
	w        chopped
	random   *rand.Rand
	masked   bool
	squeezer *squeezer // nil: nothing is compressed
	pings    *pings
	asked    <-chan []byte // payloads of pings to answer
	out      []byte        // not written yet
	count    tally
}

// A tally counts what went over the wire to make a row of the table.
type tally struct{ frames, controls, bytes int64 }

func (t *tally) add(o tally) {
	t.frames += o.frames
	t.controls += o.controls
	t.bytes += o.bytes
}

// say sends all messages of a source.
func (s *speaker) say(from source) error {
	for {
		op, payload, ok := from.next()
		if !ok {
			return s.flush()
		}
		if err := s.message(op, payload); err != nil {
			return err
		}
	}
}

// message sends one message in random fragments, with control frames between and
// inside. It may stay in out for a while, so that writes hold more than one.
func (s *speaker) message(op byte, payload []byte) error {
	squeezed := s.squeezer != nil && s.random.IntN(4) > 0
	if squeezed {
		payload = s.squeezer.squeeze(payload)
	}
	for fragments := s.fragments(); fragments > 0; fragments-- {
		s.interject()
		piece := payload
		if fragments > 1 {
			piece = payload[:s.random.IntN(len(payload)+1)]
		}
		s.frame(frame{fragments == 1, op, piece, squeezed})
		payload, op, squeezed = payload[len(piece):], opContinuation, false
		if len(s.out) > s.random.IntN(block) {
			if err := s.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

// fragments is how many the next message has: one as often as more.
func (s *speaker) fragments() int {
	if s.random.IntN(2) == 0 {
		return 1
	}
	return 1 + s.random.IntN(6)
}

// interject answers pings, and now and then asks, or answers what nobody asked.
func (s *speaker) interject() {
	s.answerAll()
	switch s.random.IntN(12) {
	case 0, 1, 2:
		s.frame(frame{true, opPing, s.pings.ask(s.random), false})
	case 3:
		s.frame(frame{true, opPong, []byte(unasked), false})
	}
}

func (s *speaker) answerAll() {
	for {
		select {
		case payload := <-s.asked:
			s.frame(frame{true, opPong, payload, false})
		default:
			return
		}
	}
}

func (s *speaker) frame(f frame) {
	s.count.frames++
	if f.control() {
		s.count.controls++
	}
	if !s.masked {
		s.out = appendFrame(s.out, f, nil)
		return
	}
	key := [4]byte(binary.NativeEndian.AppendUint32(nil, s.random.Uint32()))
	s.out = appendFrame(s.out, f, &key)
}

func (s *speaker) flush() error {
	_, err := s.w.Write(s.out)
	s.out = s.out[:0]
	return err
}

// close sends a Close frame, the last of this side.
func (s *speaker) close(c closing) error {
	s.frame(frame{true, opClose, append(binary.BigEndian.AppendUint16(nil, c.code), c.reason...), false})
	return s.flush()
}

// unasked is in pongs that answer nothing, a heartbeat of one side (RFC 6455, 5.5.3).
const unasked = "nobody asked"

// pings are those that were sent and not answered yet, oldest first.
type pings struct {
	mu      sync.Mutex
	waiting [][]byte
	count   uint32
}

// ask makes a ping's payload: most are like no other.
func (p *pings) ask(random *rand.Rand) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.count++
	payload := make([]byte, random.IntN(maxControl+1))
	for i := range payload {
		payload[i] = byte(random.Uint32())
	}
	if len(payload) >= 4 {
		binary.BigEndian.PutUint32(payload, p.count)
	}
	p.waiting = append(p.waiting, payload)
	return payload
}

// answered is told of a pong; it answers the pings before it too (RFC 6455,
// 5.5.3).
func (p *pings) answered(payload []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, asked := range p.waiting {
		if bytes.Equal(asked, payload) {
			p.waiting = p.waiting[i+1:]
			return nil
		}
	}
	if string(payload) == unasked {
		return nil
	}
	return errors.New("a pong that answers no ping")
}

func (p *pings) open() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.waiting)
}
