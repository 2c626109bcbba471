package bridge

import (
	"bufio"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"

	"github.com/gobwas/ws"
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

// BenchmarkHandshake is the bridge's own part of a connect, from the request's
// head to the session and its answer. Of what it allocates the session stays,
// and what is remembered of the request.
func BenchmarkHandshake(b *testing.B) {
	s := &Server{Rules: Rules{Route: to(dialTo{&net.TCPAddr{}})}}
	s.once.Do(s.start)
	defer s.Shutdown(b.Context())
	head, answer := []byte(request()), make([]byte, 0, 512)
	b.ReportAllocs()
	for b.Loop() {
		r, _ := s.heads.read(head)
		if r == nil || !plainUpgrade(r) {
			b.Fatal("not taken for a plain upgrade")
		}
		r.RemoteAddr = "192.0.2.1:4711"
		d, session := s.judge(s.now().identify(r))
		switching(answer, r.Header.Get(keyHeader), d)
		session.release()
	}
}

// BenchmarkEcho is 16 KiB to the target and back in one session, by either pump.
func BenchmarkEcho(b *testing.B) {
	for pump, name := range pumps {
		b.Run(name, func(b *testing.B) { benchmarkEcho(b, pump) })
	}
}

func benchmarkEcho(b *testing.B, pump Pump) {
	target, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer target.Close()
	go func() {
		c, err := target.Accept()
		if err == nil {
			io.Copy(c, c)
			c.Close()
		}
	}()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	s := &Server{Rules: Rules{Route: to(dialTo{target.Addr()})}, Pump: pump, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	go s.Serve(l)
	defer s.Shutdown(b.Context())
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	const size = 16 << 10
	io.WriteString(c, request()+masked(2, true, "x"))
	in := bufio.NewReader(c)
	for line := ""; line != "\r\n"; {
		line, _ = in.ReadString('\n')
	}
	io.CopyN(io.Discard, in, 3) // the x
	message := []byte(masked(2, true, strings.Repeat("x", size)))
	b.SetBytes(2 * size)
	b.ReportAllocs()
	for b.Loop() {
		c.Write(message)
		for left := size; left > 0; { // in frames of any size
			h, err := ws.ReadHeader(in)
			if err != nil {
				b.Fatal(err)
			}
			io.CopyN(io.Discard, in, h.Length)
			left -= int(h.Length)
		}
	}
}
