package connect

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/gobwas/ws"
	"go.uber.org/goleak"

	"github.com/wsbridge/wsbridge/internal/freeport"
	"github.com/wsbridge/wsbridge/message"
	"github.com/wsbridge/wsbridge/target"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is for things that must happen soon and would otherwise never.
const patience = time.Minute

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// start gives every connection to handle, until the test ends.
func start(t *testing.T, handle func(net.Conn)) (address string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	var conns sync.WaitGroup
	t.Cleanup(conns.Wait)
	t.Cleanup(func() { l.Close() })
	conns.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns.Go(func() {
				defer c.Close()
				handle(c)
			})
		}
	})
	return l.Addr().String()
}

// serving is a WebSocket server that chooses the first subprotocol.
func serving(handle func(*message.Conn)) func(net.Conn) {
	return func(c net.Conn) {
		request, err := http.ReadRequest(bufio.NewReader(c))
		if err != nil {
			return
		}
		chosen := ""
		if first, _, _ := strings.Cut(request.Header.Get("Sec-WebSocket-Protocol"), ","); first != "" {
			chosen = "Sec-WebSocket-Protocol: " + first + "\r\n"
		}
		fmt.Fprintf(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n%s\r\n",
			target.Accept(request.Header.Get("Sec-WebSocket-Key")), chosen)
		conn := message.New(c, message.Options{})
		handle(conn)
		conn.Finish(time.Now().Add(patience))
	}
}

// echo sends messages back, and answers Close.
func echo(c *message.Conn) {
	for {
		m, err := c.Read()
		if err != nil {
			c.Close(message.CloseCode(err))
			return
		}
		c.Write(m)
	}
}

// pipe is a way to a server at address.
func pipe(address string, subprotocols ...string) Pipe {
	return Pipe{
		Server:    target.WebSocket{Over: target.TCP{Address: address}, Host: "x", Subprotocols: subprotocols},
		KeepAlive: time.Millisecond,
	}
}

// failsIn wants err to be an *Error of this step that says this.
func failsIn(t *testing.T, err error, step, text string) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Step != step || !strings.Contains(e.Error(), text) {
		t.Errorf("%v, want one of step %s with %q in it", err, step, text)
	}
}

func randomBytes(n int) []byte {
	p := make([]byte, n)
	rand.NewChaCha8([32]byte{}).Read(p)
	return p
}

func TestEverythingComesBack(t *testing.T) {
	for _, subprotocol := range []string{"binary", "base64"} {
		sent, out := randomBytes(3<<20+1), new(bytes.Buffer)
		check(t, pipe(start(t, serving(echo)), subprotocol).Carry(t.Context(), bytes.NewReader(sent), out))
		if !bytes.Equal(out.Bytes(), sent) {
			t.Errorf("%s: %d bytes came back of %d, or others", subprotocol, out.Len(), len(sent))
		}
	}
}

func TestOnTheWire(t *testing.T) {
	for subprotocol, want := range map[string]message.Message{
		"binary": {Text: false, Data: []byte("hello")},
		"base64": {Text: true, Data: []byte(base64.StdEncoding.EncodeToString([]byte("hello")))},
	} {
		got := make(chan message.Message, 1)
		address := start(t, serving(func(c *message.Conn) {
			if m, err := c.Read(); err == nil {
				got <- message.Message{Text: m.Text, Data: bytes.Clone(m.Data)}
			}
			echo(c)
		}))
		check(t, pipe(address, subprotocol).Carry(t.Context(), strings.NewReader("hello"), io.Discard))
		if m := <-got; m.Text != want.Text || !bytes.Equal(m.Data, want.Data) {
			t.Errorf("%s: the server got %+v", subprotocol, m)
		}
	}
}

// A server that answers only once it was told that nothing more comes.
func TestAnswerAfterTheEnd(t *testing.T) {
	answer := randomBytes(200_000)
	address := start(t, serving(func(c *message.Conn) {
		var got []byte
		for {
			m, err := c.Read()
			if err != nil {
				c.Write(message.Message{Data: slices.Concat(got, answer)})
				c.Close(message.CloseCode(err))
				return
			}
			got = append(got, m.Data...)
		}
	}))
	out := new(bytes.Buffer)
	check(t, pipe(address).Carry(t.Context(), strings.NewReader("question"), out))
	if !bytes.Equal(out.Bytes(), append([]byte("question"), answer...)) {
		t.Errorf("%d bytes came", out.Len())
	}
}

// never is an input that says nothing and does not end until the test does.
func never(t *testing.T) net.Conn {
	in, other := net.Pipe()
	t.Cleanup(func() { in.Close(); other.Close() })
	return in
}

// How sessions end that the server ends.
func TestServerEnds(t *testing.T) {
	tests := []struct {
		name       string
		handle     func(net.Conn)
		step, text string
	}{
		{"well", serving(func(c *message.Conn) { c.Close(1000, "") }), "", ""},
		{"without a code", serving(func(c *message.Conn) { c.Close(1005, "") }), "", ""},
		{"badly", serving(func(c *message.Conn) { c.Close(1011, "target reset") }), "close", "the server closed with 1011: target reset"},
		{"by going away", serving(func(c *message.Conn) { c.Close(1001, "") }), "close", "the server closed with 1001"},
		{"by vanishing", serving(func(c *message.Conn) { c.Cut() }), "close", "the server left without a Close frame: something may be missing"},
		{"by a breach", func(c net.Conn) {
			serving(func(*message.Conn) { c.Write([]byte("\x83\x00")); io.Copy(io.Discard, c) })(c)
		}, "close", "reserved"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := pipe(start(t, tt.handle)).Carry(t.Context(), never(t), io.Discard)
			if tt.step != "" {
				failsIn(t, err, tt.step, tt.text)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

func TestNotBase64(t *testing.T) {
	address := start(t, serving(func(c *message.Conn) {
		c.Write(message.Message{Text: true, Data: []byte("!!")})
		echo(c)
	}))
	failsIn(t, pipe(address, "base64").Carry(t.Context(), never(t), io.Discard), "close", "the server's message is not base64")
}

// A server that does not answer the end is not waited for for ever, but what it
// says is taken.
func TestServerSilentAfterTheEnd(t *testing.T) {
	given := make(chan struct{})
	address := start(t, serving(func(c *message.Conn) {
		for err := error(nil); err == nil; {
			_, err = c.Read()
		}
		c.Write(message.Message{Data: []byte("more")})
		<-given
		c.Cut()
	}))
	p, out := pipe(address), new(bytes.Buffer)
	p.Patience = 50 * time.Millisecond
	err := p.Carry(t.Context(), strings.NewReader(""), out)
	close(given)
	failsIn(t, err, "close", "the server did not answer the end within 50ms")
	if out.String() != "more" {
		t.Errorf("got %q", out)
	}
}

// The program that reads goes away: the server is told.
func TestOutputFails(t *testing.T) {
	told := make(chan error, 1)
	address := start(t, serving(func(c *message.Conn) {
		c.Write(message.Message{Data: []byte("hello")})
		_, err := c.Read()
		told <- err
		c.Close(message.CloseCode(err))
	}))
	in, out := io.Pipe()
	in.Close()
	failsIn(t, pipe(address).Carry(t.Context(), never(t), out), "output", "closed pipe")
	var closed *message.CloseError
	if err := <-told; !errors.As(err, &closed) || closed.Code != ws.StatusGoingAway || closed.Reason != "client gone" {
		t.Errorf("the server was told %v", err)
	}
}

func TestInputFails(t *testing.T) {
	check(t, pipe(start(t, serving(echo))).Carry(t.Context(), iotest.ErrReader(errors.New("disk gone")), io.Discard))
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	address := start(t, serving(func(c *message.Conn) {
		cancel()
		echo(c)
	}))
	if err := pipe(address).Carry(ctx, never(t), io.Discard); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// endless counts what is read of it.
type endless struct {
	net.Conn // crashes on unexpected use
	read     atomic.Int64
	ended    atomic.Bool
}

func (e *endless) Read(p []byte) (int, error) {
	if e.ended.Load() {
		return 0, io.EOF
	}
	e.read.Add(int64(len(p)))
	return len(p), nil
}

func (e *endless) SetReadDeadline(time.Time) error { e.ended.Store(true); return nil }

// What a server does not take stays where it is: a slow server holds up the
// input, and nothing gathers in between.
func TestBackPressure(t *testing.T) {
	in, stalled, resume := new(endless), make(chan struct{}), make(chan struct{})
	address := start(t, serving(func(c *message.Conn) {
		c.Read()
		close(stalled)
		<-resume
		c.Cut()
	}))
	done := make(chan error, 1)
	go func() { done <- pipe(address).Carry(t.Context(), in, io.Discard) }()
	<-stalled
	last, still := int64(-1), 0
	for deadline := time.Now().Add(patience); still < 20 && time.Now().Before(deadline); {
		if now := in.read.Load(); now == last {
			still++
		} else {
			last, still = now, 0
		}
		time.Sleep(10 * time.Millisecond)
	}
	if still < 20 {
		t.Errorf("%d bytes were read, and more and more", last)
	}
	close(resume)
	if err := <-done; err == nil {
		t.Error("nothing failed")
	}
}

// Why there is no session, by the step that fails.
func TestDialFailures(t *testing.T) {
	refuse := func(answer string) string {
		return start(t, func(c net.Conn) { http.ReadRequest(bufio.NewReader(c)); io.WriteString(c, answer) })
	}
	certificate := selfSigned(t)
	secure := start(t, func(c net.Conn) { tls.Server(c, certificate).Handshake() })
	for _, tt := range []struct{ url, step, text string }{
		{"ws://no-such-host.invalid/", "resolve", "no-such-host.invalid"},
		{"ws://" + freeport.Address(t), "connect", "refused"},
		{"ws+unix:" + t.TempDir() + "/none:/", "connect", "target socket not found"},
		{"wss://" + refuse("SSH-2.0-x\r\n"), "tls", "TLS"},
		{"wss://" + secure, "trust", "certificate"},
		{"ws://" + refuse("HTTP/1.1 403 No\r\n\r\n"), "upgrade", "403 Forbidden"},
		{"ws://" + refuse("SSH-2.0-x\r\n"), "upgrade", "SSH-2.0"},
	} {
		w, err := target.ParseWebSocket(tt.url, target.Options{Timeout: patience})
		check(t, err)
		failsIn(t, Pipe{Server: w}.Carry(t.Context(), never(t), io.Discard), tt.step, tt.text)
	}
}

// A server that comes late is waited for if that is wanted, one that says no is
// not asked again.
func TestRetry(t *testing.T) {
	var asked atomic.Int32
	late := func(status string) string {
		return start(t, func(c net.Conn) {
			if asked.Add(1) > 1 {
				serving(echo)(c)
				return
			}
			http.ReadRequest(bufio.NewReader(c))
			io.WriteString(c, "HTTP/1.1 "+status+"\r\n\r\n")
		})
	}
	for _, tt := range []struct {
		status string
		retry  time.Duration
		asked  int32
	}{{"503 Busy", patience, 2}, {"503 Busy", 0, 1}, {"401 Who", patience, 1}} {
		asked.Store(0)
		p := pipe(late(tt.status))
		p.Retry = tt.retry
		err := p.Carry(t.Context(), strings.NewReader(""), io.Discard)
		if asked.Load() != tt.asked || (err == nil) != (tt.asked == 2) {
			t.Errorf("%s, retried for %v: asked %d times, %v", tt.status, tt.retry, asked.Load(), err)
		}
	}
}
