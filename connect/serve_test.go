package connect

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/wsbridge/wsbridge/internal/freeport"
	"github.com/wsbridge/wsbridge/message"
)

// local serves a pipe on a port, whose address it returns, until the test ends.
func local(t *testing.T, p Pipe, failed func(net.Addr, error)) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Serve(ctx, l, failed) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

func dial(t *testing.T, address string) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	check(t, err)
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	return c.(*net.TCPConn)
}

// Several programs at a time, each with a session of its own, and each told its
// end.
func TestServe(t *testing.T) {
	address := local(t, pipe(start(t, serving(echo))), func(_ net.Addr, err error) { t.Error(err) })
	var programs sync.WaitGroup
	for i := range 5 {
		c, sent := dial(t, address), bytes.Repeat([]byte{byte(i)}, 100_000+i)
		programs.Go(func() {
			defer c.CloseWrite()
			c.Write(sent)
		})
		programs.Go(func() {
			if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, sent) {
				t.Errorf("program %d: %d bytes came back of %d, %v", i, len(got), len(sent), err)
			}
		})
	}
	programs.Wait()
}

// A program whose session breaks must not take what came for everything.
func TestServeBrokenSession(t *testing.T) {
	told := make(chan error, 1)
	address := local(t, pipe(start(t, serving(func(c *message.Conn) {
		c.Write(message.Message{Data: []byte("half")})
		c.Close(1011, "target reset")
	}))), func(_ net.Addr, err error) { told <- err })
	seesReset(t, address)
	failsIn(t, <-told, "close", "1011: target reset")
}

// seesReset wants a connection to be reset, which may come while it is made.
func seesReset(t *testing.T, address string) {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err == nil {
		defer c.Close()
		c.SetDeadline(time.Now().Add(patience))
		_, err = io.ReadAll(c)
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the program sees %v, want a reset", err)
	}
}

func TestServeWithoutServer(t *testing.T) {
	told := make(chan error, 1)
	seesReset(t, local(t, pipe(freeport.Address(t)), func(_ net.Addr, err error) { told <- err }))
	failsIn(t, <-told, "connect", "refused")
}

// The end of ctx ends sessions that go on, and is no failure.
func TestServeEnds(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	p := pipe(start(t, serving(echo)))
	go func() { done <- p.Serve(ctx, l, func(_ net.Addr, err error) { t.Error(err) }) }()
	c := dial(t, l.Addr().String())
	c.Write([]byte("x"))
	_, err = io.ReadFull(c, make([]byte, 1))
	check(t, err)
	cancel()
	check(t, <-done)
}

// A program that does not read holds up its session, not the end of them all.
func TestServeEndsWithAStalledProgram(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done, full := make(chan error, 1), make(chan struct{})
	p := pipe(start(t, serving(func(c *message.Conn) {
		for n := 0; c.Write(message.Message{Data: make([]byte, 1<<20)}) == nil; n++ {
			if n == 1 {
				close(full)
			}
		}
	})))
	go func() { done <- p.Serve(ctx, l, func(_ net.Addr, err error) { t.Error(err) }) }()
	dial(t, l.Addr().String())
	<-full
	cancel()
	check(t, <-done)
}

// The last words of a server reach a program that is still talking.
func TestServeLastWords(t *testing.T) {
	last := randomBytes(300_000)
	address := local(t, pipe(start(t, serving(func(c *message.Conn) {
		c.Read()
		c.Write(message.Message{Data: last})
		c.Close(1000, "")
	}))), func(_ net.Addr, err error) { t.Error(err) })
	c := dial(t, address)
	talked := make(chan struct{})
	go func() {
		defer close(talked)
		for err := error(nil); err == nil; {
			_, err = c.Write(make([]byte, 1000))
		}
	}()
	if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, last) {
		t.Errorf("%d bytes of %d came, %v", len(got), len(last), err)
	}
	c.Close()
	<-talked
}

// A listener that somebody else closes is an error.
func TestServeListenerClosed(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	l.Close()
	if err := (Pipe{}).Serve(t.Context(), l, nil); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}

func selfSigned(t *testing.T) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	check(t, err)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}
