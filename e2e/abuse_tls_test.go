//go:build linux

package e2e

import (
	"crypto/tls"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
)

// TestAbuseByTLS: hellos that are none, too old, or many; and a client that wants
// to begin anew.
func TestAbuseByTLS(t *testing.T) {
	need(t, "openssl")
	cert := certify(t, t.TempDir(), "localhost")
	s := besiege(t, cert.options()...)
	failed := counts{"tls handshake failed": 1}
	hello := clientHello(t)
	s.withstand(t, []abuse{
		{"an SSLv2 hello", func(c *talker) { c.shout("\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10" + strings.Repeat("x", 37)) },
			"gone", counts{"SSLv2 hello refused: the client is too old": 1}, "SSLv2 hello refused"},
		{"TLS 1.0", shakeHands(&tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10}), "TLS alert", failed, "tls handshake failed"},
		{"TLS 1.1", shakeHands(&tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS11, MaxVersion: tls.VersionTLS11}), "TLS alert", failed, ""},
		{"no protocol of ours", shakeHands(&tls.Config{InsecureSkipVerify: true, NextProtos: []string{"imap"}}), "TLS alert", failed, ""},
		{"no cipher of ours", shakeHands(&tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA}}), "TLS alert", failed, ""},
		{"300 hellos with faults", func(c *talker) { broken(c, hello, 300) }, "", counts{"tls handshake failed": 300}, ""},
		{"300 hellos at once, and no more", func(c *talker) { begun(c, hello, 300) }, "", counts{"tls handshake failed": 300}, ""},
		{"300 hellos, and a reset behind each", func(c *talker) { vanish(c, hello, 300) }, "", counts{"tls handshake failed": 300}, ""},
		{"renegotiation", renegotiate, "SSL alert number (10|100)", nil, ""},
	})
}

// shakeHands notes how a handshake fails.
func shakeHands(config *tls.Config) func(*talker) {
	return func(c *talker) {
		c.reach(config)
		if err := c.conn.(*tls.Conn).Handshake(); err != nil {
			c.note("%s", failing(err))
		}
	}
}

// broken says a hello n times with bytes changed, taken out or put in behind the
// first, and waits for the end of each connection.
func broken(c *talker, hello string, n int) {
	random := rand.New(rand.NewPCG(12, 1))
	for range n {
		b := []byte(hello)
		for range 1 + random.IntN(8) {
			at := 1 + random.IntN(len(b)-1)
			switch random.IntN(4) {
			case 0:
				b = b[:max(at, 2)]
			case 1:
				b = append(b[:at:at], append([]byte{byte(random.Uint32())}, b[at:]...)...)
			default:
				b[at] = byte(random.Uint32())
			}
		}
		c.reach(nil)
		c.say(string(b))
		c.conn.(interface{ CloseWrite() error }).CloseWrite()
		io.Copy(io.Discard, c.in)
		c.leave()
	}
	c.conn = nil
}

// begun says a hello on n connections at once, and leaves in the middle of the
// answer.
func begun(c *talker, hello string, n int) {
	var all sync.WaitGroup
	for range n {
		c.reach(nil)
		conn := c.conn
		all.Go(func() {
			io.WriteString(conn, hello)
			io.ReadFull(conn, make([]byte, 5))
			conn.Close()
		})
	}
	all.Wait()
	c.conn = nil
}

// vanish says a hello on n connections, and resets each before it can be answered.
func vanish(c *talker, hello string, n int) {
	for range n {
		c.reach(nil)
		c.say(hello)
		c.conn.(*net.TCPConn).SetLinger(0)
		c.leave()
	}
	c.conn = nil
}

// renegotiate has OpenSSL ask for a second handshake on one connection.
func renegotiate(c *talker) {
	person := converse(c.t, "openssl", "s_client", "-tls1_2", "-connect", c.address)
	person.await(`Verify return code`)
	person.say("R\n")
	person.await(`RENEGOTIATING`)
	c.note("%s", person.await(`SSL alert number \d+`)[0])
	<-person.exited
}
