//go:build linux

package main

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// A rig is a row at work: a bridge, a target behind it, and clients in front.
type rig struct {
	row
	bridge *bridge
	crypto *certificate
	runes  *alphabet
	talks  []*talk
	done   *atomic.Int64 // bytes that arrived and were right

	shared shared
	mu     sync.Mutex
	count  tally
}

// setup is what rows have in common.
type setup struct {
	file     string // wsbridge
	dir      string // for sockets
	crypto   *certificate
	only     int // this session alone; -1: all
	sessions int // at a time
	done     *atomic.Int64
}

// A result is a row of the table.
type result struct {
	row                row
	sessions           int
	toTarget, toClient int64
	count              tally
	sum                []byte // of the sums of all that arrived, in order
	cost               cost
	err                error
}

// run carries about so many bytes in a row.
func (s *setup) run(ctx context.Context, w row, seed uint64, bytes int64) (res result) {
	r := &rig{row: w, crypto: s.crypto, runes: newAlphabet(), done: s.done}
	res.row = w
	if w.landing != toHub {
		r.talks = talks(seed, bytes)
	}
	l, err := s.listen(r)
	if err != nil {
		res.err = err
		return res
	}
	defer l.Close()
	go r.serve(l)
	if r.bridge, res.err = startBridge(ctx, s.file, r.argv(l.Addr().String())...); res.err != nil {
		return res
	}
	if w.landing == toHub {
		res.err = r.crowd(ctx, seed, bytes, &res)
	} else {
		res.err = r.carry(ctx, s, &res)
	}
	r.shared.close()
	used, err := r.bridge.stop()
	res.cost, res.count = used, r.count
	res.err = errors.Join(res.err, err)
	return res
}

// listen is where the target will be.
func (s *setup) listen(r *rig) (net.Listener, error) {
	if r.landing == overUnix {
		return net.Listen("unix", filepath.Join(s.dir, fmt.Sprintf("%x.sock", rand.Uint32())))
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err == nil && r.landing == overTLS {
		l = tls.NewListener(l, r.crypto.server)
	}
	return l, err
}

// argv leads the bridge to the target's address.
func (r *rig) argv(address string) []string {
	args := append([]string{"--heartbeat", "10"}, r.coding.options...)
	args = append(args, r.way.options(r.crypto)...)
	if r.pump != "" {
		args = append(args, "--pump", r.pump)
	}
	if r.landing == overTLS {
		args = append(args, "--target-ca", r.crypto.file)
	}
	if r.landing == toHub {
		args = append(args, "--hub-echo", "--hub-rate", "1000000")
	}
	switch r.landing {
	case overUnix:
		return append(args, "127.0.0.1:0", "--unix-target", address)
	case toHub:
		return append(args, "127.0.0.1:0", "fme:")
	}
	scheme := map[landing]string{overTLS: "tls://", toServer: "ws://"}[r.landing]
	return append(args, "127.0.0.1:0", scheme+address)
}

// carry has all talks, some at a time.
func (r *rig) carry(ctx context.Context, s *setup, res *result) error {
	next := make(chan *talk)
	failed := make(chan error, s.sessions)
	var clients sync.WaitGroup
	for range s.sessions {
		clients.Go(func() { failed <- r.clients(ctx, next) })
	}
	for _, t := range r.talks {
		if s.only < 0 || s.only == t.id {
			next <- t
			res.sessions++
		}
	}
	close(next)
	clients.Wait()
	close(failed)
	var all error
	for err := range failed {
		all = errors.Join(all, err)
	}
	r.sum(res)
	return all
}

// clients has one talk after the other, until one fails: then it lets the others pass.
func (r *rig) clients(ctx context.Context, next <-chan *talk) (err error) {
	for t := range next {
		if err == nil {
			err = r.session(ctx, t)
		}
	}
	return err
}

func (r *rig) sum(res *result) {
	all := sha256.New()
	for _, t := range r.talks {
		for _, heard := range t.heard {
			all.Write(heard)
		}
		if t.heard[toTarget] != nil {
			res.toTarget += t.toTarget
		}
		if t.heard[toClient] != nil {
			res.toClient += t.toClient
		}
	}
	res.sum = all.Sum(nil)
}

// session has one talk as its client, and asks the target for its side of it.
func (r *rig) session(ctx context.Context, t *talk) error {
	err := r.client(ctx, t)
	wait := stall
	if err != nil {
		wait = time.Second // it may know more
	}
	select {
	case farErr := <-t.far:
		err = errors.Join(err, farErr)
	case <-time.After(wait):
		err = errors.Join(err, errors.New("at the target: the session did not end there"))
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err == nil {
		r.done.Add(t.toTarget + t.toClient)
		return nil
	}
	return fmt.Errorf("%v: %w", t, err)
}

// add counts what one peer did.
func (r *rig) add(p *peer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count.add(p.speaker.count)
	r.count.add(p.listener.count)
}

// serve has the target's connections until l is closed.
func (r *rig) serve(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go r.host(conn)
	}
}

// host has one connection of the target.
func (r *rig) host(conn net.Conn) {
	defer conn.Close()
	if r.landing == toServer {
		r.hostMessages(lively{conn})
		return
	}
	r.hostBytes(lively{conn})
}
