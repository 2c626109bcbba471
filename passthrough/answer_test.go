package passthrough

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wsbridge/wsbridge/internal/freeport"
)

// HIA-06: what a target may do instead of a handshake, and what the client and
// the log are told.
func TestNoAnswer(t *testing.T) {
	tests := map[string]struct {
		behave func(*targetConn)
		status int
		reason string
		log    string
	}{
		"says Hello world": {func(c *targetConn) { c.say("Hello world, this is no HTTP\r\n"); untilEnd(c) },
			502, "target does not answer in HTTP", "first bytes 'Hello world, thi'"},
		"says it without a line": {func(c *targetConn) { c.say("\x00\x01H"); untilEnd(c) },
			502, "target does not answer in HTTP", `first bytes '\\x00\\x01H'`},
		"says a status line that is none": {func(c *targetConn) { c.say("HTTP/1.1 huh\r\n\r\n"); untilEnd(c) },
			502, "target does not answer in HTTP", "malformed HTTP"},
		"is silent": {untilEnd, 504, "target did not answer the handshake in time", "i/o timeout"},
		"stops in the head": {func(c *targetConn) { c.say("HTTP/1.1 101 Switching Protocols\r\nUpgrade: web"); untilEnd(c) },
			504, "target did not answer the handshake in time", "i/o timeout"},
		"closes": {func(*targetConn) {}, 502, "target closed the connection without an answer", "EOF"},
		"closes in the head": {func(c *targetConn) { c.say("HTTP/1.1 101 Swi"); c.CloseWrite(); untilEnd(c) },
			502, "target closed the connection in the middle of its answer", "first bytes 'HTTP/1.1 101 Swi'"},
		"has a head without end": {func(c *targetConn) {
			c.say("HTTP/1.1 101 Switching Protocols\r\n")
			io.Copy(c.Conn, endless("X-Head: x\r\n"))
		}, 502, "target answered with a head over 32 KiB", "the head does not end"},
		"switches to another protocol": {func(c *targetConn) {
			c.say("HTTP/1.1 101 x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
			untilEnd(c)
		},
			502, "target does not answer as a WebSocket server does", "h2c"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			to := tcp(startTarget(t, test.behave).address)
			to.HeadTimeout = patience
			if test.status == 504 {
				to.HeadTimeout = 50 * time.Millisecond
			}
			front := startFront(t, to)
			status, _, body := front.send(upgradeHead("/")).answer()
			if status != test.status || body != test.reason+"\n" {
				t.Errorf("answer %d %q, want %d %q", status, body, test.status, test.reason)
			}
			front.wantOutcome(Outcome{Status: test.status, By: "target", Reason: test.reason})
			front.wantLog("level=WARN", "target="+to.String(), fmt.Sprint("status=", test.status), test.reason, test.log)
		})
	}
}

// endless says s for ever.
type endless string

func (e endless) Read(p []byte) (n int, err error) {
	for n < len(p) {
		n += copy(p[n:], e)
	}
	return n, nil
}

// HIA-06: a target that cannot be reached.
func TestNoTarget(t *testing.T) {
	refusing, refusing503 := tcp(freeport.Address(t)), tcp(freeport.Address(t))
	refusing503.RefusedStatus = 503
	tests := map[string]struct {
		to     *Target
		status int
		reason string
	}{
		"nobody listens":     {refusing, 502, "target refused the connection"},
		"the same, as 503":   {refusing503, 503, "target refused the connection"},
		"there is no socket": {&Target{Network: "unix", Address: filepath.Join(t.TempDir(), "s")}, 502, "target socket not found"},
		"there is no name":   {tcp("nowhere.invalid:80"), 502, "target name not found"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			front := startFront(t, test.to)
			status, header, body := front.send(upgradeHead("/")).answer()
			if status != test.status || body != test.reason+"\n" {
				t.Errorf("answer %d %q, want %d %q", status, body, test.status, test.reason)
			}
			if retry := header.Get("Retry-After"); (retry != "") != (status == 503) {
				t.Errorf("Retry-After %q with %d", retry, status)
			}
		})
	}
}

// An answer that is no 101 is the client's, whole and with nothing of ours in
// it, and the last one.
func TestOtherAnswers(t *testing.T) {
	tests := map[string]struct{ sent, want string }{
		"with a length": {
			"HTTP/1.1 403 Not You\r\nContent-Length: 7\r\nX-Why: a\r\nX-Why: b\r\n\r\ngo away",
			"HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 7\r\nX-Why: a\r\nX-Why: b\r\n\r\ngo away"},
		"up to the end": {
			"HTTP/1.0 200 OK\r\nContent-Type: text/x\r\nDate: then\r\n\r\nup to the end",
			"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/x\r\nDate: then\r\nTransfer-Encoding: chunked\r\n\r\nd\r\nup to the end\r\n0\r\n\r\n"},
		"of another version": {
			"HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 8\r\nContent-Length: 0\r\n\r\n",
			"HTTP/1.1 426 Upgrade Required\r\nConnection: close\r\nContent-Length: 0\r\nSec-Websocket-Version: 8\r\nUpgrade: websocket\r\n\r\n"},
		"with a hint before it": {
			"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 401 Unauthorized\r\nWww-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n",
			"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 401 Unauthorized\r\nConnection: close\r\nContent-Length: 0\r\nWww-Authenticate: Basic\r\n\r\n"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			front := startFront(t, tcp(startTarget(t, func(c *targetConn) { c.say(test.sent); c.CloseWrite() }).address))
			front.send(upgradeHead("/")).wantRest(test.want)
			if o := front.outcome(); o.By != "target" || !strings.HasPrefix(o.Reason, "target answered "+fmt.Sprint(o.Status)) {
				t.Errorf("outcome %+v", o)
			}
		})
	}
}

// An answer that breaks off is not made to look whole.
func TestAnswerBreaksOff(t *testing.T) {
	front := startFront(t, tcp(startTarget(t, func(c *targetConn) {
		c.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
	}).address))
	c := front.send(upgradeHead("/"))
	res, err := http.ReadResponse(c.in, nil)
	check(t, err)
	defer res.Body.Close()
	if got, err := io.ReadAll(res.Body); err == nil {
		t.Errorf("%q came as if it were all", got)
	}
	front.wantOutcome(Outcome{Status: 200, By: "target", Reason: "target broke off its answer"})
}

// A wrong accept is the target's to answer for; the log says so once.
func TestWrongAccept(t *testing.T) {
	const wrong = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
	front := startFront(t, tcp(startTarget(t, func(c *targetConn) { c.say(wrong + "frames") }).address))
	for range 2 {
		c := front.send(upgradeHead("/"))
		if got := c.head(); got != wrong {
			t.Errorf("answer %q", got)
		}
		c.wantRest("frames")
	}
	front.wantLog("level=WARN", "wrong Sec-WebSocket-Accept", `got=""`)
	if n := strings.Count(front.log.String(), "wrong Sec-WebSocket-Accept"); n != 1 {
		t.Errorf("%d warnings", n)
	}
}

// A client that reads nothing is waited for as long as silence may last.
func TestClientTakesNothing(t *testing.T) {
	to := tcp(startTarget(t, func(c *targetConn) {
		c.say(switching)
		io.Copy(c.Conn, endless("much"))
	}).address)
	to.Idle = 200 * time.Millisecond
	front := startFront(t, to)
	c := front.send(upgradeHead("/"))
	c.Conn.(*net.TCPConn).SetReadBuffer(4096)
	if o := front.outcome(); o.By != "bridge" || o.Reason != "session idle" || o.ToClient == 0 {
		t.Errorf("outcome %+v", o)
	}
}
