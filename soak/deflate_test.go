//go:build linux

package main

import (
	"bytes"
	"testing"
)

// TestSqueezedMessagesComeBack: over messages smaller and larger than a window.
func TestSqueezedMessagesComeBack(t *testing.T) {
	said, from, to := newStream(1, newAlphabet(), 1<<20), newSqueezer(), unsqueezer{}
	for n := 0; !said.over(); n = (n*3 + 1) % 60_000 {
		message := bytes.Clone(said.whole(n))
		got, err := to.unsqueeze(from.squeeze(message))
		if err != nil || !bytes.Equal(got, message) {
			t.Fatalf("%d bytes became %d: %v", len(message), len(got), err)
		}
	}
	if _, err := to.unsqueeze([]byte("\xff\xff")); err == nil {
		t.Error("what is no compressed message is taken for one")
	}
}

// TestOnlyDataIsSqueezed: where compression was agreed on, the bit that says so is
// for the first frames of messages.
func TestOnlyDataIsSqueezed(t *testing.T) {
	for wire, good := range map[string]bool{
		"\xc2\x00": true, "\xc1\x00": true, "\x41\x00": true,
		"\xc9\x00": false, "\xc0\x00": false, "\xa2\x00": false, "\x92\x00": false,
	} {
		r := reader([]byte(wire), false)
		r.deflate = true
		if f, err := r.next(); (err == nil) != good || good && !f.squeezed {
			t.Errorf("% x: %v", wire, err)
		}
	}
}
