//go:build linux

package main

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net"
	"time"
)

// stall is how long nothing at all may move before a session has failed.
const stall = time.Minute

// lively is a connection that fails when it does not move.
type lively struct{ net.Conn }

func (c lively) Read(p []byte) (int, error) {
	c.SetReadDeadline(time.Now().Add(stall))
	return c.Conn.Read(p)
}

func (c lively) Write(p []byte) (int, error) {
	c.SetWriteDeadline(time.Now().Add(stall))
	return c.Conn.Write(p)
}

// A peer is one end of a WebSocket: a speaker and a listener that know what both
// are to say.
type peer struct {
	talk   *talk
	conn   net.Conn
	way    int
	says   source
	hears  sink
	closes bool // this side does
	hurry  bool // and at once

	speaker  *speaker
	listener *listener
	cue      chan closing // what to close with; holds one
	cued     bool
}

// newPeer has one end of t; way is the one it speaks.
func newPeer(t *talk, conn net.Conn, way int, says source, hears sink) *peer {
	random := rand.New(newRandom(t.cutSeed(way)))
	unanswered, asked := new(pings), make(chan []byte, 16)
	p := &peer{talk: t, conn: conn, way: way, says: says, hears: hears, cue: make(chan closing, 1)}
	p.closes = (t.ending == targetCloses) == (way == toClient)
	p.hurry = t.ending == clientHurries && way == toTarget
	p.speaker = &speaker{w: chopped{conn, random}, random: random, masked: way == toTarget, pings: unanswered, asked: asked}
	p.listener = newListener(conn, way == toClient, hears, unanswered, asked)
	return p
}

// run talks until both have closed, and returns the Close frame that came. begin
// reads what comes before frames; the speaker does not wait for it.
func (p *peer) run(begin func() error) (got closing, err error) {
	spoken := make(chan error, 1)
	go func() { spoken <- p.speak() }()
	if err = begin(); err == nil {
		p.heard()
		got, err = p.listener.hear(p.heard)
	}
	if err != nil {
		p.conn.Close() // ends the speaker
	} else if !p.cued {
		p.cue <- got
	}
	close(p.cue)
	return got, cmp.Or(err, <-spoken)
}

// speak says all, answers pings until it has its cue, and closes.
func (p *peer) speak() error {
	err := p.speaker.say(p.says)
	p.talk.sent[p.way] <- p.says.total()
	if err != nil {
		return err
	}
	if p.hurry {
		return p.speaker.close(p.talk.closing)
	}
	for {
		select {
		case payload := <-p.speaker.asked:
			p.speaker.frame(frame{true, opPong, payload, false})
			if err := p.speaker.flush(); err != nil {
				return err
			}
		case c, ok := <-p.cue:
			if !ok {
				return nil // the listener tells why
			}
			return p.speaker.close(c)
		}
	}
}

// heard gives the speaker its cue once all has arrived.
func (p *peer) heard() {
	if p.closes && !p.hurry && !p.cued && p.hears.over() {
		p.cued = true
		p.cue <- p.talk.closing
	}
}

// judge holds the Close frame that came, if one did, against what was said; the
// answer to this side's own has its code (RFC 6455, 5.5.1), and any reason.
func (p *peer) judge(got, want closing) error {
	if got.code == 0 || got == want || p.closes && got.code == want.code {
		return nil
	}
	return fmt.Errorf("closed with %v, want %v", got, want)
}

// verdict is what became of what this peer was to hear.
func (p *peer) verdict() error {
	p.talk.heard[1-p.way] = p.hears.total()
	return p.hears.finish(<-p.talk.sent[1-p.way])
}
