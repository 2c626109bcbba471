//go:build linux

package e2e

import (
	"io"
	"net"
	"strings"
	"testing"
)

// handshake is an opening handshake as a person types it, with RFC 6455's own
// kind of key; it asks for no subprotocol.
const handshake = "GET /websocket HTTP/1.1\n" +
	"Host: localhost\n" +
	"Upgrade: websocket\n" +
	"Connection: Upgrade\n" +
	"Sec-WebSocket-Key: h3aOngl22xTlrMuoCGC4+w==\n" +
	"Sec-WebSocket-Version: 13\n" +
	"\n"

// TestHandshakeTypedIntoOpenSSL: a person types the opening handshake into
// openssl s_client, whose line ends are LF or, with -crlf, CRLF. The answer
// has the right key, and the target's first bytes follow as a frame.
func TestHandshakeTypedIntoOpenSSL(t *testing.T) {
	need(t, "openssl")
	cert := certify(t, t.TempDir(), "localhost")
	greeter := target(t, func(c net.Conn) { io.WriteString(c, "welcome"); io.Copy(io.Discard, c) })
	b := serve(t, greeter, cert.options()...)
	for name, option := range map[string][]string{"LF": nil, "CRLF": {"-crlf"}} {
		t.Run(name, func(t *testing.T) {
			args := append([]string{"s_client", "-quiet", "-verify_return_error",
				"-CAfile", cert.cert, "-connect", b.address()}, option...)
			person := converse(t, "openssl", args...)
			person.say(handshake)
			person.await(`HTTP/1\.1 101 `)
			person.await(`(?i)Sec-WebSocket-Accept: AEwKHncza7ZXcfBb5yM/aluzmpE=\r\n`)
			person.await(`welcome`)
			if !strings.Contains(person.out.String(), "\r\n\r\n\x82\x07welcome") {
				t.Errorf("no frame follows the handshake's answer; openssl said:\n%s", person.out)
			}
		})
	}
}
