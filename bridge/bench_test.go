package bridge

import (
	"io"
	"log/slog"
	"net"
	"testing"
)

// BenchmarkConnect is connect, handshake, one echo and close, client, target
// and bridge in one process. Figures beside others are made in bench/.
func BenchmarkConnect(b *testing.B) {
	targets, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer targets.Close()
	go func() {
		for {
			c, err := targets.Accept()
			if err != nil {
				return
			}
			go func() {
				io.Copy(c, c)
				c.Close()
			}()
		}
	}()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	s := &Server{Rules: Rules{Route: to(dialTo{targets.Addr()})}, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	go s.Serve(l)
	defer s.Shutdown(b.Context())
	hello := []byte(request() + masked(2, true, "x") + masked(8, true, "\x03\xe8"))
	for b.Loop() {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		c.Write(hello)
		if n, err := io.Copy(io.Discard, c); err != nil || n < 100 {
			b.Fatal(n, err)
		}
		c.Close()
	}
}
