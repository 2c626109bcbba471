//go:build linux

package main

import (
	"bufio"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// A sink is given the messages that arrive, which it may not keep, and knows
// whether all that were sent have. At the end it is told the sender's total.
type sink interface {
	message(op byte, payload []byte) error
	over() bool
	total() []byte
	finish(sent []byte) error
}

// bytesSink takes a target's bytes out of messages.
type bytesSink struct {
	*checker
	coding coding
	room   []byte
}

func (s *bytesSink) over() bool { return s.want.over() }

func (s *bytesSink) message(op byte, payload []byte) (err error) {
	if want := s.coding.op(); op != want {
		return fmt.Errorf("a message of kind %d after byte %d, want %d", op, s.at, want)
	}
	if op == opText && !utf8.Valid(payload) {
		return fmt.Errorf("a text message after byte %d is not UTF-8", s.at)
	}
	if s.coding.base64 {
		if s.room, err = base64.StdEncoding.Strict().AppendDecode(s.room[:0], payload); err != nil {
			return fmt.Errorf("after byte %d: %w", s.at, err)
		}
		payload = s.room
	}
	return s.take(payload)
}

// closing is what a Close frame says.
type closing struct {
	code   uint16
	reason string
}

func (c closing) String() string { return fmt.Sprintf("%d %q", c.code, c.reason) }

// A listener is the receiving half of one end of a WebSocket. One goroutine has it.
type listener struct {
	frames  frameReader
	sink    sink
	pings   *pings
	asked   chan<- []byte
	op      byte
	message []byte
	count   tally

	squeezed   bool // the message is
	unsqueezer unsqueezer
}

func newListener(r io.Reader, masked bool, to sink, p *pings, asked chan<- []byte) *listener {
	return &listener{frames: frameReader{r: bufio.NewReaderSize(r, 64<<10), masked: masked}, sink: to, pings: p, asked: asked}
}

// hear reads until a Close frame; after each message it calls heard.
func (l *listener) hear(heard func()) (closing, error) {
	for {
		f, err := l.step()
		if err != nil {
			return closing{}, err
		}
		if f.op == opClose {
			return readClosing(f.payload)
		}
		heard()
	}
}

// step reads one frame and does with it what it asks for.
func (l *listener) step() (frame, error) {
	f, err := l.frames.next()
	if err != nil {
		return f, fmt.Errorf("no Close frame, but: %w", err)
	}
	l.count.frames++
	if f.control() {
		l.count.controls++
	}
	switch f.op {
	case opClose:
	case opPing:
		l.answer(f.payload)
	case opPong:
		err = l.pings.answered(f.payload)
	default:
		err = l.data(f)
	}
	return f, err
}

// answer has the speaker answer a ping, if it is not too far behind with others.
func (l *listener) answer(payload []byte) {
	select {
	case l.asked <- append([]byte(nil), payload...):
	default:
	}
}

func (l *listener) data(f frame) error {
	if f.op != opContinuation {
		l.op, l.message, l.squeezed = f.op, l.message[:0], f.squeezed
	}
	if l.count.bytes += int64(len(f.payload)); f.fin && f.op != opContinuation {
		return l.deliver(f.payload)
	}
	if l.message = append(l.message, f.payload...); len(l.message) > maxMessage {
		return errors.New("an endless message")
	}
	if !f.fin {
		return nil
	}
	return l.deliver(l.message)
}

func (l *listener) deliver(message []byte) (err error) {
	if l.squeezed {
		if message, err = l.unsqueezer.unsqueeze(message); err != nil {
			return fmt.Errorf("a compressed message: %w", err)
		}
	}
	return l.sink.message(l.op, message)
}

func readClosing(p []byte) (closing, error) {
	if len(p) < 2 || !utf8.Valid(p[2:]) {
		return closing{}, fmt.Errorf("a Close frame that says % x", p)
	}
	return closing{binary.BigEndian.Uint16(p), string(p[2:])}, nil
}

// end reports what follows a Close frame besides the end of the connection.
func (l *listener) end() error {
	switch b, err := l.frames.r.ReadByte(); {
	case err == nil:
		return fmt.Errorf("byte %#x after the Close frame", b)
	case err != io.EOF:
		return fmt.Errorf("after the Close frame: %w", err)
	}
	return nil
}
