//go:build linux

package e2e

import (
	"crypto/tls"
	"strings"
	"testing"
	"time"
)

// TestAbuseByFrames: a client that was let in breaks the protocol, or keeps to it
// in ways that cost much. Plain sessions are carried by an event loop, those over
// TLS by goroutines.
func TestAbuseByFrames(t *testing.T) {
	need(t, "openssl")
	cert := certify(t, t.TempDir(), "localhost")
	for name, config := range map[string]*tls.Config{"event loop": nil, "goroutines": believing} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := besiege(t, cert.options()...)
			s.withstand(t, append(breaches(config), frameFloods(config)...))
		})
	}
}

// breaches are ended with a code and words; nothing said after them counts.
func breaches(config *tls.Config) (all []abuse) {
	for _, b := range []struct{ name, says, code string }{
		{"a frame without a mask", bare(final|opBinary, "x"), "1002"},
		{"RSV1", masked(final|rsv1|opBinary, "x"), "1002"},
		{"RSV2", masked(final|0x20|opBinary, "x"), "1002"},
		{"RSV3", masked(final|0x10|opBinary, "x"), "1002"},
		{"opcode 3", masked(final|3, "x"), "1002"},
		{"opcode 11", masked(final|11, "x"), "1002"},
		{"a length of 2^63", "\x82\xff\x80\x00\x00\x00\x00\x00\x00\x00\x01\x02\x03\x04x", "1002"},
		{"a length of 2^64-1", "\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x02\x03\x04x", "1002"},
		{"a ping of 126 bytes", masked(final|opPing, strings.Repeat("x", 126)), "1002"},
		{"a ping in fragments", masked(opPing, "x"), "1002"},
		{"a continuation of nothing", masked(final|opContinuation, "x"), "1002"},
		{"a message inside another", masked(opBinary, "x") + masked(final|opBinary, "x"), "1002"},
		{"half a close code", masked(final|opClose, "x"), "1002"},
		{"a close code that cannot be sent", closing(1005, ""), "1002"},
		{"a close reason that is no text", closing(1000, "\xff"), "1007"},
		{"HTTP goes on after the handshake", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "1002"},
	} {
		all = append(all, abuse{b.name, func(c *talker) {
			c.reach(config)
			c.upgrade("/")
			c.say(b.says + masked(final|opPing, "still here?"))
			c.end()
		}, `101, ("x", )?close ` + b.code + ", gone", counts{b.code + " client": 1}, `code=` + b.code})
	}
	return all
}

// frameFloods are allowed, and cost what they may.
func frameFloods(config *tls.Config) []abuse {
	const many = 100_000
	flood := func(frames string) func(c *talker) { // which the target's echo ends with "."
		return func(c *talker) {
			c.reach(config)
			c.upgrade("/")
			go c.say(frames)
			c.pongs(".")
		}
	}
	zeros := strings.Repeat(masked(opContinuation, ""), many)
	return []abuse{
		{"a frame of 2^62 bytes that never come", func(c *talker) {
			c.reach(config)
			c.upgrade("/")
			c.say("\x82\xff\x40\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00hello")
			c.hear(5)
		}, `101, "hello"`, counts{"1006 client": 1}, ""},
		{"lengths in more bytes than they need", func(c *talker) {
			c.reach(config)
			c.upgrade("/")
			c.say("\x82\xfe\x00\x05\x00\x00\x00\x00hello\x82\xff\x00\x00\x00\x00\x00\x00\x00\x06\x00\x00\x00\x00, you!")
			c.hear(11)
		}, `101, "hello, you!"`, counts{"1006 client": 1}, ""},
		{"frames of one byte", flood(strings.Repeat(masked(final|opBinary, "x"), many) + masked(final|opBinary, ".")), "101, heard", counts{"1006 client": 1}, ""},
		{"frames of nothing", flood(strings.Repeat(masked(final|opBinary, ""), many) + masked(final|opBinary, ".")), "101, heard", counts{"1006 client": 1}, ""},
		{"a message of nothing that goes on and on", flood(masked(opBinary, "") + zeros + masked(final|opContinuation, ".")), "101, heard", counts{"1006 client": 1}, ""},
		{"pings", flood(strings.Repeat(masked(final|opPing, strings.Repeat("x", 125)), many) + masked(final|opBinary, ".")), "101, pong, heard", counts{"1006 client": 1}, ""},
		{"pongs that nobody asked for", flood(strings.Repeat(masked(final|opPong, ""), many) + masked(final|opBinary, ".")), "101, heard", counts{"1006 client": 1}, ""},
		{"pings whose pongs are not read", func(c *talker) {
			c.reach(config)
			c.upgrade("/")
			c.conn.SetWriteDeadline(time.Now().Add(2 * time.Second))
			c.say(strings.Repeat(masked(final|opPing, strings.Repeat("x", 125)), 5*many))
		}, "101", counts{"1006 client": 1}, ""},
		{"an echo that is not read", func(c *talker) {
			c.reach(config)
			c.upgrade("/")
			c.conn.SetWriteDeadline(time.Now().Add(2 * time.Second))
			c.say(strings.Repeat(masked(final|opBinary, strings.Repeat("x", 65536)), 1000))
		}, "101", counts{"1006 client": 1}, ""},
	}
}

// pongs reads until the target's echo ends with a byte, and notes whether a pong
// was among the frames.
func (c *talker) pongs(ends string) {
	seen := false
	for {
		opcode, payload, err := readFrame(c.in)
		switch {
		case err != nil:
			c.note("%s", failing(err))
			return
		case opcode == opPong && !seen:
			seen = true
			c.note("pong")
		case opcode == opBinary && strings.HasSuffix(string(payload), ends):
			c.note("heard")
			return
		}
	}
}
