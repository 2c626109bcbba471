//go:build linux

package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
)

// RFC 6455 section 5.2, written apart from package frame on purpose: the soak does
// not trust what it tests.
const (
	opContinuation = 0x0
	opText         = 0x1
	opBinary       = 0x2
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xa
	finBit         = 0x80
	reservedBits   = 0x70
	squeezedBit    = 0x40
	maskBit        = 0x80
	maxControl     = 125
)

// maxMessage is the largest that the soak takes; what it sends is far below.
const maxMessage = 16 << 20

// A frame is one of the wire's, unmasked.
type frame struct {
	fin      bool
	op       byte
	payload  []byte
	squeezed bool // the first of a compressed message (RFC 7692, 6)
}

func (f frame) control() bool { return f.op&0x8 != 0 }

// appendFrame appends f as it goes over the wire; with a key, masked by it.
func appendFrame(b []byte, f frame, key *[4]byte) []byte {
	first, mask := f.op, byte(0)
	if f.fin {
		first |= finBit
	}
	if f.squeezed {
		first |= squeezedBit
	}
	if key != nil {
		mask = maskBit
	}
	b = append(b, first)
	switch n := len(f.payload); {
	case n < 126:
		b = append(b, mask|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, mask|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, mask|127), uint64(n))
	}
	if key == nil {
		return append(b, f.payload...)
	}
	b = append(b, key[:]...)
	at := len(b)
	b = append(b, f.payload...)
	xor(b[at:], *key)
	return b
}

func xor(p []byte, key [4]byte) {
	for i := range p {
		p[i] ^= key[i&3]
	}
}

// A frameReader reads frames and holds them to the RFC's rules.
type frameReader struct {
	r       *bufio.Reader
	masked  bool   // they must be; else they must not
	deflate bool   // messages may be compressed
	open    bool   // a message goes on
	room    []byte // for payloads
}

// next returns the next frame, which is valid until the call after it.
func (r *frameReader) next() (frame, error) {
	var head [2]byte
	if _, err := io.ReadFull(r.r, head[:]); err != nil {
		return frame{}, err
	}
	f := frame{fin: head[0]&finBit != 0, op: head[0] & 0xf, squeezed: head[0]&squeezedBit != 0}
	n, err := r.length(head[1] &^ maskBit)
	if err != nil {
		return f, err
	}
	if why := r.wrong(f, head, n); why != "" {
		return f, fmt.Errorf("a frame % x of %d bytes: %s", head, n, why)
	}
	if !f.control() {
		r.open = !f.fin
	}
	f.payload, err = r.payload(int(n))
	return f, err
}

func (r *frameReader) length(short byte) (uint64, error) {
	var b [8]byte
	switch short {
	case 126:
		_, err := io.ReadFull(r.r, b[6:])
		return binary.BigEndian.Uint64(b[:]), err
	case 127:
		_, err := io.ReadFull(r.r, b[:])
		return binary.BigEndian.Uint64(b[:]), err
	}
	return uint64(short), nil
}

// wrong names the rule that a header breaks.
func (r *frameReader) wrong(f frame, head [2]byte, n uint64) string {
	short := head[1] &^ maskBit
	switch {
	case head[0]&reservedBits&^squeezedBit != 0,
		f.squeezed && (!r.deflate || f.control() || f.op == opContinuation):
		return "a reserved bit is set"
	case (head[1]&maskBit != 0) != r.masked:
		return "masked by the wrong side"
	case short == 126 && n < 126, short == 127 && n < 1<<16:
		return "a length longer than it need be"
	case f.op > opBinary && f.op < opClose, f.op > opPong:
		return "an unknown kind"
	case f.control() && (!f.fin || n > maxControl):
		return "a control frame in pieces, or too long"
	case !f.control() && (f.op == opContinuation) != r.open:
		return "a continuation out of place"
	case n > maxMessage:
		return "too long"
	}
	return ""
}

func (r *frameReader) payload(n int) ([]byte, error) {
	var key [4]byte
	if r.masked {
		if _, err := io.ReadFull(r.r, key[:]); err != nil {
			return nil, err
		}
	}
	if cap(r.room) < n {
		r.room = make([]byte, n)
	}
	p := r.room[:n]
	_, err := io.ReadFull(r.r, p)
	if r.masked {
		xor(p, key)
	}
	return p, err
}
