//go:build linux

package e2e

import (
	"crypto/tls"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// proxies is the address of a peer that is to speak the PROXY protocol.
const proxies = "127.0.0.3"

// slow is a client that says some bytes at once, others one by one, and goes on
// until it is cut.
type slow struct {
	name    string
	secure  bool   // over TLS
	from    string // its address; empty: any
	atOnce  string
	dripped string // again and again
	told    string // what it hears in the end
}

// TestAbuseBySlowness: a client that takes its time is cut at every phase before
// its session, however it spreads its bytes, and all of them are counted. After
// that it may take as long as it likes, and costs no more than others.
func TestAbuseBySlowness(t *testing.T) {
	need(t, "openssl")
	cert := certify(t, t.TempDir(), "localhost")
	s := besiege(t, append(cert.options(), "--proxy-protocol", proxies)...)
	head, hello := "GET / HTTP/1.1\r\nHost: x\r\nX: ", clientHello(t)
	all := []slow{
		{"nothing", false, "", "", "", "gone"},
		{"blank lines", false, "", "\r", "", "gone"},
		{"a Flash player's question", false, "", "<policy-file", "", "gone"},
		{"half a TLS hello", false, "", hello[:100], "", "gone"},
		{"a TLS hello byte by byte", false, "", hello[:5], hello[5:], "gone"},
		{"the beginning of a TLS record, again and again", false, "", "\x16\x03\x01\x00\x01\x01", "", "gone"},
		{"half a head", false, "", head, "", "gone"},
		{"a head that begins byte by byte", false, "", "G", "ET /" + strings.Repeat("x", 1000), "400, gone"},
		{"a head byte by byte", false, "", head, "x", "gone"},
		{"half a body", false, "", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nx", "", "405, gone"},
		{"half a body of an upgrade", false, "", strings.Join(upgrading("/", "Host: x", "Content-Length: 10"), "\r\n") + "\r\n\r\nx", "", "400, gone"},
		{"nothing over TLS", true, "", "", "", "gone"},
		{"a head byte by byte over TLS", true, "", head, "x", "gone"},
		{"half a PROXY header", false, proxies, "PROXY TCP4 ", "", "gone"},
		{"a PROXY header byte by byte", false, proxies, "P", "ROXY TCP4 127.0.0.1 127.0.0.1 1 2", "gone"},
		{"a long PROXY header byte by byte", false, proxies, "\r\n\r\n\x00\r\nQUIT\n\x21\x11\xff\xff", "\x00", "gone"},
	}
	s.withstand(t, []abuse{{"all at once", func(c *talker) {
		var clients sync.WaitGroup
		for _, client := range all {
			clients.Go(func() { client.attack(c) })
		}
		clients.Wait()
	}, "", counts{"nothing to go by in time": 3, "tls handshake failed": 3, noRequest: 4, "bad PROXY header": 3, "a WebSocket upgrade must not carry a body": 1}, ""},
		{"frames byte by byte", func(c *talker) { byByte(c, nil) }, `101, pong "hi", "hello", close 1000, gone`, nil, ""},
		{"frames byte by byte over TLS", func(c *talker) { byByte(c, believing) }, `101, pong "hi", "hello", close 1000, gone`, nil, ""},
	})
}

// attack goes on until the bridge ends it, and fails the test if that says
// something else than it should.
func (sl slow) attack(c *talker) {
	a := &talker{t: c.t, address: c.address}
	switch {
	case sl.from != "":
		a.from(sl.from)
	case sl.secure:
		a.reach(believing)
	default:
		a.reach(nil)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		a.answers()
	}()
	a.say(sl.atOnce)
	for i := 0; ; i++ {
		select {
		case <-ended:
			if told := strings.Join(a.heard, ", "); told != sl.told {
				c.t.Errorf("%s: told %q, want %q", sl.name, told, sl.told)
			}
			a.leave()
			return
		case <-time.After(100 * time.Millisecond):
			if sl.dripped != "" {
				a.say(sl.dripped[i%len(sl.dripped):][:1])
			}
		}
	}
}

// byByte has a session in segments of one byte.
func byByte(c *talker, config *tls.Config) {
	c.reach(config)
	c.upgrade("/")
	dribble := func(text string) {
		for i := range len(text) {
			c.say(text[i : i+1])
		}
	}
	dribble(masked(final|opPing, "hi"))
	c.next()
	dribble(masked(final|opBinary, "hello"))
	c.hear(5)
	c.shut(closing(1000, ""))
	c.end()
}

// clientHello is the first thing that a TLS client says.
func clientHello(t *testing.T) string {
	t.Helper()
	near, far := net.Pipe()
	defer far.Close()
	go func() {
		tls.Client(near, &tls.Config{ServerName: "localhost", NextProtos: []string{"h2", "http/1.1"}}).Handshake()
	}()
	b := make([]byte, 16<<10)
	n, err := far.Read(b)
	if err != nil || n < 200 {
		t.Fatalf("%d bytes, %v", n, err)
	}
	return string(b[:n])
}
