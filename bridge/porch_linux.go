package bridge

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wsbridge/wsbridge/loop"
	"github.com/wsbridge/wsbridge/sniff"
)

// porch is where a loop receives connections: one whose first bytes are a whole
// plain upgrade becomes a session right there. Every other is passed on to
// serveConn, with nothing eaten. All of it belongs to the loop's goroutine.
type porch struct {
	server   *Server
	loop     *worker
	listener loop.Socket
	guests   map[*guest]struct{}
	pause    time.Duration // after a failure to accept
	spare    int           // descriptor that is held for passing guests on; -1: none
	closed   bool
}

// guest is a connection that has not said all it has to.
type guest struct {
	porch   *porch
	socket  loop.Socket
	addr    string
	crowded bool  // there were too many already
	waits   error // for a descriptor
	timeout *loop.Timer
	place   *place
}

const (
	acceptTurn = 8 // connections accepted before the others have their turn

	passOnPause = 50 * time.Millisecond // of a guest for whom there is no descriptor
)

// newPorch is nil where connections cannot be received in a loop. The caller
// still closes l.
func (s *Server) newPorch(l net.Listener) *porch {
	tcp, ok := tcpListener(l)
	if !ok || s.Pump != PumpAuto || !s.now().quick() {
		return nil
	}
	p := &porch{server: s, loop: s.loops.pick(), guests: map[*guest]struct{}{}, spare: -1}
	if p.loop == nil {
		return nil
	}
	fd, ok := duplicateOf(tcp)
	if !ok {
		return nil
	}
	unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1) // connections inherit it, and keep-alive
	unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
	opened := p.loop.Do(func() {
		p.loop.Open(&p.listener, fd, p)
		p.keepSpare()
		p.listen()
	})
	if !opened { // after Shutdown: Serve says so
		unix.Close(fd)
		return nil
	}
	return p
}

// shut lets nobody else in. The guests there are go on.
func (p *porch) shut() {
	p.do(func() {
		p.closed = true
		// Another process may hold the same socket, which closing alone would
		// leave in this loop, to be told of for ever.
		unix.Close(p.listener.Release())
	})
}

// close is after shut: the guests have to go.
func (p *porch) close() {
	p.do(func() {
		for g := range p.guests {
			g.leave()
		}
		p.useSpare()
	})
}

// keepSpare holds a descriptor again, if there is one. Without it guests could
// fill the last, and wait for another to be passed on by for ever.
func (p *porch) keepSpare() {
	if p.spare >= 0 {
		return
	}
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err == nil {
		p.spare = fd
	}
}

// useSpare is whether there is a descriptor more than before.
func (p *porch) useSpare() bool {
	if p.spare < 0 {
		return false
	}
	unix.Close(p.spare)
	p.spare = -1
	return true
}

// do has f called where p belongs, and returns after that.
func (p *porch) do(f func()) {
	done := make(chan struct{})
	if !p.loop.Do(func() { f(); close(done) }) {
		f() // the loop has ended: nobody else is left to
		return
	}
	<-done
}

func (p *porch) listen() {
	if err := p.listener.Want(loop.Readable); err != nil && !p.closed {
		p.failed(err)
	}
}

// Ready is for the loop: somebody is at the door.
func (p *porch) Ready(*loop.Socket, loop.Events) {
	for range acceptTurn {
		fd, from, err := p.listener.Accept()
		switch {
		case err == loop.ErrWouldBlock:
			return
		case err != nil:
			p.failed(err)
			return
		}
		p.pause = 0
		p.receive(fd, from)
	}
}

// failed stops accepting for a while, as Serve does.
func (p *porch) failed(err error) {
	p.listener.Want(0)
	p.pause = longerPause(p.pause)
	go p.server.acceptFailed(p.pause, err) // logs, which may wait
	p.loop.AfterFunc(p.pause, p.listen)
}

func (p *porch) receive(fd int, from netip.AddrPort) {
	s := p.server
	g := &guest{porch: p, addr: from.String()}
	p.loop.Open(&g.socket, fd, g)
	p.guests[g] = struct{}{}
	g.timeout = p.loop.AfterFunc(s.limits().SniffTimeout, func() { g.silent(sniff.ErrSilent) })
	g.place, g.crowded = s.places.enter(g.addr, s.limits().connections)
	g.place.waits(func(reason string) { p.loop.Do(func() { g.giveWay(reason) }) })
	if g.crowded || from.Addr().Zone() != "" || g.socket.Want(loop.Readable) != nil {
		g.passOn(nil)
	}
}

// leave ends g, or what the porch has to do with it when it has become a
// session.
func (g *guest) leave() {
	g.move()
	g.place.leave()
}

// giveWay closes a guest whose place is somebody else's, unless it has moved on.
func (g *guest) giveWay(reason string) {
	if _, here := g.porch.guests[g]; here {
		g.socket.Write(plainAnswer(http.StatusServiceUnavailable, reason))
		b := g.porch.server.buffers.get()
		g.socket.Read(b[:]) // see sendAway
		g.porch.server.buffers.put(b)
		g.leave()
	}
}

// move ends what the porch knows of g. It is counted still: somebody else has
// it from now on.
func (g *guest) move() {
	g.timeout.Stop()
	delete(g.porch.guests, g)
	g.socket.Close()
}

// silent closes a guest that said nothing, or was not heard.
func (g *guest) silent(err error) {
	g.leave()
	if g.waits != nil {
		go g.porch.server.log().Error("cannot take a connection", "client", g.addr, "err", g.waits)
		return
	}
	go g.porch.server.unheard(g.addr, err) // logs, which may wait
}

// Ready is for the loop: the guest speaks, or leaves.
func (g *guest) Ready(*loop.Socket, loop.Events) {
	s := g.porch.server
	b := s.buffers.get()
	defer s.buffers.put(b)
	n, err := g.socket.Peek(b[:headSize])
	switch {
	case err == loop.ErrWouldBlock:
	case err != nil:
		g.silent(err)
	default:
		g.hear(b, n)
	}
}

// hear goes by the n bytes in b, which the socket has still, too.
func (g *guest) hear(b *buffer, n int) {
	s := g.porch.server
	r, rest := s.heads.read(b[:n])
	if r == nil || !plainUpgrade(r) || !s.now().quick() {
		g.passOn(nil)
		return
	}
	if !g.place.heard() {
		return // giveWay is on its way
	}
	r.RemoteAddr = g.addr
	d, session := s.judge(s.now().identify(r))
	if session == nil {
		g.passOn(d)
		return
	}
	early := bytes.Clone(rest)
	g.socket.Read(b[:n]) // the same bytes, now for good
	if _, err := g.socket.Write(switching(b[:0], r.Header.Get(keyHeader), d)); err != nil {
		g.leave()
		go s.left(session.id, nil, err)
		session.release()
		return
	}
	s.prepare(session, early)
	g.enter(session)
}

// enter makes a session of g: in the loop if the target can be dialled there.
func (g *guest) enter(session *session) {
	s := g.porch.server
	if to, ok := session.to.(starter); ok && session.loopable() {
		target, timeout, err := to.Start()
		if err == nil || noFiles(err) {
			f := s.newFlow(session, s.loops.pick())
			s.sessions.enter(session)
			f.welcome(g, target, timeout, err)
			return
		}
	}
	conn, err := g.conn()
	if err != nil {
		g.turnAway(err)
		session.release()
		return
	}
	g.place.leave()
	go s.launch(session, conn)
}

// turnAway ends g after its 101.
func (g *guest) turnAway(err error) {
	if g.here() {
		g.socket.Write(closeFrame(dialEnding(err)))
	}
	g.leave()
	go g.porch.server.log().Error("cannot take a connection", "client", g.addr, "err", err)
}

// welcome starts f with a guest's socket, in the guest's loop if that is f's own.
// What it is given is start's.
func (f *flow) welcome(g *guest, target int, dial time.Duration, err error) {
	if f.loop == g.porch.loop {
		g.socket.Move(&f.client, f)
		g.leave()
		f.start(target, dial, err)
		return
	}
	client := g.socket.Release()
	g.leave()
	f.loop.Do(func() {
		f.loop.Open(&f.client, client, f)
		f.start(target, dial, err)
	})
}

// passOn gives g to serveConn or, when it was decided on already, to the HTTP
// server, which goes on with that. While there is no descriptor to do it by, g
// waits, as long as a guest may.
func (g *guest) passOn(d *decision) {
	s := g.porch.server
	conn, err := g.conn()
	if err != nil && g.here() {
		g.socket.Want(0)
		g.waits = err
		g.porch.loop.AfterFunc(passOnPause, func() {
			if g.here() {
				g.passOn(d)
			}
		})
		return
	}
	if err != nil {
		g.place.leave()
		go s.log().Error("cannot take a connection", "client", g.addr, "err", err)
		return
	}
	next := func() { s.serveConn(conn, g.place, g.crowded) }
	if d != nil {
		next = func() { s.handOn(&opened{prefixed: &prefixed{conn, nil, g.place}, decision: d}) }
	}
	if !s.fronts.start(next) {
		conn.Close()
		g.place.leave()
	}
}

// here is whether the porch still has g.
func (g *guest) here() bool {
	_, here := g.porch.guests[g]
	return here
}

// conn makes g's socket a connection of package net, which is counted as g was.
// Without a descriptor for that g stays what it is.
func (g *guest) conn() (net.Conn, error) {
	fd, err := g.socket.Duplicate()
	if noFiles(err) && g.porch.useSpare() {
		fd, err = g.socket.Duplicate()
	}
	defer g.porch.keepSpare()
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	file := os.NewFile(uintptr(fd), "")
	defer file.Close()
	unix.Close(g.socket.Release()) // which makes room for the next one
	g.move()
	conn, err := net.FileConn(file)
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	return g.named(conn), nil
}

// named is conn with g's address, also when conn was reset since: then the system
// does not know any more whose it was.
func (g *guest) named(conn net.Conn) net.Conn {
	if conn.RemoteAddr() != nil {
		return conn
	}
	client := net.TCPAddrFromAddrPort(netip.MustParseAddrPort(g.addr))
	return &announced{Conn: conn, client: client, local: conn.LocalAddr()}
}
