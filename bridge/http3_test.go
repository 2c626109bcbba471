//go:build http3

package bridge

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/wsbridge/wsbridge/frame"
)

// stream3 is a client's stream of HTTP/3, after an extended CONNECT.
type stream3 struct{ *http3.RequestStream }

// Read leaves an end that comes with bytes for the next.
func (c *stream3) Read(p []byte) (int, error) {
	n, err := c.RequestStream.Read(p)
	if n > 0 {
		err = nil
	}
	return n, err
}

func (c *stream3) LocalAddr() net.Addr  { return nil }
func (c *stream3) RemoteAddr() net.Addr { return nil }

// rig3 is a bridge that speaks HTTP/3 too, and a client's connection to it.
func rig3(t *testing.T, set func(*Server)) (*rig, *http3.ClientConn) {
	t.Helper()
	r := startRig2(t, set)
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- r.server.ServeHTTP3(socket) }()
	own, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	transport := &quic.Transport{Conn: own}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, err := transport.Dial(ctx, socket.LocalAddr(), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h3"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.CloseWithError(0, "")
		transport.Close()
		own.Close()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		r.server.Shutdown(ctx)
		if err := <-served; err != ErrServerClosed {
			t.Errorf("ServeHTTP3: %v", err)
		}
	})
	return r, new(http3.Transport).NewClientConn(conn)
}

// ask3 sends an extended CONNECT.
func ask3(t *testing.T, client *http3.ClientConn, change func(*http.Request)) (*http.Response, *stream3) {
	t.Helper()
	stream, err := client.OpenRequestStream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	request := request2(t.Context(), nil)
	request.Header.Del(protocolHeader)
	request.Proto = "websocket"
	if change != nil {
		change(request)
	}
	if err := stream.SendRequestHeader(request); err != nil {
		t.Fatal(err)
	}
	answer, err := stream.ReadResponse()
	if err != nil {
		t.Fatal(err)
	}
	return answer, &stream3{RequestStream: stream}
}

func open3(t *testing.T, client *http3.ClientConn) *peer {
	t.Helper()
	answer, c := ask3(t, client, nil)
	if answer.StatusCode != http.StatusOK {
		t.Fatal(answer.Status)
	}
	return &peer{t: t, conn: c, in: bufio.NewReader(c), decoder: frame.Decoder{FromServer: true}, answer: answer}
}

// Bytes, pings and every end of a session, over HTTP/3.
func TestSessionsOverHTTP3(t *testing.T) {
	r, client := rig3(t, nil)
	for name, story := range map[string]func(c *peer, target halfConn){
		"bytes, and the client closes": func(c *peer, target halfConn) {
			data := stream(9, 1<<20)
			sent := make(chan struct{})
			go func() {
				defer close(sent)
				sendFragmented(c, data)
			}()
			if got := readN(t, target, len(data)); got != string(data) {
				t.Error("target: bytes differ")
			}
			go target.Write(data)
			if got := c.read(len(data)); got != string(data) {
				t.Error("client: bytes differ")
			}
			<-sent
			c.close(4321, "")
			readAll(t, target)
			target.Close()
			c.wantClose(4321, "")
			r.wantLog("code=4321", "by=client", "http=3")
		},
		"the target ends": func(c *peer, target halfConn) {
			io.WriteString(target, "last words")
			target.Close()
			if got := c.wantClose(1000, "target closed"); got != "last words" {
				t.Errorf("client got %q", got)
			}
			c.close(1000, "")
			r.wantLog("code=1000", "by=target", "http=3")
		},
		"the client resets": func(c *peer, target halfConn) {
			c.conn.(*stream3).CancelWrite(quic.StreamErrorCode(http3.ErrCodeRequestCanceled))
			readAll(t, target)
			target.Close()
			r.wantLog("code=1006", "by=client", "client reset", "http=3")
		},
		"the client ends": func(c *peer, target halfConn) {
			c.conn.Close()
			readAll(t, target)
			target.Close()
			r.wantLog("code=1006", "by=client", "client vanished", "http=3")
		},
	} {
		c, target := open3(t, client), r.accept()
		t.Log(name)
		story(c, target)
		r.eventually("the slot is free", func() bool { return r.server.Stats().Sessions == 0 })
	}
}

func TestRefusalsAndPagesOverHTTP3(t *testing.T) {
	r, client := rig3(t, func(s *Server) {
		s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Proto) })
	})
	answer, c := ask3(t, client, func(r *http.Request) { r.Proto = "webtransport" })
	if body, err := io.ReadAll(c); answer.StatusCode != 501 || !strings.Contains(string(body), "the only :protocol") || err != nil {
		t.Errorf("%s %q %v", answer.Status, body, err)
	}
	request, _ := http.NewRequest("GET", "https://bridge/", nil)
	page, err := client.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(page.Body); string(body) != "HTTP/3.0" || err != nil {
		t.Errorf("%q %v", body, err)
	}
	c3 := open3(t, client)
	target := r.accept()
	done := make(chan error, 1)
	go func() { done <- r.server.Shutdown(t.Context()) }()
	c3.wantClose(1001, "bridge shutting down")
	c3.close(1001, "")
	readAll(t, target)
	target.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// A target that is not there is told as over any other way.
func TestNoTargetOverHTTP3(t *testing.T) {
	_, client := rig3(t, func(s *Server) { s.Route = to(failing{&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}}) })
	c := open3(t, client)
	c.wantClose(1011, "target refused the connection")
	c.close(1011, "")
}

// A client that does not read stops its target, and loses nothing by it.
func TestSlowReaderOverHTTP3(t *testing.T) {
	r, client := rig3(t, nil)
	c, target := open3(t, client), r.accept()
	data := stream(7, 32<<20)
	var written atomic.Int64
	go func() {
		for rest := data; len(rest) > 0; {
			n, err := target.Write(rest[:min(len(rest), 64<<10)])
			written.Add(int64(n))
			if rest = rest[n:]; err != nil {
				return
			}
		}
		target.Close()
	}()
	last := int64(-1)
	r.eventually("the target waits", func() bool {
		time.Sleep(100 * time.Millisecond) // long for what is only waited for
		before := last
		last = written.Load()
		return last > 0 && last == before
	})
	if last == int64(len(data)) {
		t.Error("all of it was taken, and nobody read it")
	}
	if got := c.wantClose(1000, "target closed"); got != string(data) {
		t.Errorf("%d bytes of %d, or others", len(got), len(data))
	}
	c.close(1000, "")
}
