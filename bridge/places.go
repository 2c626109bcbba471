package bridge

import (
	"container/list"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// places are what connections take that are no session, or none yet. When there
// are no more, those who keep us waiting give way to who comes, the longest
// silent first: so many connections that say nothing keep nobody out. Who is
// being answered, or has become a session, never does. Each step is bounded,
// however many there are.
type places struct {
	gaveWay func(client, reason string) // told of each that does

	mu     sync.Mutex
	taken  int
	short  bool      // of memory: there are no more than are taken
	silent list.List // of *place, the longest silent first
}

// place is one connection's.
type place struct {
	in     *places
	client string

	// Guarded by in.mu.
	at   *list.Element // in silent
	away sendOff
	gone string // why it gave way; "": it did not
}

// sendOff closes a connection that has to give way; it returns at once.
type sendOff func(reason string)

// enter takes a place, of most. Crowded: there is none, and nobody to give way;
// it has to be left all the same.
func (ps *places) enter(client string, most int) (p *place, crowded bool) {
	ps.mu.Lock()
	ps.taken++
	full := ps.taken > most || ps.short
	crowded = ps.taken > most && ps.silent.Len() == 0
	ps.mu.Unlock()
	if full {
		ps.makeRoom(1)
	}
	return &place{in: ps, client: client}, crowded
}

// makeRoom closes the n longest silent.
func (ps *places) makeRoom(n int) {
	for range n {
		p := ps.longestSilent()
		if p == nil {
			return
		}
		p.away(p.gone)
		ps.gaveWay(p.client, p.gone)
	}
}

// longestSilent has to give way; nil: nobody has.
func (ps *places) longestSilent() *place {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	first := ps.silent.Front()
	if first == nil {
		return nil
	}
	p := ps.silent.Remove(first).(*place)
	p.at, p.gone = nil, gaveWay
	if ps.short {
		p.gone = shortOfMemory
	}
	return p
}

// thin closes one in share of the silent.
func (ps *places) thin(share int) {
	ps.mu.Lock()
	n := ps.silent.Len()
	ps.mu.Unlock()
	ps.makeRoom((n + share - 1) / share)
}

// beShort says whether there is too little memory for more connections.
func (ps *places) beShort(short bool) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	ps.short = short
}

// count is how many are taken.
func (ps *places) count() int {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	return ps.taken
}

// waits is while the client is to say something: from now on, until heard, the
// connection may have to give way, which is by away, from any goroutine. If it had
// to in the meantime, that is done now.
func (p *place) waits(away sendOff) {
	p.in.mu.Lock()
	p.listen()
	gone := p.gone
	if gone == "" {
		p.away, p.at = away, p.in.silent.PushBack(p)
	}
	p.in.mu.Unlock()
	if gone != "" {
		away(gone)
	}
}

// heard is when the client has said it. False: it is too late, the connection
// gave way.
func (p *place) heard() bool {
	p.in.mu.Lock()
	defer p.in.mu.Unlock()
	p.listen()
	return p.gone == ""
}

// listen needs in.mu.
func (p *place) listen() {
	if p.at != nil {
		p.in.silent.Remove(p.at)
		p.at, p.away = nil, nil
	}
}

// leave gives the place back.
func (p *place) leave() {
	p.in.mu.Lock()
	defer p.in.mu.Unlock()
	p.listen()
	p.in.taken--
}

// gaveWay is the reason, for the client and for who counts, unless memory is short.
const gaveWay = "too many connections: the longest silent gave way"

var errGaveWay = errors.New(gaveWay)

// gaveWay tells of a connection that did: of the first in a minute louder, since
// whoever makes a multitude of them could fill the log. Loggers may wait: nobody
// waits for them here.
func (s *Server) gaveWay(client, reason string) {
	s.counters.add(reason)
	level, now := slog.LevelDebug, time.Now()
	if last := s.warned.Load(); (last == nil || now.Sub(*last) >= time.Minute) && s.warned.CompareAndSwap(last, &now) {
		level = slog.LevelWarn
	}
	go s.log().Log(context.Background(), level, "a silent connection gave way", "client", client, "reason", reason)
}

// sendAway closes a connection to which nothing was said yet, so that there is
// room for the answer. What has come meanwhile is read: closing on unread bytes is
// a reset, which may overtake the answer.
func sendAway(conn net.Conn, reason string) {
	conn.SetWriteDeadline(time.Now().Add(lingerTimeout))
	conn.Write(plainAnswer(http.StatusServiceUnavailable, reason))
	discardUnread(conn)
	conn.Close()
}

// turnCrowdAway refuses a connection that has no place. Of a multitude nobody is
// waited for.
func (s *Server) turnCrowdAway(conn net.Conn) {
	const reason = "too many connections"
	if s.places.count() < 2*s.limits().connections {
		s.reject(conn, http.StatusServiceUnavailable, reason)
		return
	}
	s.counters.add(reason)
	sendAway(conn, reason)
}

// placeOf is that of a connection of the HTTP server.
func placeOf(conn net.Conn) *place {
	if c := openedOf(conn); c != nil {
		return c.place
	}
	return conn.(*tls.Conn).NetConn().(*transport).place
}

// step is what a connection's place knows of http.Server: between two requests a
// client keeps us waiting, too. One with sessions of its own, over HTTP/2, does
// not.
func step(conn net.Conn, state http.ConnState) {
	p := placeOf(conn)
	switch state {
	case http.StateActive:
		p.heard()
	case http.StateIdle:
		p.waits(func(string) { below(conn).Close() })
	case http.StateClosed, http.StateHijacked:
		p.leave()
	}
}

// below is the raw connection, whose Close says nothing and never waits.
func below(conn net.Conn) net.Conn {
	if c := openedOf(conn); c != nil {
		conn = c.Conn
	}
	if secure, ok := conn.(*tls.Conn); ok {
		return secure.NetConn()
	}
	return conn
}
