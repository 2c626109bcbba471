package bridge

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/wsbridge/wsbridge/loop"
)

// curtain is a veil and the TLS client that it is for, after their handshake. No
// call of either waits, and what one writes the test carries to the other.
type curtain struct {
	t      *testing.T
	veil   *veil
	client *tls.Conn
	wire   *wire // under client
	far    int   // the other end of the veil's socket
}

// wire is a connection in memory.
type wire struct {
	veil    // for the rest of a net.Conn
	in, out bytes.Buffer
}

func (w *wire) Write(p []byte) (int, error) { return w.out.Write(p) }

func (w *wire) Read(p []byte) (int, error) {
	if w.in.Len() == 0 {
		return 0, errWouldBlock
	}
	return w.in.Read(p)
}

// drawn shakes hands over sockets, and leaves those behind.
func drawn(t *testing.T, server, client *tls.Config) *curtain {
	t.Helper()
	server.Certificates, server.SessionTicketsDisabled = []tls.Certificate{selfSigned(t)}, true
	client.InsecureSkipVerify = true
	l := listenTCP(t)
	defer l.Close()
	near, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer near.Close()
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer accepted.Close()
	below, above := &transport{Conn: accepted}, &transport{Conn: near}
	c := &curtain{t: t, wire: new(wire), client: tls.Client(above, client)}
	secure := tls.Server(below, server)
	shaken := make(chan error, 1)
	go func() { shaken <- secure.Handshake() }()
	if err := errors.Join(c.client.Handshake(), <-shaken); err != nil {
		t.Fatal(err)
	}
	above.Conn, below.gate = c.wire, new(gate)
	c.veil = newVeil(&secureConn{secure, below}, c.socket(), &buffers{})
	return c
}

// socket is in a loop that nobody runs.
func (c *curtain) socket() *loop.Socket {
	c.t.Helper()
	l, err := loop.New()
	if err != nil {
		c.t.Fatal(err)
	}
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		c.t.Fatal(err)
	}
	s := new(loop.Socket)
	l.Open(s, fds[0], nil)
	c.far = fds[1]
	c.t.Cleanup(func() {
		s.Close()
		unix.Close(c.far)
		l.Quit()
		l.Run()
	})
	return s
}

// said is what the client's writes have made of it.
func (c *curtain) said(p string) []byte {
	c.t.Helper()
	if _, err := io.WriteString(c.client, p); err != nil {
		c.t.Fatal(err)
	}
	return c.spoken()
}

func (c *curtain) spoken() []byte {
	defer c.wire.out.Reset()
	return bytes.Clone(c.wire.out.Bytes())
}

// bring carries bytes to the veil's socket.
func (c *curtain) bring(p []byte) {
	c.t.Helper()
	if n, err := unix.Write(c.far, p); n != len(p) {
		c.t.Fatalf("%d of %d bytes: %v", n, len(p), err)
	}
}

// fetch carries what the veil's socket has sent, 0 and more bytes, to the client.
func (c *curtain) fetch() {
	b := make([]byte, bufferSize)
	for {
		n, err := unix.Read(c.far, b)
		if n <= 0 || err != nil {
			return
		}
		c.wire.in.Write(b[:n])
	}
}

// heard is all that the client can read now.
func (c *curtain) heard() (string, error) {
	b, all := make([]byte, bufferSize), new(strings.Builder)
	for {
		n, err := c.client.Read(b)
		all.Write(b[:n])
		if err != nil {
			return all.String(), err
		}
	}
}

// versions are the records' different forms.
var versions = map[string]func() *tls.Config{
	"1.3": func() *tls.Config { return &tls.Config{MinVersion: tls.VersionTLS13} },
	"1.2": func() *tls.Config { return &tls.Config{MaxVersion: tls.VersionTLS12} },
}

// Records that come byte by byte lose nothing to a veil that is asked after each:
// at every boundary it would block, and goes on. What was read ahead comes first.
func TestVeilByteByByte(t *testing.T) {
	for version, config := range versions {
		t.Run(version, func(t *testing.T) {
			c := drawn(t, config(), &tls.Config{})
			data := stream(1, 40_000)
			var want, got []byte
			var records []byte
			for _, n := range []int{1, 2, 100, 100, 20_000, 16 << 10} {
				records = append(records, c.said(string(data[:n]))...)
				want = append(want, data[:n]...)
			}
			c.client.CloseWrite()
			records = append(records, c.spoken()...)
			c.veil.early, records = records[:300:300], records[300:]
			b := make([]byte, bufferSize)
			for i := range records {
				n, err := c.veil.read(b)
				got = append(got, b[:n]...)
				if err != nil && err != loop.ErrWouldBlock || c.veil.more {
					t.Fatalf("with %d bytes to come: %v, more: %v", len(records)-i, err, c.veil.more)
				}
				c.bring(records[i : i+1])
			}
			if n, err := c.veil.read(b); n != 0 || err != io.EOF {
				t.Errorf("at the end: %d %v", n, err)
			}
			if !bytes.Equal(got, want) || len(c.veil.early) > 0 {
				t.Errorf("%d bytes, want %d", len(got), len(want))
			}
		})
	}
}

// What does not fit in one read stays, and is said to be there: no socket will
// tell of it.
func TestVeilHoldsMore(t *testing.T) {
	c := drawn(t, &tls.Config{}, &tls.Config{})
	c.bring(c.said("one"))
	c.bring(c.said("two"))
	b := make([]byte, 2)
	var got string
	for c.veil.more {
		n, err := c.veil.read(b)
		if err != nil && err != loop.ErrWouldBlock {
			t.Fatal(err)
		}
		got += string(b[:n])
	}
	if got != "onetwo" {
		t.Errorf("got %q", got)
	}
}

// A client's end is told once, after what it said before, and whatever follows
// is not asked for.
func TestVeilEnds(t *testing.T) {
	for _, tc := range []struct {
		name  string
		last  func(c *curtain) []byte
		want  string
		alert string // what the client is told
	}{
		{"close_notify", func(c *curtain) []byte { c.client.CloseWrite(); return c.spoken() }, "EOF", ""},
		{"end without a word", func(c *curtain) []byte { return nil }, "EOF", ""},
		{"end in a record's head", func(c *curtain) []byte { return c.said("lost")[:3] }, "unexpected EOF", ""},
		{"end in a record", func(c *curtain) []byte { return c.said("lost")[:12] }, "unexpected EOF", ""},
		{"damaged record", func(c *curtain) []byte { p := c.said("lost"); p[len(p)-1] ^= 1; return p }, "bad record MAC", "bad record MAC"},
		{"no record", func(*curtain) []byte { return []byte("GET / HTTP/1.1\r\n\r\n") }, "version", "protocol version"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := drawn(t, &tls.Config{}, &tls.Config{})
			c.bring(append(c.said("before"), tc.last(c)...))
			unix.Shutdown(c.far, unix.SHUT_WR)
			b := make([]byte, 100)
			n, err := c.veil.read(b)
			if err == nil {
				_, err = c.veil.read(b[n:])
			}
			if err == loop.ErrWouldBlock { // of the end the socket tells for itself
				_, err = c.veil.read(b[n:])
			}
			if string(b[:n]) != "before" || err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%q, then %v", b[:n], err)
			}
			if _, again := c.veil.read(b); again != err {
				t.Errorf("then %v", again)
			}
			c.veil.leave()
			c.fetch()
			if _, err := c.heard(); tc.alert == "" && err != io.EOF || !strings.Contains(err.Error(), tc.alert) {
				t.Errorf("the client heard %v", err)
			}
		})
	}
}

// One piece, and all that crypto/tls may have to say meanwhile, find room in one
// buffer, whatever the records are.
func TestVeilPieceHasRoom(t *testing.T) {
	for name, config := range map[string]*tls.Config{
		"1.3":                 {},
		"1.2":                 {MaxVersion: tls.VersionTLS12},
		"1.2 CBC, SHA-256":    {MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256}},
		"1.0 CBC":             {MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA}},
		"1.3, full from 1 on": {DynamicRecordSizingDisabled: true},
	} {
		t.Run(name, func(t *testing.T) {
			c := drawn(t, config, &tls.Config{MinVersion: config.MinVersion, CipherSuites: config.CipherSuites})
			data := stream(2, bufferSize)
			n, err := c.veil.hide(data)
			if err != nil || n != veilPiece || !c.veil.mayRead() {
				t.Errorf("%d bytes hidden, %d of %d used: %v", n, c.veil.to, bufferSize, err)
			}
			c.wire.in.Write(c.veil.out[:c.veil.to])
			if got, _ := c.heard(); got != string(data[:n]) {
				t.Errorf("the client heard %d bytes", len(got))
			}
		})
	}
}

// A socket that takes little gets it all in the end, and a veil that has nothing
// to say holds no buffer.
func TestVeilFlushesSlowly(t *testing.T) {
	c := drawn(t, &tls.Config{}, &tls.Config{})
	want, full := stream(3, 2<<20), 0
	var got strings.Builder
	for left := want; len(left) > 0 || c.veil.waiting(); {
		if !c.veil.waiting() {
			n, err := c.veil.hide(left)
			if err != nil {
				t.Fatal(err)
			}
			left = left[n:]
		}
		switch err := c.veil.flush(); {
		case err == loop.ErrWouldBlock:
			full++
			c.fetch()
			p, _ := c.heard()
			got.WriteString(p)
		case err != nil:
			t.Fatal(err)
		}
	}
	c.fetch()
	p, _ := c.heard()
	got.WriteString(p)
	if got.String() != string(want) || full == 0 || c.veil.out != nil {
		t.Errorf("%d of %d bytes; full %d times; buffer left: %v", got.Len(), len(want), full, c.veil.out != nil)
	}
}

// A client that is in the middle of a record is told nothing more.
func TestVeilLeavesInTheMiddle(t *testing.T) {
	c := drawn(t, &tls.Config{}, &tls.Config{})
	data := stream(4, bufferSize)
	for {
		if _, err := c.veil.hide(data); err != nil {
			t.Fatal(err)
		}
		if err := c.veil.flush(); err == loop.ErrWouldBlock {
			break
		}
	}
	c.veil.leave()
	for range 10 { // as much as the system holds
		c.fetch()
	}
	if _, err := c.heard(); !errors.Is(err, errWouldBlock) {
		t.Errorf("the client heard %v", err)
	}
	if n, err := c.veil.Write(data); n != len(data) || err != nil || c.veil.out != nil {
		t.Errorf("afterwards: %d %v", n, err)
	}
}
