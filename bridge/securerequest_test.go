package bridge

import (
	"bufio"
	"crypto/tls"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// The first request of a TLS client is answered like those after it, however it
// is cut, and so is an upgrade: they are known to have come over TLS.
func TestSecureRequests(t *testing.T) {
	r := startRigFor(t, "tls", func(s *Server) {
		s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.TLS == nil || !r.TLS.HandshakeComplete || !strings.HasPrefix(r.RemoteAddr, "127.0.0.1:") {
				http.Error(w, "not known to be secure", http.StatusTeapot)
			}
		})
		route := s.Route
		s.Route = func(r *http.Request) (Route, error) {
			if r.TLS == nil || !r.TLS.HandshakeComplete {
				return Route{}, &Refusal{Status: http.StatusTeapot, Reason: "not known to be secure"}
			}
			return route(r)
		}
	})
	const page = "GET /page HTTP/1.1\r\nHost: bridge\r\n\r\n"
	for _, tc := range []struct {
		name   string
		pieces []string
	}{
		{"one upgrade", []string{request()}},
		{"an upgrade in two pieces", []string{request()[:30], request()[30:]}},
		{"a page, then an upgrade", []string{page, request()}},
		{"both at once", []string{page + request()}},
		{"half of a second request along with the first", []string{page + page[:10], page[10:], request()}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := tls.Client(r.dialRaw(), &tls.Config{InsecureSkipVerify: true})
			in := bufio.NewReader(c)
			for _, piece := range tc.pieces {
				io.WriteString(c, piece)
			}
			for range strings.Count(strings.Join(tc.pieces, ""), page) {
				answer, err := http.ReadResponse(in, nil)
				if err != nil || answer.StatusCode != http.StatusOK {
					t.Fatalf("the page: %+v %v", answer, err)
				}
				io.Copy(io.Discard, answer.Body)
			}
			if answer, err := http.ReadResponse(in, nil); err != nil || answer.StatusCode != http.StatusSwitchingProtocols {
				t.Fatalf("the upgrade: %+v %v", answer, err)
			}
			target := r.accept()
			io.WriteString(c, masked(ws.OpBinary, true, "hello"))
			if got := readN(t, target, 5); got != "hello" {
				t.Errorf("target got %q", got)
			}
		})
	}
}

// A TLS client that does not come to the end of its first request has as long as
// any other, whether it began or not.
func TestSecureClientSaysNoRequest(t *testing.T) {
	for name, said := range map[string]string{"none": "", "a part": request()[:30]} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := startRigFor(t, "tls", func(s *Server) { s.Limits.HeaderTimeout = 3 * time.Second }) // the handshake's, too
			c := tls.Client(r.dialRaw(), &tls.Config{InsecureSkipVerify: true})
			unhurried(c)
			if err := c.Handshake(); err != nil {
				t.Fatal(err)
			}
			io.WriteString(c, said)
			if _, err := io.Copy(io.Discard, c); err != nil {
				t.Error(err)
			}
			r.eventually("the end of the connection", func() bool { return r.server.places.count() == 0 })
		})
	}
}
