package admin

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener in memory, so that hours pass at once.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error { close(p.done); return nil }

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Net: "unix", Name: "pipe"} }

func (p *pipes) dial() net.Conn {
	mine, its := net.Pipe()
	p.conns <- its
	return mine
}

// TestSlowPeers has peers of every slow kind, none of whom holds on for long.
func TestSlowPeers(t *testing.T) {
	many := newFake()
	for i := range 1000 {
		many.begin(Session{ID: fmt.Sprint(i)})
	}
	for _, c := range []struct {
		name, says string
		within     time.Duration
	}{
		{"says nothing", "", headTimeout},
		{"half a head", "GET /livez HTTP/1.1\r\nHost: ", headTimeout},
		{"half a form", "POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\ntoken=", bodyTimeout + idleTimeout},
		{"half a body nobody reads", "DELETE /sessions/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nx", bodyTimeout + idleTimeout},
		{"body without end", "GET /livez HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n", bodyTimeout + idleTimeout},
		{"reads no answer", "GET /sessions HTTP/1.1\r\nHost: localhost\r\n\r\n", answerTimeout},
		{"reads no event", "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n", answerTimeout},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := &pipes{make(chan net.Conn), make(chan struct{})}
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan error, 1)
				go func() { ended <- (&Admin{Bridge: many, Log: slog.New(slog.DiscardHandler)}).Serve(ctx, l) }()
				conn := l.dial()
				began := time.Now()
				if _, err := io.WriteString(conn, c.says); err != nil {
					t.Fatal(err)
				}
				gone := make(chan struct{})
				limit := c.within
				if strings.HasPrefix(c.name, "reads no") {
					limit += time.Second // at the deadline itself a reader could still be in time
					time.Sleep(limit)
				}
				go func() {
					defer close(gone)
					io.Copy(io.Discard, conn)
				}()
				<-gone
				if took := time.Since(began); took > limit { // of the bubble's clock
					t.Errorf("held on for %v", took)
				}
				cancel()
				if err := <-ended; err != nil {
					t.Error(err)
				}
				conn.Close()
			})
		})
	}
}

// A stream outlives the deadlines that other answers have.
func TestEventsLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &pipes{make(chan net.Conn), make(chan struct{})}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- (&Admin{Bridge: newFake(), Log: slog.New(slog.DiscardHandler)}).Serve(ctx, l) }()
		conn := l.dial()
		io.WriteString(conn, "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		events := bufio.NewScanner(resp.Body)
		for n := 0; n < 2*int(idleTimeout.Seconds()); n++ {
			if _, ok := next(t, events); !ok {
				t.Fatalf("the stream ends after %d events: %v", n, events.Err())
			}
		}
		cancel()
		for ok := true; ok; {
			_, ok = next(t, events)
		}
		conn.Close()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// One connection too many is closed; those before it are served, and make room.
func TestTooManyConnections(t *testing.T) {
	log := &log{}
	url := start(t, &Admin{Bridge: newFake(), Log: log.logger()})
	address := strings.TrimPrefix(url, "http://")
	dial := func() net.Conn {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		c.SetDeadline(time.Now().Add(patience))
		return c
	}
	live := func(c net.Conn) bool {
		io.WriteString(c, "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
		said, _ := bufio.NewReader(c).ReadString('\n')
		return strings.Contains(said, "200")
	}
	var all []net.Conn
	for range maxConnections {
		c := dial()
		if !live(c) {
			t.Fatalf("connection %d is not served", len(all))
		}
		all = append(all, c)
	}
	if live(dial()) {
		t.Error("one too many is served")
	}
	if !strings.Contains(log.String(), "too many connections to the administrator's side") {
		t.Errorf("log: %s", log)
	}
	all[0].Close()
	for end := time.Now().Add(patience); !live(dial()); {
		if time.Now().After(end) {
			t.Fatal("nobody takes the place of who has left")
		}
	}
}
