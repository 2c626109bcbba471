//go:build linux

package e2e

import (
	"strings"
	"testing"
)

// noRequest is the counter of connections that did not get as far as a request.
const noRequest = "no valid request"

// TestAbuseByHeads: what is no request, or more of one than anybody needs, is
// answered by a status that says so and the end of the connection.
func TestAbuseByHeads(t *testing.T) {
	dir := t.TempDir()
	put(t, dir+"/index.html", "the index")
	s := besiege(t, "--web", dir)
	long := strings.Repeat("x", 1<<20)
	get, upgrade := "GET / HTTP/1.1\r\nHost: x\r\n", strings.Join(upgrading("/", "Host: x"), "\r\n")+"\r\n"
	shout := func(text string) func(*talker) { return func(c *talker) { c.shout(text) } }
	one := counts{noRequest: 1}
	s.withstand(t, []abuse{
		// What has come of so much when the connection ends is a matter of time.
		{"a header line without end", shout(get + "X: " + long + long + long), "431, (gone|reset)|reset", one, ""},
		{"ten thousand header lines", shout(get + strings.Repeat("X: x\r\n", 10_000) + "\r\n"), "431, (gone|reset)|reset", one, ""},
		{"an address of a megabyte", shout("GET /" + long + " HTTP/1.1\r\nHost: x\r\n\r\n"), "431, (gone|reset)|reset", one, ""},
		{"a method of a megabyte", shout(long + " / HTTP/1.1\r\nHost: x\r\n\r\n"), "431, (gone|reset)|reset", one, ""},
		{"17 KB of head", shout(get + "X: " + long[:17<<10] + "\r\n\r\n"), "431, gone", one, ""},
		{"101 header lines", shout(get + strings.Repeat("X: x\r\n", 101) + "\r\n"), "431, gone", counts{"too many header lines": 1}, "upgrade refused.*too many header lines"},
		{"101 header lines of an upgrade", shout(upgrade + strings.Repeat("X: x\r\n", 101) + "\r\n"), "431, gone", counts{"too many header lines": 1}, ""},
		{"an upgrade of a megabyte", shout(upgrade + "X: " + long), "431, (gone|reset)|reset", one, ""},
		{"a subprotocol of 15 KB", shout(upgrade + "Sec-WebSocket-Protocol: " + long[:15000] + "\r\n\r\n"), "101", counts{"1006 client": 1}, ""},
		{"a key of 15 KB", shout(upgrade + "Sec-WebSocket-Key: " + long[:15000] + "\r\n\r\n"), "400, gone", counts{"header 'Sec-WebSocket-Key' must be there once, with 16 bytes in base64": 1}, ""},
		{"a chunked body without end", shout("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + strings.Repeat("10000\r\n"+long[:1<<16]+"\r\n", 100)), "405, (gone|reset)|reset", nil, ""},
		{"a chunk's extension without end", shout("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;" + long + long), "405, (gone|reset)|reset", nil, ""},
		{"trailers without end", shout("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + strings.Repeat("X: x\r\n", 500_000)), "405, (gone|reset)|reset", nil, ""},
		{"bytes that mean nothing", shout("\xde\xad" + string(noise(4000)) + "\r\n\r\n"), "400, gone", one, ""},
		{"another protocol", shout("SSH-2.0-OpenSSH_9.2p1\r\n\r\n"), "400, gone", one, ""},
		{"HTTP/9.9", shout("GET / HTTP/9.9\r\nHost: x\r\n\r\n"), "505, gone", one, ""},
		{"HTTP/2 without TLS", shout("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), "505, gone", counts{"HTTP/2 is spoken here over TLS only": 1}, ""},
		{"no host", shout("GET / HTTP/1.1\r\n\r\n"), "400, gone", one, ""},
		{"two hosts", shout(get + "Host: y\r\n\r\n"), "400, gone", one, ""},
		{"a CONNECT to somewhere else", shout("CONNECT example.com:25 HTTP/1.1\r\nHost: example.com:25\r\nConnection: close\r\n\r\n"), "405, gone", nil, ""},
		{"a request that breaks off", func(c *talker) {
			c.reach(nil)
			c.say(get)
			c.leave()
			c.conn = nil
		}, "", one, ""},
	})
}
