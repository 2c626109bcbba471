//go:build linux

//lint:file-ignore SA1019 net/http offers a client no extended CONNECT

package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/net/http2"
)

// shared is the one connection of HTTP/2 that all sessions of a rig have.
type shared struct {
	mu   sync.Mutex
	conn *http2.ClientConn
}

// dialH2 asks for a session on the shared connection (RFC 8441).
func dialH2(ctx context.Context, r *rig, subprotocol string) (net.Conn, error) {
	client, err := r.shared.get(ctx, r)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	body, up := io.Pipe()
	request, err := http.NewRequestWithContext(ctx, http.MethodConnect, "https://"+r.bridge.address+"/", body)
	if err != nil {
		cancel()
		return nil, err
	}
	request.Header = http.Header{":protocol": {"websocket"}, "Sec-Websocket-Version": {"13"}}
	if subprotocol != "" {
		request.Header.Set("Sec-WebSocket-Protocol", subprotocol)
	}
	if offer := r.coding.extension(); offer != "" {
		request.Header.Set("Sec-WebSocket-Extensions", offer)
	}
	s := &h2Stream{up: up, cancel: cancel, late: time.AfterFunc(stall, cancel)}
	answer, err := client.RoundTrip(request)
	if err != nil {
		s.late.Stop()
		cancel()
		return nil, fmt.Errorf("extended CONNECT: %w", err)
	}
	s.down = answer.Body
	if got := answer.Header.Get("Sec-WebSocket-Protocol"); answer.StatusCode != http.StatusOK || got != subprotocol {
		s.Close()
		return nil, fmt.Errorf("extended CONNECT: %s, subprotocol %q", answer.Status, got)
	}
	if got := answer.Header.Get("Sec-WebSocket-Extensions"); got != r.coding.extension() {
		s.Close()
		return nil, fmt.Errorf("extended CONNECT: extension %q", got)
	}
	return s, nil
}

func (s *shared) get(ctx context.Context, r *rig) (*http2.ClientConn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil {
		return s.conn, nil
	}
	config := r.crypto.client.Clone()
	config.NextProtos = []string{"h2"}
	conn, err := (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", r.bridge.address)
	if err != nil {
		return nil, err
	}
	if s.conn, err = new(http2.Transport).NewClientConn(conn); err != nil {
		conn.Close()
	}
	return s.conn, err
}

func (s *shared) close() {
	if s.conn != nil {
		s.conn.Close()
	}
}

// h2Stream is a session's stream as a connection, as far as the soak uses one.
type h2Stream struct {
	net.Conn // nil
	up       *io.PipeWriter
	down     io.ReadCloser
	cancel   context.CancelFunc
	late     *time.Timer
}

func (s *h2Stream) Read(p []byte) (int, error)  { return s.down.Read(p) }
func (s *h2Stream) Write(p []byte) (int, error) { return s.up.Write(p) }

// SetReadDeadline and SetWriteDeadline are one: whichever way moves, the stream lives.
func (s *h2Stream) SetReadDeadline(t time.Time) error {
	s.late.Reset(time.Until(t))
	return nil
}

func (s *h2Stream) SetWriteDeadline(t time.Time) error { return s.SetReadDeadline(t) }

func (s *h2Stream) Close() error {
	s.late.Stop()
	s.cancel()
	return errors.Join(s.up.Close(), s.down.Close())
}
