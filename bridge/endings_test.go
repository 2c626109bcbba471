//go:build unix

package bridge

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"golang.org/x/sys/unix"
)

// everyWay runs story over each kind of client and target.
func everyWay(t *testing.T, set func(*Server), story func(t *testing.T, r *rig)) {
	for _, clientKind := range []string{"plain", "tls", "h2"} {
		for _, targetKind := range []string{"tcp", "unix"} {
			t.Run(clientKind+" client, "+targetKind+" target", func(t *testing.T) {
				targets := listenTCP(t)
				if targetKind == "unix" {
					targets.Close()
					targets = listenUnix(t)
				}
				story(t, startRigForTo(t, clientKind, targets, set))
			})
		}
	}
}

// startRigFor is a rig whose clients are of a kind: "plain", "tls" or "h2".
func startRigFor(t *testing.T, clients string, set func(*Server)) *rig {
	t.Helper()
	return startRigForTo(t, clients, listenTCP(t), set)
}

func startRigForTo(t *testing.T, clients string, targets net.Listener, set func(*Server)) *rig {
	t.Helper()
	r := startRigTo(t, targets, func(s *Server) {
		s.TLS = &tls.Config{Certificates: []tls.Certificate{selfSigned(t)}, NextProtos: []string{"h2", "http/1.1"}}
		if set != nil {
			set(s)
		}
	})
	r.secure, r.http2 = clients == "tls", clients == "h2"
	return r
}

func listenUnix(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func selfSigned(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// pair opens a session with a byte carried each way, so that both ends are up.
func (r *rig) pair() (*peer, halfConn) {
	r.t.Helper()
	client, target := r.dial(), r.accept()
	client.send("?")
	readN(r.t, target, 1)
	io.WriteString(target, "!")
	client.read(1)
	return client, target
}

// socket is the TCP connection under a client.
func (p *peer) socket() *net.TCPConn {
	c := p.conn
	if secure, ok := c.(*tls.Conn); ok {
		c = secure.NetConn()
	}
	return c.(*net.TCPConn)
}

// reset makes the client's end reset: its connection, or its stream.
func (p *peer) reset() {
	if c, ok := p.conn.(*stream2); ok {
		c.down.Close() // on an answer that has not ended
		return
	}
	p.socket().SetLinger(0)
	p.socket().Close()
}

func TestTargetFIN(t *testing.T) {
	everyWay(t, nil, func(t *testing.T, r *rig) {
		client, target := r.pair()
		last := strings.Repeat("last words ", 100_000)
		go func() {
			io.WriteString(target, last)
			target.CloseWrite()
		}()
		if got := client.wantClose(1000, "target closed"); got != last {
			t.Errorf("client got %d bytes, want %d", len(got), len(last))
		}
		client.send("said before the close was read")
		client.close(1000, "")
		if got := readAll(t, target); got != "said before the close was read" {
			t.Errorf("target got %q", got)
		}
		r.wantLog("session ended", "code=1000", "by=target", `reason="target closed"`, "to_client=1100001")
	})
}

func TestTargetRST(t *testing.T) {
	everyWay(t, nil, func(t *testing.T, r *rig) {
		client, target := r.pair()
		client.send("unread")
		reset(target)
		client.wantClose(1011, "target reset")
		client.close(1011, "")
		r.wantLog("session ended", "code=1011", "by=target", `reason="target reset"`)
	})
}

// reset makes the end of a target reset that a client talks to: TCP can at any
// time, a unix socket does when it closes on unread bytes, which it waits for.
func reset(target halfConn) {
	if tcp, ok := target.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	} else {
		raw, _ := target.(*net.UnixConn).SyscallConn()
		raw.Read(func(fd uintptr) bool { // until it has come
			n, _, _ := unix.Recvfrom(int(fd), make([]byte, 1), unix.MSG_PEEK)
			return n == 1
		})
	}
	target.Close()
}

// A target that resets in the middle of bulk, which the kernel moves, or while the
// client talks, has not just closed: whoever asks its socket first is told of the
// reset, and nobody after that.
func TestTargetRSTInTheMiddle(t *testing.T) {
	everyWay(t, nil, func(t *testing.T, r *rig) {
		for _, talks := range []bool{false, true} {
			for range 2 {
				client, target := r.pair()
				go target.Write(make([]byte, 64<<20))
				client.read(1 << 20)
				client.send("unread")
				over := make(chan struct{})
				go func() {
					defer close(over)
					for frame := masked(ws.OpBinary, true, strings.Repeat("t", 1000)); talks; {
						if _, err := io.WriteString(client.conn, frame); err != nil {
							return
						}
					}
				}()
				reset(target)
				client.wantClose(1011, "target reset")
				client.conn.Close()
				<-over
			}
		}
	})
}

// A target that closes on bytes it has not read resets the connection; what
// it said before still arrives.
func TestTargetClosesOnUnreadBytes(t *testing.T) {
	everyWay(t, nil, func(t *testing.T, r *rig) {
		client, target := r.pair()
		client.send("never read")
		io.WriteString(target, "parting")
		if got := client.read(7); got != "parting" {
			t.Errorf("client got %q", got)
		}
		r.eventually("the bytes on their way", func() bool { return strings.Contains(r.statsLine(), "to_target=11") })
		target.Close()
		client.wantClose(1011, "target reset")
	})
}

// statsLine is what the only live session has carried.
func (r *rig) statsLine() (line string) {
	r.server.sessions.each(func(l live) {
		s := l.(*session)
		if s.toTarget.Load() == 11 {
			line = "to_target=11"
		}
	})
	return line
}

func TestClientClose(t *testing.T) {
	everyWay(t, nil, func(t *testing.T, r *rig) {
		client, target := r.pair()
		up := strings.Repeat("u", 300_000)
		client.send(up)
		client.close(4321, "my reason")
		if got := readAll(t, target); got != up {
			t.Errorf("target got %d bytes, want %d", len(got), len(up))
		}
		io.WriteString(target, "farewell")
		target.Close()
		if got := client.wantClose(4321, ""); got != "farewell" {
			t.Errorf("client got %q", got)
		}
		if _, err := client.event(); err != io.EOF {
			t.Errorf("after the Close frame: %v, want the connection's end", err)
		}
		r.wantLog("session ended", "code=4321", "by=client", `reason="client closed"`)
	})
}

func TestClientCloseWithoutCode(t *testing.T) {
	r := startRig(t, nil)
	client, target := r.pair()
	client.raw(masked(ws.OpClose, true, ""))
	readAll(t, target)
	target.Close()
	client.wantClose(1005, "")
}

func TestClientFIN(t *testing.T) {
	everyWay(t, nil, func(t *testing.T, r *rig) {
		client, target := r.pair()
		client.send("and that was it")
		client.conn.(interface{ CloseWrite() error }).CloseWrite()
		if got := readAll(t, target); got != "and that was it" {
			t.Errorf("target got %q", got)
		}
		target.Close()
		r.wantLog("session ended", "code=1006", "by=client", `reason="client vanished"`)
	})
}

func TestClientRST(t *testing.T) {
	everyWay(t, nil, func(t *testing.T, r *rig) {
		client, target := r.pair()
		client.reset()
		readAll(t, target)
		target.Close()
		r.wantLog("session ended", "code=1006", "by=client", `reason="client reset"`)
	})
}

// A target that goes on talking to a client that is gone is left soon.
func TestVanishedClientDoesNotHoldTheTarget(t *testing.T) {
	r := startRig(t, func(s *Server) { s.Limits.EndTimeout = 50 * time.Millisecond })
	client, target := r.pair()
	client.conn.Close()
	for err := error(nil); err == nil; {
		_, err = io.WriteString(target, "still there? ")
	}
	r.wantLog("session ended", "by=client")
}

func TestSilenceAfterTheTargetEnded(t *testing.T) {
	everyWay(t, func(s *Server) { s.Limits.EndTimeout = 100 * time.Millisecond }, func(t *testing.T, r *rig) {
		client, target := r.pair()
		target.CloseWrite()
		client.wantClose(1000, "target closed")
		// The client never answers; the session ends all the same.
		r.wantLog("session ended", "code=1000", "by=target")
		readAll(t, target)
	})
}

func TestSilenceAfterTheClientClosed(t *testing.T) {
	everyWay(t, func(s *Server) { s.Limits.EndTimeout = 100 * time.Millisecond }, func(t *testing.T, r *rig) {
		client, target := r.pair()
		client.close(1000, "")
		readAll(t, target)
		// The target never closes its side; the client is answered all the same.
		client.wantClose(1000, "")
		r.wantLog("session ended", "code=1000", "by=client")
	})
}

func TestNoTarget(t *testing.T) {
	closed := nobody(t)
	for _, tc := range []struct {
		name   string
		to     Target
		reason string
	}{
		{"refused", dialTo{closed}, "target refused the connection"},
		{"refused at once", named(closed.String()), "target refused the connection"},
		{"no such name", named("no-such-name.invalid:1"), "target name not found"},
		{"no such socket", dialTo{&net.UnixAddr{Net: "unix", Name: "/nonexistent/socket"}}, "target failed"},
		{"timeout", failing{timeoutError{}}, "target did not answer in time"},
		{"a reason of its own", failing{fmt.Errorf("dial: %w", tellingError{})}, "target has gone fishing"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := startRig(t, func(s *Server) { s.Route = to(tc.to) })
			client := r.dial()
			client.wantClose(1011, tc.reason)
			client.close(1011, "")
			r.wantLog("session ended", "code=1011", "by=target", tc.reason)
		})
	}
}

func TestBreachEndsTheSession(t *testing.T) {
	everyWay(t, nil, func(t *testing.T, r *rig) {
		for _, tc := range []struct {
			name, bytes string
			code        ws.StatusCode
		}{
			{"unmasked", "\x82\x01x", 1002},
			{"reserved bit", "\xc2\x80\x00\x00\x00\x00", 1002},
			{"bad text", masked(ws.OpText, true, "\xff"), 1007},
			{"bad close code", masked(ws.OpClose, true, "\x03\xed"), 1002},
		} {
			client, target := r.pair()
			client.raw(masked(ws.OpBinary, true, "good") + tc.bytes + masked(ws.OpBinary, true, "never forwarded"))
			if got := readAll(t, target); got != "good" {
				t.Errorf("%s: target got %q", tc.name, got)
			}
			io.WriteString(target, "never forwarded either")
			if got, end := client.end(); end.Code != tc.code || got != "" {
				t.Errorf("%s: close %d after %q, want %d", tc.name, end.Code, got, tc.code)
			}
			target.Close()
			client.conn.Close()
		}
	})
}

func TestShutdownTellsEverybody(t *testing.T) {
	everyWay(t, nil, func(t *testing.T, r *rig) {
		client, target := r.pair()
		done := make(chan error, 1)
		go func() { done <- r.server.Shutdown(t.Context()) }()
		client.wantClose(1001, "bridge shutting down")
		client.close(1001, "")
		readAll(t, target)
		if err := <-done; err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		r.wantLog("session ended", "code=1001", "by=bridge")
	})
}

// Drain leaves a session alone, takes no other, and ends with it.
func TestDrainWaitsForTheSession(t *testing.T) {
	ended := make(chan struct{}, 1)
	r := startRig(t, func(s *Server) { s.SessionEnded = func() { ended <- struct{}{} } })
	client, target := r.pair()
	drained := make(chan error, 1)
	go func() { drained <- r.server.Drain(t.Context()) }()
	r.eventually("the listener's end", func() bool {
		c, err := net.Dial("tcp", r.addr)
		if err == nil {
			c.Close()
		}
		return err != nil
	})
	client.send("still here")
	if got := readN(t, target, 10); got != "still here" {
		t.Errorf("target got %q", got)
	}
	target.Close()
	client.wantClose(1000, "target closed")
	client.close(1000, "")
	if err := <-drained; err != nil {
		t.Error(err)
	}
	<-ended
}
