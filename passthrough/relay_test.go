package passthrough

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// HIA-01: the target gets the request as the client sent it, and its 101 gets
// back as it was written. What a proxy likes to take or add is all in it.
func TestUpgradeUnchanged(t *testing.T) {
	target := startTarget(t, echo)
	front := startFront(t, tcp(target.address))
	sent := []string{
		"Origin: http://page.example", "Sec-WebSocket-Protocol: synapse(contentType='application/json'), chat",
		"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits", "Cookie: a=1; b=2", "Cookie: c=3",
		"X-Forwarded-For: 192.0.2.7", "Forwarded: for=192.0.2.7", "X-Forwarded-Proto: gopher", "Keep-Alive: timeout=5",
		"Proxy-Authorization: Basic eDp5", "Te: trailers", "Authorization: Bearer t0ken", "X-Empty:", "X-Twice: 1", "X-Twice: 2",
	}
	c := front.send(upgradeHead("/a%2Fb/%7e?x=1;y=%zz&token=a+b", sent...))
	c.join()
	want := strings.Split(strings.TrimSpace(upgradeHead("/a%2Fb/%7e?x=1;y=%zz&token=a+b", sent...)), "\r\n")
	got := strings.Split(strings.TrimSpace(target.head(t)), "\r\n")
	if diff := cmp.Diff(sorted(want), sorted(got)); diff != "" || want[0] != got[0] {
		t.Errorf("head at the target (-want +got):\n%s", diff)
	}
	c.closeWrite()
	c.wantRest("")
	front.wantOutcome(Outcome{Status: 101, By: "client", Reason: "client closed"})
}

func sorted(lines []string) map[string]int {
	m := map[string]int{}
	for _, line := range lines {
		m[strings.TrimSpace(line)]++
	}
	return m
}

func TestOptionsOfTheHead(t *testing.T) {
	target := startTarget(t, echo)
	to := tcp(target.address)
	to.Base, to.HostTarget, to.Forwarded = "/base", true, true
	front := startFront(t, to)
	front.send(upgradeHead("/chat?q", "X-Forwarded-For: 192.0.2.7")).join()
	head := target.head(t)
	for _, want := range []string{
		"GET /base/chat?q HTTP/1.1\r\n", "\r\nHost: " + target.address + "\r\n", "\r\nX-Forwarded-For: 192.0.2.7, 127.0.0.1\r\n",
		"\r\nX-Forwarded-Host: bridge.example:80\r\n", "\r\nX-Forwarded-Proto: http\r\n",
	} {
		if !strings.Contains(head, want) {
			t.Errorf("%q is not in the target's head:\n%s", want, head)
		}
	}
}

func TestHostOfSocket(t *testing.T) {
	target := startUnixTarget(t, echo)
	front := startFront(t, &Target{Network: "unix", Address: target.address, HostTarget: true})
	front.send(upgradeHead("/")).join()
	if head := target.head(t); !strings.Contains(head, "\r\nHost: localhost\r\n") {
		t.Errorf("head at the target:\n%s", head)
	}
}

// A request line may name all of it (RFC 9112, 3.2.2); the target gets a path.
func TestAbsoluteForm(t *testing.T) {
	target := startTarget(t, echo)
	front := startFront(t, tcp(target.address))
	front.send(upgradeHead("http://bridge.example:80/x?y")).join()
	if head := target.head(t); !strings.HasPrefix(head, "GET /x?y HTTP/1.1\r\n") {
		t.Errorf("head at the target:\n%s", head)
	}
}

// What either side sends along with its part of the handshake comes first at
// the other side, however much it is, and wherever it waits meanwhile.
func TestEarlyBytes(t *testing.T) {
	ours := issue(t, "localhost", nil, nextYear())
	for _, n := range []int{1, 100, 3000, 5000, 200_000} {
		early := strings.Repeat("e", n)
		say := func(c *targetConn) {
			c.say(switching + early)
			io.Copy(c.Conn, c.in)
			c.CloseWrite()
		}
		secure := tcp(startTLSTarget(t, ours, say).address)
		secure.TLS = trusting(ours)
		for _, front := range []*front{startFront(t, tcp(startTarget(t, say).address)), startTLSFront(t, secure, ours)} {
			c := front.send(upgradeHead("/") + early)
			c.join()
			c.closeWrite()
			c.wantRest(early + early)
			front.wantOutcome(Outcome{Status: 101, ToTarget: int64(n), ToClient: 2 * int64(n), By: "client", Reason: "client closed"})
		}
	}
}

// Ten megabytes each way keep their sum, over every kind of connection, and
// the client's half-close reaches a target that still has all to say.
func TestBulk(t *testing.T) {
	const size = 10 << 20
	ours := issue(t, "localhost", nil, nextYear())
	answer := random(size)
	backwards := func(c *targetConn) { // reads all, and only then answers
		c.say(switching)
		sum := sha256.New()
		io.Copy(sum, c)
		c.say(string(sum.Sum(nil)))
		c.Write(answer)
		c.CloseWrite()
	}
	secure := tcp(startTLSTarget(t, ours, backwards).address)
	secure.TLS = trusting(ours)
	kinds := map[string]*Target{
		"tcp":  tcp(startTarget(t, backwards).address),
		"unix": {Network: "unix", Address: startUnixTarget(t, backwards).address},
		"tls":  secure,
	}
	for kind, to := range kinds {
		for clientKind, theirs := range map[string]*issued{"plain": nil, "tls": ours} {
			t.Run(clientKind+" to "+kind, func(t *testing.T) {
				front := startTLSFront(t, to, theirs)
				c := front.send(upgradeHead("/"))
				c.join()
				question := random(size)
				_, err := c.Write(question)
				check(t, err)
				c.closeWrite()
				got, err := io.ReadAll(c.in)
				check(t, err)
				sum := sha256.Sum256(question)
				if !bytes.Equal(got, append(sum[:], answer...)) {
					t.Errorf("%d bytes of an answer came, and are not what was sent", len(got))
				}
				front.wantOutcome(Outcome{Status: 101, ToTarget: size, ToClient: size + sha256.Size, By: "client", Reason: "client closed"})
			})
		}
	}
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

// Many at once share buffers and pipes and nothing else, also while their
// neighbours break off with bytes on the way.
func TestNeighbours(t *testing.T) {
	ours := issue(t, "localhost", nil, nextYear())
	secure := tcp(startTLSTarget(t, ours, echo).address)
	secure.TLS = trusting(ours)
	for kind, to := range map[string]*Target{"plain": tcp(startTarget(t, echo).address), "tls": secure} {
		t.Run(kind, func(t *testing.T) {
			front := startFront(t, to)
			front.outcomes = make(chan Outcome, 40)
			var all sync.WaitGroup
			for i := range 40 {
				c := front.send(upgradeHead("/"))
				c.join()
				if i%2 == 0 {
					all.Go(func() { wantEcho(t, c, byte(i)) })
				} else {
					all.Go(func() { c.Write(make([]byte, 4<<20)); c.reset() })
					all.Go(func() { io.CopyN(io.Discard, c.in, 100_000); c.reset() })
				}
			}
			all.Wait()
		})
	}
}

// wantEcho sends bytes of its own and wants them back, while it sends.
func wantEcho(t *testing.T, c *client, own byte) {
	sent := bytes.Repeat([]byte{own, own + 1, own + 2}, 300_000)
	var sending sync.WaitGroup
	defer sending.Wait()
	sending.Go(func() {
		c.Write(sent)
		c.Conn.(interface{ CloseWrite() error }).CloseWrite()
	})
	if got, err := io.ReadAll(c.in); !bytes.Equal(got, sent) || err != nil {
		t.Errorf("%d bytes came back, %v", len(got), err)
	}
}

// The target's half-close reaches the client, whose last words still arrive.
func TestTargetEndsFirst(t *testing.T) {
	heard := make(chan string, 1)
	target := startTarget(t, func(c *targetConn) {
		c.say(switching + "bye")
		c.CloseWrite()
		all, _ := io.ReadAll(c)
		heard <- string(all)
	})
	front := startFront(t, tcp(target.address))
	c := front.send(upgradeHead("/"))
	c.join()
	c.wantRest("bye")
	io.WriteString(c, "and you")
	c.closeWrite()
	if got := <-heard; got != "and you" {
		t.Errorf("target got %q", got)
	}
	front.wantOutcome(Outcome{Status: 101, ToTarget: 7, ToClient: 3, By: "target", Reason: "target closed"})
}

// A client that is reset leaves the target all that it had sent.
func TestClientReset(t *testing.T) {
	ours := issue(t, "localhost", nil, nextYear())
	for kind, theirs := range map[string]*issued{"plain": nil, "tls": ours} {
		t.Run(kind, func(t *testing.T) {
			heard := make(chan string, 1)
			target := startTarget(t, func(c *targetConn) {
				c.say(switching)
				p := make([]byte, 4)
				io.ReadFull(c, p)
				heard <- string(p)
				all, _ := io.ReadAll(c)
				heard <- string(all)
			})
			front := startTLSFront(t, tcp(target.address), theirs)
			c := front.send(upgradeHead("/"))
			c.join()
			io.WriteString(c, "last")
			if got := <-heard; got != "last" {
				t.Errorf("target got %q", got)
			}
			c.reset()
			if got := <-heard; got != "" {
				t.Errorf("target got %q after it", got)
			}
			front.wantOutcome(Outcome{Status: 101, ToTarget: 4, By: "client", Reason: "client reset"})
		})
	}
}

// A target that takes no more does not cost the client what it has said.
func TestTargetGone(t *testing.T) {
	ours := issue(t, "localhost", nil, nextYear())
	say := func(c *targetConn) { c.say(switching + "all there is") }
	secure := tcp(startTLSTarget(t, ours, say).address)
	secure.TLS = trusting(ours)
	for kind, to := range map[string]*Target{"plain": tcp(startTarget(t, say).address), "tls": secure} {
		t.Run(kind, func(t *testing.T) {
			front := startFront(t, to)
			c := front.send(upgradeHead("/"))
			c.join()
			c.wantRest("all there is")
			for { // into the void, until the bridge has had enough
				if _, err := c.Write(make([]byte, 1<<16)); err != nil {
					break
				}
			}
			if o := front.outcome(); o.By != "target" || o.Reason != "target closed" || o.ToClient != 12 {
				t.Errorf("outcome %+v", o)
			}
		})
	}
}

// HIA-04: silence ends both sides, and not a byte is said about it.
func TestSilence(t *testing.T) {
	ours := issue(t, "localhost", nil, nextYear())
	for kind, theirs := range map[string]*issued{"plain": nil, "tls": ours} {
		t.Run(kind, func(t *testing.T) {
			heard := make(chan string, 1)
			target := startTarget(t, func(c *targetConn) {
				c.say(switching)
				all, _ := io.ReadAll(c)
				heard <- string(all)
			})
			to := tcp(target.address)
			to.Idle = 50 * time.Millisecond
			front := startTLSFront(t, to, theirs)
			c := front.send(upgradeHead("/"))
			c.join()
			c.wantRest("")
			if got := <-heard; got != "" {
				t.Errorf("target got %q", got)
			}
			front.wantOutcome(Outcome{Status: 101, By: "bridge", Reason: "session idle"})
		})
	}
}

func TestShutdown(t *testing.T) {
	t.Run("of a connection", func(t *testing.T) {
		front := startFront(t, tcp(startTarget(t, echo).address))
		c := front.send(upgradeHead("/"))
		c.join()
		front.shutdown(errors.New("enough"))
		c.wantRest("")
		front.wantOutcome(Outcome{Status: 101, By: "bridge", Reason: "bridge shutting down"})
	})
	t.Run("before the answer", func(t *testing.T) {
		target := startTarget(t, untilEnd)
		front := startFront(t, tcp(target.address))
		c := front.send(upgradeHead("/"))
		target.head(t)
		front.shutdown(errors.New("enough"))
		status, _, body := c.answer()
		if status != http.StatusServiceUnavailable || body != "bridge shutting down\n" {
			t.Errorf("answer %d %q", status, body)
		}
		front.wantOutcome(Outcome{Status: 503, By: "bridge", Reason: "bridge shutting down"})
	})
}

// A client that leaves before the answer takes the target's connection along.
func TestClientLeavesEarly(t *testing.T) {
	gone := make(chan struct{})
	target := startTarget(t, func(c *targetConn) {
		untilEnd(c)
		close(gone)
	})
	front := startFront(t, tcp(target.address))
	c := front.send(upgradeHead("/"))
	target.head(t)
	c.Close()
	<-gone
	front.wantOutcome(Outcome{By: "client", Reason: "client left before the target answered"})
}

func TestBodyRefused(t *testing.T) {
	front := startFront(t, tcp("127.0.0.1:1"))
	status, _, body := front.send(upgradeHead("/", "Content-Length: 1") + "x").answer()
	if status != http.StatusBadRequest || body != "a WebSocket upgrade must not carry a body\n" {
		t.Errorf("answer %d %q", status, body)
	}
}
