package bridge

import (
	"context"
	"io"
	"log/slog"
	"net"
	"testing"
	"time"
)

// TestResetBeforeItIsPassedOn: a client says something and resets before anybody
// has looked. We know whose it was, also where the system does not any more.
func TestResetBeforeItIsPassedOn(t *testing.T) {
	for name, words := range map[string]string{
		"a TLS hello": "\x16\x03\x01\x02\x00\x01\x00",
		"a request":   "GET /page HTTP/1.1\r\nHost: x\r\n\r\n",
		"nonsense":    "\xff",
	} {
		t.Run(name, func(t *testing.T) {
			asked := make(chan net.Addr, 1)
			p, address := servePorch(t, func(client net.Addr) (string, bool) {
				asked <- client
				return "not you", false
			})
			look, busy := make(chan struct{}), make(chan struct{})
			p.loop.Do(func() { close(busy); <-look })
			<-busy
			client := resetAfter(t, address, words)
			close(look)
			select {
			case got := <-asked:
				if got == nil || got.String() != client {
					t.Errorf("client %v, want %s", got, client)
				}
			case <-time.After(patience):
				t.Error("nobody was asked about the client")
			}
		})
	}
}

// servePorch receives connections in a loop until the test ends.
func servePorch(t *testing.T, admits func(net.Addr) (string, bool)) (p *porch, address string) {
	t.Helper()
	l := listenTCP(t)
	rules := Rules{Route: to(failing{timeoutError{}}), QuickRoute: true, Admits: admits}
	s := &Server{Rules: rules, Log: slog.New(slog.DiscardHandler)}
	s.Stats()
	if p = s.newPorch(l); p == nil {
		t.Fatal("no porch")
	}
	served := make(chan error, 1)
	go func() { served <- s.serveOn(p) }()
	t.Cleanup(func() {
		l.Close()
		s.Shutdown(context.Background())
		<-served
	})
	return p, l.Addr().String()
}

// resetAfter is a client that speaks and resets; it returns its address when the
// reset is with the other side.
func resetAfter(t *testing.T, address, words string) string {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, words); err != nil {
		t.Fatal(err)
	}
	conn.(*net.TCPConn).SetLinger(0)
	return conn.LocalAddr().String()
}
