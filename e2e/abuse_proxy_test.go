//go:build linux

package e2e

import (
	"strings"
	"testing"
)

// TestAbuseByPROXYHeaders: a peer that is believed says too much, or nonsense; one
// that is not says whose it is.
func TestAbuseByPROXYHeaders(t *testing.T) {
	s := besiege(t, "--proxy-protocol", proxies)
	const signature = "\r\n\r\n\x00\r\nQUIT\n"
	bad := counts{"bad PROXY header": 1}
	proxy := func(text string) func(*talker) {
		return func(c *talker) {
			c.from(proxies)
			go c.say(text)
			c.answers()
		}
	}
	stranger := func(text string) func(*talker) { return func(c *talker) { c.shout(text) } }
	s.withstand(t, []abuse{
		{"65,535 bytes of TLVs", proxy(signature + "\x21\x11\xff\xff" + strings.Repeat("\x04\x00\x01x", 20_000)), "gone|reset", bad, "bad PROXY header"},
		{"65,535 bytes of LOCAL", proxy(signature + "\x20\x00\xff\xff" + strings.Repeat("x", 1<<16) + opening), "gone|reset", bad, ""},
		{"LOCAL, and a session", proxy(signature + "\x20\x00\x00\x00" + opening), "101", counts{"1006 client": 1}, ""},
		{"a line without end", proxy("PROXY TCP4 " + strings.Repeat("1", 1<<20)), "gone|reset", bad, ""},
		{"a line of nonsense", proxy("PROXY TCP4 me you 1 2\r\n" + opening), "gone|reset", bad, ""},
		{"a TLV that is longer than the header", proxy(signature + "\x21\x11\x00\x0f\x7f\x00\x00\x01\x7f\x00\x00\x01\x00\x01\x00\x02\x04\xff\xff" + opening), "gone|reset", bad, ""},
		{"a version of its own", proxy(signature + "\x31\x11\x00\x00" + opening), "gone|reset", bad, ""},
		{"two headers", proxy("PROXY TCP4 6.6.6.6 7.7.7.7 1 2\r\nPROXY TCP4 6.6.6.6 7.7.7.7 1 2\r\n" + opening), "400, gone", counts{noRequest: 1}, ""},
		{"a stranger's", stranger("PROXY TCP4 6.6.6.6 7.7.7.7 1 2\r\n" + opening), "400, gone", counts{noRequest: 1}, ""},
		{"a stranger's of version 2", stranger(signature + "\x21\x11\x00\x0c\x06\x06\x06\x06\x07\x07\x07\x07\x00\x01\x00\x02" + opening), "400, gone", counts{noRequest: 1}, ""},
		{"a stranger's 65,535 bytes", stranger(signature + "\x21\x11\xff\xff" + strings.Repeat("\x04\x00\x01x", 20_000)), "400, (gone|reset)|reset", counts{noRequest: 1}, ""},
	})
}
