package sniff

import (
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// chunks is a client that sends each string with one write and then leaves.
// Anything else done to it crashes.
type chunks struct {
	net.Conn
	left []string
}

func (c *chunks) SetReadDeadline(time.Time) error { return nil }

func (c *chunks) Read(p []byte) (int, error) {
	if len(c.left) == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.left[0])
	if c.left[0] = c.left[0][n:]; c.left[0] == "" {
		c.left = c.left[1:]
	}
	return n, nil
}

// send gives the client that sends in, in pieces that end at the cuts.
func send(in string, cuts ...int) *chunks {
	c := &chunks{}
	from := 0
	for _, to := range append(cuts, len(in)) {
		if from < to {
			c.left = append(c.left, in[from:to])
			from = to
		}
	}
	return c
}

func TestSniffAtEverySplit(t *testing.T) {
	const tail = "and the rest of the conversation"
	for _, tt := range hellos {
		if tt.more {
			continue
		}
		in := tt.in + tail
		for cut := range len(in) {
			checkSniff(t, New(send(in, cut)), tt.kind, in[tt.skip:])
			if cut > 0 {
				checkSniff(t, New(send(in, cut-1, cut)), tt.kind, in[tt.skip:])
			}
		}
	}
}

func checkSniff(t *testing.T, c *Conn, want Kind, wantRest string) {
	t.Helper()
	kind, err := c.Sniff(time.Second)
	if err != nil || kind != want {
		t.Fatalf("Sniff = %v, %v; want %v", kind, err, want)
	}
	rest, err := io.ReadAll(c)
	if err != nil || string(rest) != wantRest {
		t.Fatalf("after Sniff came %q, %v; want %q", rest, err, wantRest)
	}
	if c.buf != nil {
		t.Fatal("a drained connection still holds its buffer")
	}
}

func FuzzSniffChunks(f *testing.F) {
	for _, tt := range hellos {
		f.Add(tt.in, uint16(1), uint16(2))
	}
	f.Fuzz(func(t *testing.T, in string, a, b uint16) {
		if in == "" {
			return
		}
		kind, skip, _ := Look([]byte(in))
		i := int(a) % (len(in) + 1)
		j := i + int(b)%(len(in)-i+1)
		checkSniff(t, New(send(in, i, j)), kind, in[skip:])
	})
}

func TestMoreThanABuffer(t *testing.T) {
	in := "GET /" + strings.Repeat("x", 3*bufferSize)
	checkSniff(t, New(send(in)), HTTP, in)
}

// Readers may ask for less than was looked at.
func TestReadByteByByte(t *testing.T) {
	c := New(send("\r\nGET / HTTP/1.1"))
	if _, err := c.Sniff(time.Second); err != nil {
		t.Fatal(err)
	}
	var got []byte
	for p := make([]byte, 1); ; {
		n, err := c.Read(p)
		got = append(got, p[:n]...)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if string(got) != "GET / HTTP/1.1" {
		t.Errorf("read %q", got)
	}
}

func TestClientThatLeaves(t *testing.T) {
	if kind, err := New(send("")).Sniff(time.Second); err != io.EOF {
		t.Errorf("without a byte: Sniff = %v, %v; want io.EOF", kind, err)
	}
	checkSniff(t, New(send("<policy-f")), HTTP, "<policy-f")
	checkSniff(t, New(send("\r\n")), HTTP, "")
	checkSniff(t, New(send("\r\n\r")), HTTP, "\r")
}

// resetConn is a client that resets the connection.
type resetConn struct{ chunks }

func (*resetConn) Read([]byte) (int, error) { return 0, syscall.ECONNRESET }

func TestReset(t *testing.T) {
	_, err := New(&resetConn{}).Sniff(time.Second)
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("Sniff = %v, want the reset", err)
	}
}

func TestSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		defer client.Close()
		defer server.Close()
		if kind, err := New(server).Sniff(3 * time.Second); err != ErrSilent {
			t.Errorf("Sniff = %v, %v; want ErrSilent", kind, err)
		}
	})
}

// A byte a second must not move the deadline.
func TestSlowLoris(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		var wg sync.WaitGroup
		wg.Go(func() {
			for i := range flashRequest {
				if _, err := client.Write([]byte{flashRequest[i]}); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		})
		start := time.Now() // of the bubble's own clock
		kind, err := New(server).Sniff(3500 * time.Millisecond)
		if err != ErrSilent || time.Since(start) != 3500*time.Millisecond {
			t.Errorf("Sniff = %v, %v after %v", kind, err, time.Since(start))
		}
		server.Close()
		wg.Wait()
		client.Close()
	})
}

// The sniffing deadline must not end a request that takes its time.
func TestDeadlineIsCleared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		go func() {
			io.WriteString(client, "GET")
			time.Sleep(time.Minute)
			io.WriteString(client, " /")
			client.Close()
		}()
		checkSniff(t, New(server), HTTP, "GET /")
		server.Close()
	})
}

func TestDetach(t *testing.T) {
	raw := send("\nGET / and a frame", 6)
	c := New(raw)
	if _, err := c.Sniff(time.Second); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, make([]byte, 3)); err != nil {
		t.Fatal(err)
	}
	conn, rest := c.Detach()
	if conn != net.Conn(raw) || string(rest) != " /" {
		t.Errorf("Detach = %v, %q; want the raw connection and %q", conn, rest, " /")
	}
	if c.buf != nil {
		t.Error("a detached connection still holds its buffer")
	}
	if after, err := io.ReadAll(conn); err != nil || string(after) != " and a frame" {
		t.Errorf("the raw connection goes on with %q, %v", after, err)
	}
}

func TestDetachDrained(t *testing.T) {
	c := New(send("G"))
	if _, err := c.Sniff(time.Second); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 9)); err != nil {
		t.Fatal(err)
	}
	if _, rest := c.Detach(); rest != nil {
		t.Errorf("Detach left %q over, want nothing", rest)
	}
}

// halfConn can shut its sending side.
type halfConn struct {
	net.Conn
	shut bool
}

func (c *halfConn) CloseWrite() error { c.shut = true; return nil }

func TestCloseWrite(t *testing.T) {
	raw := &halfConn{}
	if err := New(raw).CloseWrite(); err != nil || !raw.shut {
		t.Errorf("CloseWrite = %v, reached the raw connection: %v", err, raw.shut)
	}
	if err := New(&chunks{}).CloseWrite(); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("CloseWrite without one below = %v, want ErrUnsupported", err)
	}
}
