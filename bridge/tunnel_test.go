package bridge

import (
	"net/http/httptest"
	"strings"
	"testing"
)

// An answer to an upgrade is answered as RFC 8441 has it, however it is cut, and
// what follows it is the session's.
func TestAnswersOfHTTP1(t *testing.T) {
	for _, tc := range []struct {
		name, answer string
		status       int
		body         string
		headers      int
	}{
		{"101", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\nSec-WebSocket-Protocol: chat\r\nContent-Length: 0\r\n\r\n", 200, "", 1},
		{"101 and a frame", "HTTP/1.1 101 OK\r\n\r\n\x82\x01x", 200, "\x82\x01x", 0},
		{"403", "HTTP/1.1 403 Forbidden\r\nX-Why: because\r\nConnection: close\r\n\r\nno", 403, "no", 1},
	} {
		for cut := range len(tc.answer) {
			w := httptest.NewRecorder()
			a := &answering{&tunnel{ResponseWriter: w}}
			for _, piece := range []string{tc.answer[:cut], tc.answer[cut:]} {
				if n, err := a.Write([]byte(piece)); n != len(piece) || err != nil {
					t.Fatalf("%s, cut at %d: %d %v", tc.name, cut, n, err)
				}
				a.FlushError()
			}
			if w.Code != tc.status || w.Body.String() != tc.body || len(w.Header()) != tc.headers || !a.head.done {
				t.Fatalf("%s, cut at %d: %d %q %v", tc.name, cut, w.Code, w.Body, w.Header())
			}
		}
	}
	for name, answer := range map[string]string{"no HTTP": "SSH-2.0-x\r\n\r\n", "endless": "HTTP/1.1 101 OK\r\nX: " + strings.Repeat("x", answerBytes)} {
		a := &answering{&tunnel{ResponseWriter: httptest.NewRecorder()}}
		if _, err := a.Write([]byte(answer)); err == nil || a.head.done {
			t.Errorf("%s is taken for an answer", name)
		}
	}
}
