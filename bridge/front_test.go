package bridge

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"
)

// talk sends bytes and returns everything that comes back.
func (r *rig) talk(bytes string) string {
	r.t.Helper()
	c := r.dialRaw()
	io.WriteString(c, bytes)
	return readAll(r.t, c)
}

func TestFlashPolicy(t *testing.T) {
	r := startRig(t, nil)
	_, port, _ := net.SplitHostPort(r.addr)
	got := r.talk("<policy-file-request/>\x00")
	if !strings.Contains(got, "cross-domain-policy") || !strings.Contains(got, `to-ports="`+port+`"`) || !strings.HasSuffix(got, "\x00") {
		t.Errorf("%q", got)
	}
}

func TestSilentClientIsClosed(t *testing.T) {
	r := startRig(t, func(s *Server) { s.Limits.SniffTimeout = 50 * time.Millisecond })
	if got := r.talk(""); got != "" {
		t.Errorf("%q", got)
	}
}

func TestTLSWithoutCertificate(t *testing.T) {
	r := startRig(t, nil)
	_, err := tls.Dial("tcp", r.addr, &tls.Config{InsecureSkipVerify: true})
	if err == nil || !strings.Contains(err.Error(), "handshake failure") {
		t.Errorf("%v, want a handshake failure", err)
	}
	r.wantLog("SSL connection but no certificate is configured", "client=127.0.0.1")
}

func TestSSLv2IsRefused(t *testing.T) {
	r := startRig(t, nil)
	if got := r.talk("\x80\x2e\x01\x03\x01"); got != "" {
		t.Errorf("%q", got)
	}
	r.wantLog("SSLv2 hello refused")
}

func TestIndentedRequest(t *testing.T) {
	r := startRig(t, nil)
	if got := r.talk("    GET / HTTP/1.1\r\n"); !strings.HasPrefix(got, "HTTP/1.1 400 ") || !strings.Contains(got, "indentation") {
		t.Errorf("%q", got)
	}
}

func TestTLSOnly(t *testing.T) {
	r := startRig(t, func(s *Server) {
		s.TLSOnly = true
		s.TLS = &tls.Config{Certificates: []tls.Certificate{selfSigned(t)}}
	})
	if got := r.talk(request()); !strings.HasPrefix(got, "HTTP/1.1 400 ") || !strings.Contains(got, "wss://") {
		t.Errorf("%q", got)
	}
	r.wantLog("non-SSL connection received but disallowed")
	r.secure = true
	r.pair()
}

func TestTLSAndPlainOnOnePort(t *testing.T) {
	r := startRig(t, func(s *Server) { s.TLS = &tls.Config{Certificates: []tls.Certificate{selfSigned(t)}} })
	r.pair()
	r.secure = true
	r.pair()
}

// A hello in pieces, as big ones come, is a hello.
func TestClientHelloInPieces(t *testing.T) {
	r := startRig(t, func(s *Server) { s.TLS = &tls.Config{Certificates: []tls.Certificate{selfSigned(t)}} })
	client := openPeer(t, tls.Client(&dribble{r.dialRaw()}, &tls.Config{InsecureSkipVerify: true}), request())
	client.send("x")
	readN(t, r.accept(), 1)
}

// dribble writes a byte at a time.
type dribble struct{ net.Conn }

func (d *dribble) Write(p []byte) (n int, err error) {
	for i := range p {
		m, err := d.Conn.Write(p[i : i+1])
		if n += m; err != nil {
			return n, err
		}
	}
	return n, nil
}

func TestStalledTLSHandshakeIsCut(t *testing.T) {
	r := startRig(t, func(s *Server) {
		s.TLS = &tls.Config{Certificates: []tls.Certificate{selfSigned(t)}}
		s.Limits.HeaderTimeout = 50 * time.Millisecond
	})
	r.talk("\x16\x03\x01")
	r.wantLog("tls handshake failed")
}

func TestShutdownCutsGreetings(t *testing.T) {
	r := startRig(t, nil)
	c := r.dialRaw()
	r.eventually("greeting", func() bool { return r.server.places.count() == 1 })
	if err := r.server.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	readAll(t, c)
}

// Accept errors are waited out: the listener recovers by itself.
func TestAcceptErrorsAreWaitedOut(t *testing.T) {
	inner := listenTCP(t)
	s := &Server{Rules: Rules{Route: to(failing{timeoutError{}})}}
	served := make(chan error, 1)
	go func() { served <- s.Serve(&flaky{Listener: inner, failures: 3}) }()
	c, err := net.Dial("tcp", inner.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	if got := readAll(t, c); !strings.HasPrefix(got, "HTTP/1.1 404") {
		t.Errorf("%q", got)
	}
	s.Shutdown(t.Context())
	if err := <-served; err != ErrServerClosed {
		t.Error(err)
	}
	if n := s.Stats().Refused["accept failed"]; n != 3 {
		t.Errorf("%s failures counted", strconv.Itoa(n))
	}
}

type flaky struct {
	net.Listener
	failures int
}

func (f *flaky) Accept() (net.Conn, error) {
	if f.failures > 0 {
		f.failures--
		return nil, errors.New("too many open files")
	}
	return f.Listener.Accept()
}
