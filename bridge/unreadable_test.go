//go:build unix

package bridge

import (
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"
)

// TestUnreadableHeads: a client whose request cannot be read is told why, and so
// is the log, where nothing is repeated that the client said.
func TestUnreadableHeads(t *testing.T) {
	for _, tt := range []struct{ request, says string }{
		{"GET /secret\r\n\r\n", "malformed HTTP request"},
		{"GET /secret FTP/1.1\r\nHost: b\r\n\r\n", "malformed HTTP version"},
		{"GET /secret HTTP/1.1\nHost: b\nHost: b\n\n", "too many Host headers"},
		{"G(T /secret HTTP/1.1\r\nHost: b\r\n\r\n", "invalid method"},
		{"GET /secret%zz HTTP/1.1\r\nHost: b\r\n\r\n", "invalid URL escape"},
		{request("secret"), "a line of its head is no header field"},
		{request("Content-Length: secret"), "bad Content-Length"},
		{request("Content-Length: 1", "Content-Length: 2"), "http: message cannot contain multiple Content-Length headers"},
	} {
		for name, dial := range map[string]func(*rig) net.Conn{
			"plain": func(r *rig) net.Conn { return r.dialRaw() },
			"TLS":   func(r *rig) net.Conn { return r.handshaken("http/1.1") },
		} {
			t.Run(tt.says+", "+name, func(t *testing.T) {
				r := startRig(t, func(s *Server) { s.TLS = &tls.Config{Certificates: []tls.Certificate{selfSigned(t)}} })
				c := dial(r)
				io.WriteString(c, tt.request)
				if got := readAll(t, c); !strings.HasPrefix(got, "HTTP/1.1 400 ") || !strings.HasSuffix(got, "\r\n\r\nthe request cannot be read: "+tt.says+"\n") {
					t.Errorf("told %q", got)
				}
				c.Close()
				r.wantLog("connection ended without a valid request", tt.says)
				if strings.Contains(r.log.String(), "secret") {
					t.Error("the log repeats it")
				}
				if n := r.server.Stats().Refused[noRequest]; n != 1 {
					t.Errorf("counted %d times", n)
				}
				r.eventually("its place is given back", func() bool { return r.server.places.count() == 0 })
			})
		}
	}
}
