package passthrough

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// switching is the raw target's 101, odd in spelling and order: the accept is
// that of upgradeHead's key.
const switching = "HTTP/1.1 101 As you like\r\nupgrade: WebSocket\r\nX-odd:  two \r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nCONNECTION: Upgrade\r\n\r\n"

// rawTarget reads the head of an upgrade and then behaves as told.
type rawTarget struct {
	address string
	heads   chan string
}

// targetConn is a connection of a raw target, behind the head it has read.
type targetConn struct {
	net.Conn
	in *bufio.Reader
}

func (c *targetConn) Read(p []byte) (int, error) { return c.in.Read(p) }

func (c *targetConn) CloseWrite() error {
	return c.Conn.(interface{ CloseWrite() error }).CloseWrite()
}

func (c *targetConn) say(s string) { io.WriteString(c, s) }

func startTarget(t *testing.T, behave func(*targetConn)) *rawTarget {
	return serveTarget(t, listen(t, "tcp", "127.0.0.1:0"), behave)
}

func startTLSTarget(t *testing.T, ours *issued, behave func(*targetConn)) *rawTarget {
	l := listen(t, "tcp", "127.0.0.1:0")
	return serveTarget(t, tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{ours.pair()}}), behave)
}

func startUnixTarget(t *testing.T, behave func(*targetConn)) *rawTarget {
	return serveTarget(t, listen(t, "unix", filepath.Join(t.TempDir(), "s")), behave)
}

func serveTarget(t *testing.T, l net.Listener, behave func(*targetConn)) *rawTarget {
	r := &rawTarget{address: l.Addr().String(), heads: make(chan string, 64)}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer conn.Close()
				conn.SetDeadline(time.Now().Add(patience))
				r.serve(&targetConn{conn, bufio.NewReader(conn)}, behave)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		all.Wait()
	})
	return r
}

func (r *rawTarget) serve(c *targetConn, behave func(*targetConn)) {
	var head strings.Builder
	for !strings.HasSuffix(head.String(), "\r\n\r\n") {
		line, err := c.in.ReadString('\n')
		if err != nil {
			return
		}
		head.WriteString(line)
	}
	r.heads <- head.String()
	behave(c)
}

// head is the next upgrade's.
func (r *rawTarget) head(t *testing.T) string {
	t.Helper()
	select {
	case head := <-r.heads:
		return head
	case <-time.After(patience):
		t.Fatal("no upgrade reaches the target")
		return ""
	}
}

// tcp is the target at address.
func tcp(address string) *Target { return &Target{Network: "tcp", Address: address} }

// echo does the handshake and sends everything back, then the end.
func echo(c *targetConn) {
	c.say(switching)
	io.Copy(c.Conn, c.in)
	c.CloseWrite()
}

// untilEnd waits for the other side to leave.
func untilEnd(c *targetConn) { io.Copy(io.Discard, c) }
