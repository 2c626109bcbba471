package frame

import (
	"bytes"
	"encoding/base64"

	"github.com/gobwas/ws"
)

// Base64Stream decodes base64 text that is cut anywhere: inside a quantum,
// between messages, with padding in the middle. It is the payload format of
// the "base64" subprotocol. The zero value is ready.
type Base64Stream struct {
	tail [4]byte // the start of a quantum
	n    int
}

// DecodedRoom is how long dst must be for Decode to take n bytes.
func DecodedRoom(n int) int { return base64.StdEncoding.DecodedLen(n+4) + 3 }

// Decode writes to dst the bytes that src completes and returns how many. dst
// and src may not overlap. src is used as scratch.
func (b *Base64Stream) Decode(dst, src []byte) (n int, err error) {
	src = dropLineEnds(src)
	for len(src) > 0 {
		run := b.run(src)
		if run == 0 { // complete a quantum byte by byte
			b.tail[b.n] = src[0]
			b.n, src = b.n+1, src[1:]
			if b.n < 4 {
				continue
			}
			b.n = 0
			m, err := decodeQuanta(dst[n:], b.tail[:])
			if n += m; err != nil {
				return n, err
			}
			continue
		}
		m, err := decodeQuanta(dst[n:], src[:run])
		if n += m; err != nil {
			return n, err
		}
		src = src[run:]
	}
	return n, nil
}

// Flush writes what an unpadded last quantum holds, at the end of the stream.
func (b *Base64Stream) Flush(dst []byte) (int, error) {
	tail := b.tail[:b.n]
	b.n = 0
	n, err := base64.RawStdEncoding.Decode(dst, tail)
	return n, base64Error(err)
}

// run is how many bytes at src's start are whole quanta to decode in one go:
// none while a quantum is open, and none past the first padding.
func (b *Base64Stream) run(src []byte) int {
	if b.n > 0 {
		return 0
	}
	if pad := bytes.IndexByte(src, '='); pad >= 0 {
		return min(len(src), pad+4) &^ 3
	}
	return len(src) &^ 3
}

func decodeQuanta(dst, src []byte) (int, error) {
	n, err := base64.StdEncoding.Decode(dst, src)
	return n, base64Error(err)
}

func base64Error(err error) error {
	if err == nil {
		return nil
	}
	return &Error{ws.StatusInvalidFramePayloadData, "payload is not valid base64"}
}

// dropLineEnds removes CR and LF in place; encoders of old put them in.
func dropLineEnds(p []byte) []byte {
	if bytes.IndexByte(p, '\n') < 0 && bytes.IndexByte(p, '\r') < 0 {
		return p
	}
	out := p[:0]
	for _, c := range p {
		if c != '\n' && c != '\r' {
			out = append(out, c)
		}
	}
	return out
}
