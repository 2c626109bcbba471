package bridge

import (
	"io"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// What net/http refuses by itself, or cuts, is counted like all other refusals;
// requests that were answered are not, nor who has none.
func TestNoRequestIsCounted(t *testing.T) {
	r := startRig(t, func(s *Server) {
		s.Limits.HeaderTimeout, s.Limits.SniffTimeout = time.Second, time.Second
	})
	for _, said := range []string{
		"GET / HTTP/1.1\r\nHost: x\r\n",                          // and no more
		"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",           // 400
		"GET / HTTP/1.1\r\nHost: x\r\nX : y\r\n\r\n",             // 400
		"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", // 404
		"\r\n", // and no more
		"",     // and no more
	} {
		c := r.dialRaw()
		io.WriteString(c, said)
		io.Copy(io.Discard, c)
	}
	r.dialRaw().Close()
	want := map[string]int{noRequest: 3, "nothing to go by in time": 2}
	r.eventually("all are counted, and gone", func() bool {
		n := r.server.Stats()
		return n.Connections == 0 && cmp.Equal(n.Refused, want)
	})
}
