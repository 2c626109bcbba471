//go:build linux

package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// attackWord is the first argument of this program when it is an attacker; those
// behind it are the attack's name, the address, and how many connections to hold.
const attackWord = "attack"

// What an attacker with sessions, or with requests, has: so many of them, and so
// many frames or bytes for each at a strike.
const (
	attackClients = 10
	attackBurst   = 20
	headBurst     = 4 << 10
)

// A strike is what an attacker does at a beat; it returns how much that was.
type strike func() (int, error)

// An attack is something that goes on while others work.
type attack struct {
	name   string
	unit   string // of what a strike returns
	counts bool   // the title begins with the number of connections
	title  string

	beat  time.Duration // from one strike to the next
	begin func(address string, held int) (strike, error)
}

func attacks() []attack {
	return []attack{
		{"halfopen", "connections", true, "half-open connections, and more all the time", 2 * time.Millisecond, beginHalfOpen},
		{"pings", "pings", false, "pings from 10 clients", 10 * time.Millisecond, beginPings},
		{"hellos", "handshakes", false, "TLS handshakes given up half done", 2500 * time.Microsecond, beginHellos},
		{"bytes", "frames", false, "1-byte frames from 10 clients", 10 * time.Millisecond, beginBytes},
		{"heads", "bytes", false, "endless heads from 10 clients", 10 * time.Millisecond, beginHeads},
	}
}

// assail is the attacker's process: it says when the attack has begun, goes on
// until in ends, and then says how much it was.
func assail(args []string, in io.Reader, out io.Writer) error {
	next, beat, err := prepareAttack(args)
	if err != nil {
		return err
	}
	first, err := next()
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "begun")
	var done atomic.Int64
	done.Add(int64(first))
	failed, ended := make(chan error, 1), make(chan error, 1)
	go func() { failed <- goOn(next, beat, &done) }()
	go func() {
		_, err := io.Copy(io.Discard, in)
		ended <- err
	}()
	select {
	case err := <-failed:
		return err
	case err := <-ended:
		fmt.Fprintln(out, done.Load())
		return err
	}
}

func prepareAttack(args []string) (next strike, beat time.Duration, err error) {
	if len(args) != 3 {
		return nil, 0, errors.New("an attack has a name, an address and a number")
	}
	held, err := strconv.Atoi(args[2])
	if err != nil {
		return nil, 0, err
	}
	for _, a := range attacks() {
		if a.name == args[0] {
			next, err = a.begin(args[1], held)
			return next, a.beat, err
		}
	}
	return nil, 0, fmt.Errorf("no attack is called %q", args[0])
}

// goOn strikes at every beat until one fails. Who is late leaves beats out.
func goOn(next strike, beat time.Duration, done *atomic.Int64) error {
	for range time.Tick(beat) {
		n, err := next()
		if err != nil {
			return err
		}
		done.Add(int64(n))
	}
	return nil
}

// A knocker opens connections that say something and then no more.
type knocker struct {
	address string
	words   []string   // one for each connection in turn
	give    bool       // every other one is given up at once
	held    []net.Conn // the oldest makes room for the next
	opened  int
	kept    int
}

func (k *knocker) strike() (int, error) {
	return 1, k.knock()
}

func (k *knocker) knock() error {
	conn, err := knockAt(k.address, k.words[k.opened%len(k.words)])
	if err != nil {
		return err
	}
	k.opened++
	if k.give && k.opened%2 == 0 {
		return conn.Close()
	}
	if oldest := k.held[k.kept%len(k.held)]; oldest != nil {
		oldest.Close()
	}
	k.held[k.kept%len(k.held)] = conn
	k.kept++
	return nil
}

// knockAt opens a connection that ends with a reset, so that its port is free at once.
func knockAt(address, words string) (net.Conn, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	conn.(*net.TCPConn).SetLinger(0)
	io.WriteString(conn, words) // whoever is refused already is one all the same
	return conn, nil
}

// beginHalfOpen holds so many connections that go no further: silent, in the middle
// of a head, in the middle of a TLS hello.
func beginHalfOpen(address string, held int) (strike, error) {
	words := []string{"", "GET / HTTP/1.1\r\nHost: x\r\nUpgr", "\x16\x03\x01\x02\x00\x01\x00"}
	k := &knocker{address: address, words: words, held: make([]net.Conn, held)}
	for range held {
		if err := k.knock(); err != nil {
			return nil, fmt.Errorf("connection %d of %d: %w", k.opened+1, held, err)
		}
	}
	return k.strike, nil
}

// beginHellos has the other end do its part of a TLS handshake for nothing.
func beginHellos(address string, held int) (strike, error) {
	hello, err := clientHello()
	k := &knocker{address: address, words: []string{hello}, give: true, held: make([]net.Conn, held)}
	return k.strike, err
}

// clientHello is what a TLS client says first.
func clientHello() (string, error) {
	here, there := net.Pipe()
	defer there.Close()
	go func() {
		defer here.Close()
		tls.Client(here, &tls.Config{ServerName: "localhost"}).Handshake()
	}()
	hello := make([]byte, 16<<10)
	n, err := there.Read(hello)
	return string(hello[:n]), err
}

func beginPings(address string, _ int) (strike, error) {
	ping := maskedFrame(opPing, []byte(strings.Repeat("p", 125)))
	return beginFlood(address, ping, func(*session) error { return nil })
}

// beginBytes has the target read without end and say nothing.
func beginBytes(address string, _ int) (strike, error) {
	return beginFlood(address, maskedFrame(opBinary, []byte{1}), func(s *session) error { return s.ask(askUp, 1<<50) })
}

// beginFlood opens sessions and has each say something first; a strike is a burst
// of the frame in each. What they are told is read.
func beginFlood(address string, frame []byte, first func(*session) error) (strike, error) {
	var sessions []*session
	at := &station{setup: setup{listen: address}, proxy: &wsbridge{}}
	for range attackClients {
		s, err := open(context.Background(), at, smallReadSize)
		if err != nil {
			return nil, err
		}
		if err := first(s); err != nil {
			return nil, err
		}
		go io.Copy(io.Discard, s.conn)
		sessions = append(sessions, s)
	}
	burst := bytes.Repeat(frame, attackBurst)
	return func() (int, error) {
		for _, s := range sessions {
			if _, err := s.conn.Write(burst); err != nil {
				return 0, err
			}
		}
		return len(sessions) * attackBurst, nil
	}, nil
}

// beginHeads sends heads that do not end; who is refused begins another.
func beginHeads(address string, _ int) (strike, error) {
	heads := make([]net.Conn, attackClients)
	more := bytes.Repeat([]byte("a"), headBurst)
	return func() (sent int, err error) {
		for i := range heads {
			if heads[i] != nil {
				n, err := heads[i].Write(more)
				sent += n
				if err == nil {
					continue
				}
				heads[i].Close()
			}
			if heads[i], err = knockAt(address, "GET / HTTP/1.1\r\nHost: x\r\nX-Long: "); err != nil {
				return sent, err
			}
		}
		return sent, nil
	}, nil
}
