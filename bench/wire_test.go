//go:build linux

package main

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/gobwas/ws"
)

// frameSizes are those around every change of the header's length.
func frameSizes() []int { return []int{0, 1, 125, 126, 127, 65535, 65536, 3 * chunk} }

func stream(n int) []byte {
	return bytes.Repeat(newPattern(), n/chunk+1)[:n]
}

func TestMaskedFramesAreReadByGobwas(t *testing.T) {
	for _, n := range frameSizes() {
		f, err := readFrame(bytes.NewReader(maskedFrame(opBinary, stream(n))))
		if err != nil {
			t.Fatalf("%d bytes: %v", n, err)
		}
		if !f.Header.Masked || !f.Header.Fin || f.Header.OpCode != ws.OpBinary {
			t.Errorf("%d bytes: header %+v", n, f.Header)
		}
		if !bytes.Equal(ws.UnmaskFrame(f).Payload, stream(n)) {
			t.Errorf("%d bytes: another payload", n)
		}
	}
}

// However the frames of another implementation are cut, their payload comes out whole.
func TestFrameSource(t *testing.T) {
	var wire, want bytes.Buffer
	for _, n := range frameSizes() {
		ws.WriteFrame(&wire, ws.NewPingFrame([]byte("still there?")))
		ws.WriteFrame(&wire, ws.NewBinaryFrame(stream(n)))
		want.Write(stream(n))
	}
	ws.WriteFrame(&wire, ws.NewCloseFrame(ws.NewCloseFrameBody(1000, "")))
	for name, cut := range map[string]func(io.Reader) io.Reader{
		"whole":         func(r io.Reader) io.Reader { return r },
		"byte by byte":  iotest.OneByteReader,
		"half":          iotest.HalfReader,
		"data with EOF": iotest.DataErrReader,
	} {
		for _, buffer := range []int{16, smallReadSize, readSize} {
			s := &frameSource{r: cut(bytes.NewReader(wire.Bytes())), buf: make([]byte, buffer)}
			got, err := drain(s)
			if !errors.Is(err, errPeerClosed) || !bytes.Equal(got, want.Bytes()) {
				t.Errorf("%s, buffer %d: %d bytes of %d, error %v", name, buffer, len(got), want.Len(), err)
			}
		}
	}
}

func drain(s source) ([]byte, error) {
	var all []byte
	for {
		piece, err := s.next()
		if err != nil {
			return all, err
		}
		all = append(all, piece...)
	}
}

// Whole messages come out of a buffer that is smaller than they are, and a ping
// between them is told.
func TestFrameSourceMessages(t *testing.T) {
	var wire bytes.Buffer
	sizes := []int{1, 15, 16, 17, 126, 70_000}
	for _, n := range sizes {
		ws.WriteFrame(&wire, ws.NewTextFrame(stream(n)))
		ws.WriteFrame(&wire, ws.NewPingFrame(nil))
	}
	pings := 0
	s := &frameSource{r: iotest.HalfReader(&wire), buf: make([]byte, 16), onPing: func() { pings++ }}
	for _, n := range sizes {
		if got, err := s.message([]byte("kept")); err != nil || !bytes.Equal(got[4:], stream(n)) {
			t.Errorf("%d bytes: got %d, error %v", n, len(got)-4, err)
		}
	}
	if _, err := s.message(nil); err != io.EOF || pings != len(sizes) {
		t.Errorf("at the end: error %v after %d pings, want EOF after %d", err, pings, len(sizes))
	}
}

func TestFrameSourceRefuses(t *testing.T) {
	for name, c := range map[string]struct{ wire, says string }{
		"a masked frame": {"\x82\x81abcd!", "bad frame header"},
		"a reserved bit": {"\xc2\x01!", "bad frame header"},
		"a cut header":   {"\x82", "EOF"},
		"a cut payload":  {"\x82\x05hal", "EOF"},
	} {
		_, err := drain(&frameSource{r: strings.NewReader(c.wire), buf: make([]byte, 64)})
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: error %v, want %q", name, err, c.says)
		}
	}
}

func TestHandshake(t *testing.T) {
	good := "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: " + handshakeAccept + "\r\n\r\n"
	for name, c := range map[string]struct{ answer, says string }{
		"accepted":         {good, ""},
		"refused":          {"HTTP/1.1 503 Service Unavailable\r\n\r\n", "503"},
		"of another key":   {"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: x\r\n\r\n", "Sec-WebSocket-Accept"},
		"cut":              {"HTTP/1.1 101", "EOF"},
		"without an end":   {strings.Repeat("x", 5000), "endless"},
		"with bytes after": {good + "\x82\x02hi", ""},
	} {
		for _, cut := range []func(io.Reader) io.Reader{iotest.OneByteReader, iotest.HalfReader} {
			s := &frameSource{r: cut(strings.NewReader(c.answer)), buf: make([]byte, smallReadSize)}
			err := s.handshake(io.Discard, "127.0.0.1")
			if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("an answer %s: error %v, want %q", name, err, c.says)
			}
			if rest, _ := drain(s); err == nil && strings.HasSuffix(c.answer, "hi") && string(rest) != "hi" {
				t.Errorf("an answer %s: then %q, want hi", name, rest)
			}
		}
	}
}

func TestPatternMatches(t *testing.T) {
	p, s := newPattern(), stream(3*chunk)
	for _, offset := range []int{0, 1, chunk - 1, chunk, chunk + 7} {
		piece := bytes.Clone(s[offset : offset+chunk+100])
		if !p.matches(int64(offset), piece) {
			t.Errorf("offset %d: the stream's own bytes do not match", offset)
		}
		for _, at := range []int{0, chunk - 1, chunk, len(piece) - 1} {
			piece[at] ^= 1
			if p.matches(int64(offset), piece) {
				t.Errorf("offset %d: a flipped bit at %d matches", offset, at)
			}
			piece[at] ^= 1
		}
	}
}
