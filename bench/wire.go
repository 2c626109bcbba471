//go:build linux

package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// RFC 6455 section 5.2, as far as the loads need it: written apart from package
// frame on purpose, so that the bench does not trust what it measures.
const (
	opText   = 0x1
	opBinary = 0x2
	opClose  = 0x8
	opPing   = 0x9
	opPong   = 0xa
	finBit   = 0x80
	maskBit  = 0x80
)

// The key and its answer from RFC 6455 section 1.3.
const (
	handshakeKey    = "dGhlIHNhbXBsZSBub25jZQ=="
	handshakeAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
)

var errPeerClosed = errors.New("the proxy sent a close frame")

// maskedFrame returns one final frame around payload, masked as a client must.
func maskedFrame(op byte, payload []byte) []byte {
	f := appendHead(nil, finBit|op, len(payload), maskBit)
	key := [4]byte{0x37, 0xfa, 0x21, 0x3d}
	f = append(f, key[:]...)
	for i, b := range payload {
		f = append(f, b^key[i%4])
	}
	return f
}

// appendHead appends a frame's header up to the key.
func appendHead(f []byte, first byte, n int, mask byte) []byte {
	switch f = append(f, first); {
	case n < 126:
		return append(f, mask|byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(f, mask|126), uint16(n))
	default:
		return binary.BigEndian.AppendUint64(append(f, mask|127), uint64(n))
	}
}

// A source hands out what the proxy sent, piece by piece. A piece is never empty
// and stays valid until the next call.
type source interface{ next() ([]byte, error) }

// plainSource reads bytes that are not framed.
type plainSource struct {
	r   io.Reader
	buf []byte
}

func (s *plainSource) next() ([]byte, error) {
	n, err := s.r.Read(s.buf)
	if n > 0 {
		return s.buf[:n], nil
	}
	return nil, err
}

// frameSource reads unmasked frames and hands out the payload of data frames.
// Without onPing pings are ignored: few loads last long enough to be closed for it.
type frameSource struct {
	r      io.Reader
	onPing func()
	buf    []byte
	ready  []byte // read and not yet handed out, within buf
	left   int64  // payload bytes of the open frame still to come
	data   bool   // the open frame is a data frame
}

func (s *frameSource) next() ([]byte, error) {
	for {
		if s.left > 0 && len(s.ready) > 0 {
			if piece := s.take(); s.data {
				return piece, nil
			}
			continue
		}
		if s.left == 0 {
			opened, err := s.open()
			if err != nil {
				return nil, err
			}
			if opened {
				continue
			}
		}
		if err := s.fill(); err != nil {
			return nil, err
		}
	}
}

// take cuts what is there of the open frame off ready.
func (s *frameSource) take() []byte {
	n := min(s.left, int64(len(s.ready)))
	piece := s.ready[:n]
	s.ready, s.left = s.ready[n:], s.left-n
	return piece
}

// open reads the next header; false means more bytes are needed.
func (s *frameSource) open() (bool, error) {
	h := s.ready
	if len(h) < 2 {
		return false, nil
	}
	if h[0]&0x70 != 0 || h[1]&maskBit != 0 {
		return false, fmt.Errorf("bad frame header % x from the proxy", h[:2])
	}
	size, n := 2, int64(h[1])
	switch {
	case n == 126 && len(h) >= 4:
		size, n = 4, int64(binary.BigEndian.Uint16(h[2:]))
	case n == 127 && len(h) >= 10:
		size, n = 10, int64(binary.BigEndian.Uint64(h[2:]))
	case n >= 126:
		return false, nil
	}
	if h[0]&0xf == opClose {
		return false, errPeerClosed
	}
	if h[0]&0xf == opPing && s.onPing != nil {
		s.onPing()
	}
	s.ready, s.left, s.data = h[size:], n, h[0]&0x8 == 0
	return true, nil
}

// message appends a data frame's whole payload, which must not be empty, to b.
func (s *frameSource) message(b []byte) ([]byte, error) {
	for {
		piece, err := s.next()
		if err != nil {
			return nil, err
		}
		if b = append(b, piece...); s.left == 0 {
			return b, nil
		}
	}
}

// fill reads once, behind what is left of ready.
func (s *frameSource) fill() error {
	kept := copy(s.buf, s.ready)
	n, err := s.r.Read(s.buf[kept:])
	s.ready = s.buf[:kept+n]
	if n > 0 {
		return nil
	}
	return err
}

// handshake asks for an upgrade on rw and keeps what came behind the answer.
func (s *frameSource) handshake(w io.Writer, host string) error {
	if _, err := io.WriteString(w, "GET / HTTP/1.1\r\nHost: "+host+"\r\n"+
		"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"+
		"Sec-WebSocket-Protocol: binary\r\nSec-WebSocket-Key: "+handshakeKey+"\r\n\r\n"); err != nil {
		return err
	}
	for {
		if head, rest, ok := bytes.Cut(s.ready, []byte("\r\n\r\n")); ok {
			s.ready = rest
			return checkAnswer(head)
		}
		if len(s.ready) == len(s.buf) {
			return errors.New("endless answer to the handshake")
		}
		if err := s.fill(); err != nil {
			return fmt.Errorf("handshake: %w", err)
		}
	}
}

func checkAnswer(head []byte) error {
	status, _, _ := bytes.Cut(head, []byte("\r\n"))
	if !bytes.HasPrefix(status, []byte("HTTP/1.1 101 ")) {
		return fmt.Errorf("handshake answered %q", status)
	}
	if !bytes.Contains(head, []byte(handshakeAccept)) {
		return errors.New("handshake answered with a wrong Sec-WebSocket-Accept")
	}
	return nil
}
