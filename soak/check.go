//go:build linux

package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"hash"
)

// A checker holds what arrives against the stream that was sent, byte for byte,
// and sums it up. The sum is held against the sender's, who made it of what it
// wrote: two ways to the same verdict.
type checker struct {
	want *stream
	sum  hash.Hash
	at   int64 // how much has arrived
}

func newChecker(want *stream) *checker { return &checker{want: want, sum: sha256.New()} }

// take is given what arrived; an error says where the first difference is.
func (c *checker) take(p []byte) error {
	c.sum.Write(p)
	for len(p) > 0 {
		want := c.want.take(min(len(p), block/2))
		if len(want) == 0 {
			return fmt.Errorf("at least %d bytes more than the %d that were sent: % x", len(p), c.at, p[:min(len(p), 16)])
		}
		got := p[:len(want)]
		if !bytes.Equal(got, want) {
			return difference(got, want, c.at)
		}
		c.at += int64(len(want))
		p = p[len(want):]
	}
	return nil
}

// difference says where got is not want, which has as many bytes; at is where both
// begin.
func difference(got, want []byte, at int64) error {
	i := 0
	for got[i] == want[i] {
		i++
	}
	to := min(i+16, len(got))
	return fmt.Errorf("the first difference is at byte %d: % x arrived, % x was sent", at+int64(i), got[i:to], want[i:to])
}

func (c *checker) total() []byte { return c.sum.Sum(nil) }

// finish says what has not arrived, or that the sender's sum is another.
func (c *checker) finish(sent []byte) error {
	if !c.want.over() {
		return fmt.Errorf("all after byte %d is missing", c.at)
	}
	if got := c.sum.Sum(nil); !bytes.Equal(got, sent) {
		return fmt.Errorf("SHA-256 of what arrived is %x, of what was sent %x", got, sent)
	}
	return nil
}
