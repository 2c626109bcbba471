//go:build linux

package e2e

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// carriers are the ways in which a session of bytes is carried.
var carriers = []struct {
	name    string
	secure  bool
	options []string
}{
	{"loop", false, nil},
	{"goroutines", false, []string{"--pump", "goroutines"}},
	{"TLS", true, nil},
}

// TestBadWire: between client, bridge and target packets are lost, come late, come
// twice and overtake each other. No byte is wrong in either direction.
func TestBadWire(t *testing.T) {
	for _, by := range carriers {
		t.Run(by.name, func(t *testing.T) {
			t.Parallel()
			w := newWire(t, weather{loss: 0.02, twice: 0.01, least: 20 * time.Millisecond, most: 60 * time.Millisecond}, 1)
			options := append(certify(t, t.TempDir(), "localhost").options(), by.options...)
			_, address := w.there.serve(w.there.host, w.here.target(w.here.host, runErrands), options...)
			w.errands(t, address, by.secure, 6, 2<<20)
			if w.lost.Load() == 0 || w.doubled.Load() == 0 || w.overtaken.Load() == 0 {
				t.Error("the weather was fine")
			}
			t.Logf("%d packets were lost, %d came twice, %d late", w.lost.Load(), w.doubled.Load(), w.overtaken.Load())
		})
	}
}

// TestSmallestMTU: no packet is larger than what every host must take, 576 bytes,
// and no byte is wrong.
func TestSmallestMTU(t *testing.T) {
	const mtu = 576
	for _, by := range carriers {
		t.Run(by.name, func(t *testing.T) {
			t.Parallel()
			w := newWire(t, weather{}, 2)
			for _, end := range []*wireEnd{w.here, w.there} {
				end.ip("link", "set", "wire", "mtu", strconv.Itoa(mtu))
			}
			options := append(certify(t, t.TempDir(), "localhost").options(), by.options...)
			_, address := w.there.serve(w.there.host, w.here.target(w.here.host, runErrands), options...)
			w.errands(t, address, by.secure, 3, 2<<20)
			if got := w.largest.Load(); got != mtu {
				t.Errorf("the largest packet has %d bytes, want %d", got, mtu)
			}
		})
	}
}

// TestLinkDown: the bridge's link goes down in the midst of sessions, and comes back.
// They go on where they were: one that carries all it can, and one that is silent.
func TestLinkDown(t *testing.T) {
	for _, by := range carriers {
		t.Run(by.name, func(t *testing.T) {
			t.Parallel()
			w := newWire(t, weather{}, 3)
			options := append(certify(t, t.TempDir(), "localhost").options(), by.options...)
			p, address := w.there.serve(w.there.host, w.here.target(w.here.host, runErrands), options...)
			silent, busy := w.enter(t, address, by.secure), w.enter(t, address, by.secure)
			e := errand{1, 20 << 20}
			over := make(chan error, 1)
			go func() { over <- e.run(busy) }()
			eventually(t, "a good part of it is said", func() bool { return w.carried.Load() > int64(e.Size)/4 })
			w.there.ip("link", "set", "wire", "down")
			time.Sleep(outage(t))
			if said := p.out.String(); strings.Contains(said, "session ended") {
				t.Error("a session has ended")
			}
			w.there.ip("link", "set", "wire", "up")
			if err := <-over; err != nil {
				t.Errorf("the busy session: %v", err)
			}
			if err := (errand{2, 1000}).run(silent); err != nil {
				t.Errorf("the silent session: %v", err)
			}
			if err := errors.Join(busy.leave(), silent.leave()); err != nil {
				t.Error(err)
			}
		})
	}
}

// outage is how long a link is down: a short form, unless E2E_LINK_DOWN says more.
func outage(t *testing.T) time.Duration {
	const short = 5 * time.Second
	text := os.Getenv("E2E_LINK_DOWN")
	if text == "" {
		return short
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < short {
		t.Fatalf("E2E_LINK_DOWN is %q, not a time of %v or more", text, short)
	}
	return d
}

// TestLinkDownHeartbeat: with --heartbeat a link that stays down ends the sessions,
// as docs/close-codes.md has it, and their targets are let go; also of one that
// carries all it can. When the link is back, the clients find out, and new ones
// come in.
func TestLinkDownHeartbeat(t *testing.T) {
	for _, by := range carriers {
		t.Run(by.name, func(t *testing.T) {
			t.Parallel()
			w := newWire(t, weather{}, 4)
			let := make(chan error, 2)
			to := w.there.target("127.0.0.1", func(conn net.Conn) {
				runErrands(conn)
				let <- nil
			})
			options := append(certify(t, t.TempDir(), "localhost").options(), by.options...)
			p, address := w.there.serve(w.there.host, to, append(options, "--heartbeat", "2")...)
			silent, busy := w.enter(t, address, by.secure), w.enter(t, address, by.secure)
			over := make(chan error, 2)
			go func() { over <- silent.listen() }()
			go func() { over <- errand{1, 1 << 40}.run(busy) }()
			eventually(t, "some of it is said", func() bool { return w.carried.Load() > 1<<20 })
			w.there.ip("link", "set", "wire", "down")
			eventually(t, "both sessions end", func() bool {
				return strings.Count(p.out.String(), `reason="client answered none of two pings"`) == 2
			})
			<-let
			<-let
			w.there.ip("link", "set", "wire", "up")
			for range 2 {
				if err := <-over; errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("a client does not find out: %v", err)
				}
			}
			late := w.enter(t, address, by.secure)
			if err := errors.Join(errand{3, 1000}.run(late), late.leave()); err != nil {
				t.Errorf("a new client: %v", err)
			}
		})
	}
}

// enter opens a session from this side of the wire.
func (c *wire) enter(t *testing.T, address string, secure bool) *visitor {
	t.Helper()
	conn, err := c.here.dial(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	v, err := enterBy(conn, secure)
	if err != nil {
		t.Fatalf("the handshake: %v", err)
	}
	return v
}

// errands has so many sessions at once, from this side of the wire.
func (c *wire) errands(t *testing.T, address string, secure bool, sessions int, size uint64) {
	t.Helper()
	var all sync.WaitGroup
	for n := range sessions {
		all.Go(func() {
			if err := c.errand(address, secure, errand{uint64(n), size}); err != nil {
				t.Errorf("session %d: %v", n, err)
			}
		})
	}
	all.Wait()
}

func (c *wire) errand(address string, secure bool, e errand) error {
	conn, err := c.here.dial(address)
	if err != nil {
		return err
	}
	v, err := enterBy(conn, secure)
	if err != nil {
		return fmt.Errorf("the handshake: %w", err)
	}
	return errors.Join(e.run(v), v.leave())
}
