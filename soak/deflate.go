//go:build linux

package main

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"
	"strings"
)

// extension is RFC 7692 with its defaults: each side keeps its window from message
// to message.
const extension = "permessage-deflate"

// flushed is the end of what a message is compressed to, which is not sent (RFC
// 7692, 7.2.1); lastBlock makes an end of it for who reads it.
const (
	flushed   = "\x00\x00\xff\xff"
	lastBlock = "\x01\x00\x00\xff\xff"
)

// A squeezer compresses one side's messages.
type squeezer struct {
	w   *flate.Writer
	out bytes.Buffer
}

func newSqueezer() *squeezer {
	s := new(squeezer)
	s.w, _ = flate.NewWriter(&s.out, flate.BestSpeed) // which is a level that there is
	return s
}

// squeeze compresses a message; the result is valid until the next call.
func (s *squeezer) squeeze(p []byte) []byte {
	s.out.Reset()
	s.w.Write(p) // a buffer takes everything
	s.w.Flush()
	return bytes.TrimSuffix(s.out.Bytes(), []byte(flushed))
}

const windowSize = 32 << 10

// An unsqueezer takes one side's messages apart again.
type unsqueezer struct {
	r      io.ReadCloser // nil before the first
	window []byte
	out    bytes.Buffer
}

// unsqueeze returns a message, which is valid until the next call.
func (u *unsqueezer) unsqueeze(p []byte) ([]byte, error) {
	in := io.MultiReader(bytes.NewReader(p), strings.NewReader(flushed+lastBlock))
	if u.r == nil {
		u.r = flate.NewReader(in)
	} else if err := u.r.(flate.Resetter).Reset(in, u.window); err != nil {
		return nil, err
	}
	u.out.Reset()
	n, err := io.Copy(&u.out, io.LimitReader(u.r, maxMessage+1))
	if err == nil && n > maxMessage {
		err = errors.New("an endless message")
	}
	u.window = append(u.window, u.out.Bytes()...)
	u.window = u.window[max(0, len(u.window)-windowSize):]
	return u.out.Bytes(), err
}
