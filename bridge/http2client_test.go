//go:build unix

//lint:file-ignore SA1019 net/http offers a client no extended CONNECT

package bridge

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/wsbridge/wsbridge/frame"
)

// stream2 is a client's stream of HTTP/2, after an extended CONNECT.
type stream2 struct {
	net.Conn // nil: what tests do not use
	up       *io.PipeWriter
	down     io.ReadCloser
	cancel   context.CancelFunc
}

func (c *stream2) Read(p []byte) (int, error)  { return c.down.Read(p) }
func (c *stream2) Write(p []byte) (int, error) { return c.up.Write(p) }
func (c *stream2) CloseWrite() error           { return c.up.Close() }

// SetDeadline has nothing to set: ask2's context ends the stream in any case.
func (c *stream2) SetDeadline(time.Time) error { return nil }

func (c *stream2) Close() error {
	c.up.Close()
	c.cancel()
	return c.down.Close()
}

// connect2 is a connection that speaks HTTP/2.
func (r *rig) connect2() *http2.ClientConn {
	r.t.Helper()
	secure := tls.Client(r.dialRaw(), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	if err := secure.Handshake(); err != nil {
		r.t.Fatal(err)
	}
	if got := secure.ConnectionState().NegotiatedProtocol; got != "h2" {
		r.t.Fatalf("ALPN gave %q", got)
	}
	secure.SetDeadline(time.Time{})
	client, err := new(http2.Transport).NewClientConn(secure)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { client.Close() })
	return client
}

// request2 is a good extended CONNECT.
func request2(ctx context.Context, body io.Reader, header ...string) *http.Request {
	r, _ := http.NewRequestWithContext(ctx, http.MethodConnect, "https://bridge/websockify", body)
	r.Header = http.Header{":protocol": {"websocket"}, "Sec-Websocket-Version": {"13"}}
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	return r
}

// ask2 sends an extended CONNECT.
func (r *rig) ask2(client *http2.ClientConn, change func(*http.Request), header ...string) (*http.Response, *stream2) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 6*patience)
	down, up := io.Pipe()
	request := request2(ctx, down, header...)
	if change != nil {
		change(request)
	}
	answer, err := client.RoundTrip(request)
	if err != nil {
		cancel()
		r.t.Fatalf("extended CONNECT: %v", err)
	}
	c := &stream2{up: up, down: answer.Body, cancel: cancel}
	r.t.Cleanup(func() { c.Close() })
	return answer, c
}

func (r *rig) dialHTTP2(header ...string) *peer {
	r.t.Helper()
	if r.shared == nil {
		r.shared = r.connect2()
	}
	answer, c := r.ask2(r.shared, nil, header...)
	if answer.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(answer.Body)
		r.t.Fatalf("extended CONNECT: %s: %s", answer.Status, body)
	}
	return &peer{t: r.t, conn: c, in: bufio.NewReader(c), decoder: frame.Decoder{FromServer: true}, answer: answer}
}

// startRig2 is a bridge that offers HTTP/2 to clients that speak it.
func startRig2(t *testing.T, set func(*Server)) *rig {
	t.Helper()
	r := startRig(t, func(s *Server) {
		s.TLS = &tls.Config{Certificates: []tls.Certificate{selfSigned(t)}, NextProtos: []string{"h2", "http/1.1"}}
		if set != nil {
			set(s)
		}
	})
	r.http2 = true
	return r
}

// framer2 is a connection that has seen the bridge's SETTINGS, frame by frame.
func (r *rig) framer2() (*http2.Framer, *http2.SettingsFrame) {
	r.t.Helper()
	secure := tls.Client(r.dialRaw(), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	framer := http2.NewFramer(secure, secure)
	io.WriteString(secure, http2.ClientPreface)
	framer.WriteSettings()
	frame, err := framer.ReadFrame()
	settings, ok := frame.(*http2.SettingsFrame)
	if !ok {
		r.t.Fatalf("first frame: %v, %v", frame, err)
	}
	return framer, settings
}
