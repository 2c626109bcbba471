package bridge

import (
	"context"
	"crypto/tls"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// However many clients come at once, few handshakes compute; and none of those
// that stop in the middle keeps anybody out.
func TestHandshakesTakeTurns(t *testing.T) {
	cert := selfSigned(t)
	inside, goOn := make(chan struct{}), make(chan struct{})
	var computing, most atomic.Int32
	config := &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		now := computing.Add(1)
		defer computing.Add(-1)
		for seen := most.Load(); now > seen && !most.CompareAndSwap(seen, now); seen = most.Load() {
		}
		inside <- struct{}{}
		<-goOn
		return &cert, nil
	}}
	r := startRig(t, func(s *Server) { s.TLS = config })
	for range 100 { // half-open: a hello that does not end
		io.WriteString(r.dialRaw(), "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
	}
	var clients sync.WaitGroup
	many := 4 * cap(r.server.turns)
	for range many {
		clients.Go(func() {
			conn, err := tls.Dial("tcp", r.addr, &tls.Config{InsecureSkipVerify: true})
			if err != nil {
				t.Error(err)
				return
			}
			conn.Close()
		})
	}
	for range many {
		<-inside
		goOn <- struct{}{}
	}
	clients.Wait()
	if got := int(most.Load()); got > cap(r.server.turns) {
		t.Errorf("%d handshakes computed at once, of %d that may", got, cap(r.server.turns))
	}
}

// Who waits for a turn waits no longer than for a handshake.
func TestWaitingForATurnEnds(t *testing.T) {
	all := make(turns, 1)
	first := turn{of: all, ctx: t.Context()}
	if err := first.take(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	second := turn{of: all, ctx: ctx}
	if err := second.take(); err != context.DeadlineExceeded {
		t.Errorf("%v", err)
	}
	second.release() // of what it does not hold
	first.release()
	third := turn{of: all, ctx: t.Context()}
	if err := third.take(); err != nil {
		t.Error(err)
	}
	third.release()
}
