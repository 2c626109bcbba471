// Package bridge joins WebSocket clients to targets: it accepts connections,
// looks at their first bytes, answers HTTP and the opening handshake, and
// carries the bytes of every session until both ends have ended well.
package bridge

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/wsbridge/wsbridge/deflate"
)

// Target is where a session's bytes go. Dial opens it once per session; the
// session closes what Dial returns. String names it in logs ("host:port").
type Target interface {
	Dial(ctx context.Context) (net.Conn, error)
	String() string
}

// starter is a Target that can begin to connect without waiting, which an event
// loop can do with many at once: see target.TCP.
type starter interface {
	Start() (fd int, timeout time.Duration, err error)
}

// Route is where an upgrade goes, and who asks, as far as that is known. One of
// Target, Service and Relay is set.
type Route struct {
	Target  Target  // bytes: a stream session
	Service Service // messages
	Relay   Relay   // the handshake and all that follows
	User    string  // for the log
	// Begin, when set, counts the session, when all else has agreed to it. The
	// error, a *Refusal, keeps it out; release is called once it is over.
	Begin func() (release func(), err error)

	Compress Compress // where the client offers permessage-deflate; not for a Relay
}

// Compress says which sessions are compressed.
type Compress uint8

const (
	CompressOff  Compress = iota
	CompressAuto          // sessions of messages, and of bytes those that go as text: as base64, or by Rules.Text
	CompressOn
)

// Server is the bridge. The zero value plus Route works; set the fields before
// the first Serve and leave them alone after it.
type Server struct {
	// Rules are the first; Use gives others.
	Rules
	// Log gets one line per session at its end; nil: slog.Default().
	Log *slog.Logger
	// Traffic, when set, gets websockify's glyphs, one per read and write.
	Traffic io.Writer
	// Pump is how sessions are carried.
	Pump Pump
	// CleartextHTTP2 takes HTTP/2 from plain clients that begin with it. TLS
	// clients are offered what Rules.TLS says.
	CleartextHTTP2 bool
	// Dialled, when set, is told how long a target took to be reached.
	Dialled func(time.Duration)
	// Greeted, when set, is told how long a phase of the way to a session took:
	// "tls", or "upgrade" from the request to the 101.
	Greeted func(phase string, took time.Duration)
	// Memory, when set, is the share taken of the memory that there may be, 1 for
	// all of it. It is asked once a second, and may take its time.
	Memory func() float64
	// SessionEnded, when set, is called after every session; it may not block.
	SessionEnded func()

	once     sync.Once
	rules    atomic.Pointer[Rules] // in force; Limits with defaults
	ctx      context.Context
	quit     context.CancelFunc // ends accepting, sniffing and TLS handshakes
	open     context.Context    // of ctx; ends with accepting
	shut     context.CancelFunc // ends accepting
	serving  sync.RWMutex       // read-locked by every Serve
	web      *http.Server
	handoff  *handoff
	sessions *sessions
	places   places
	warned   atomic.Pointer[time.Time] // when the log was told that somebody gave way
	shedding atomic.Int32
	calm     context.CancelFunc // ends watching the memory
	turns    turns
	fronts   fronts // serveConn, the HTTP server, porches
	counters counters
	totals   totals
	heads    heads
	asking   asking
	buffers  buffers
	deflate  deflate.Pool
	pipes    pipes
	loops    loops
}

// Pump is how a session's bytes are carried.
type Pump uint8

const (
	// PumpAuto is an event loop where the system and both sides of the session
	// allow, and goroutines elsewhere.
	PumpAuto Pump = iota
	// PumpGoroutines is two goroutines for every session.
	PumpGoroutines
)

// Refusal is an answer given instead of a session.
type Refusal struct {
	Status int         // HTTP status
	Reason string      // one line for the person at the other end
	Header http.Header // further header lines; may be nil
}

func (r *Refusal) Error() string { return r.Reason }

// ErrServerClosed is returned by Serve after Shutdown, Drain or Retire.
var ErrServerClosed = errors.New("bridge: server closed")

// Serve accepts connections from l until Shutdown, Drain or Retire, and closes l. It may be
// called for several listeners at once. Failing to accept (no descriptor left,
// say) is waited out.
func (s *Server) Serve(l net.Listener) error {
	s.once.Do(s.start)
	s.serving.RLock()
	defer s.serving.RUnlock()
	defer l.Close()
	stop := context.AfterFunc(s.open, func() { l.Close() })
	defer stop()
	if p := s.newPorch(l); p != nil {
		return s.serveOn(p)
	}
	for pause := time.Duration(0); ; {
		conn, err := l.Accept()
		switch {
		case err == nil: // to be answered, whatever has been decided meanwhile
			pause = 0
			s.receive(conn)
		case s.open.Err() != nil:
			return ErrServerClosed
		case errors.Is(err, net.ErrClosed):
			return err
		default:
			pause = longerPause(pause)
			s.acceptFailed(pause, err)
		}
	}
}

// receive has a connection that was accepted greeted.
func (s *Server) receive(conn net.Conn) {
	p, crowded := s.places.enter(conn.RemoteAddr().String(), s.limits().connections)
	if !s.fronts.start(func() { s.serveConn(conn, p, crowded) }) {
		conn.Close()
		p.leave()
	}
}

// serveOn is Serve by a loop.
func (s *Server) serveOn(p *porch) error {
	shut := make(chan struct{})
	serve := func() {
		<-s.open.Done()
		p.shut()
		close(shut)
		<-s.ctx.Done()
		p.close()
	}
	if !s.fronts.start(serve) {
		serve()
	}
	<-shut
	return ErrServerClosed
}

// longerPause is how long a failure to accept is waited out after pause was not
// long enough: 5 ms, doubling up to 1 s while it goes on.
func longerPause(pause time.Duration) time.Duration {
	return min(max(2*pause, 5*time.Millisecond), time.Second)
}

// acceptFailed tells of a failure and waits it out. Where there are no
// descriptors left, somebody gives one back.
func (s *Server) acceptFailed(pause time.Duration, err error) {
	if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
		s.places.makeRoom(1)
	}
	s.counters.add("accept failed")
	s.log().Error("cannot accept a connection", "err", err, "retry_in", pause)
	select {
	case <-time.After(pause):
	case <-s.open.Done():
	}
}

// start makes what all listeners share.
func (s *Server) start() {
	s.ctx, s.quit = context.WithCancel(context.Background())
	s.open, s.shut = context.WithCancel(s.ctx)
	s.sessions = newSessions()
	s.places.gaveWay = s.gaveWay
	s.use(s.Rules)
	s.sessions.ended = s.SessionEnded
	s.handoff = newHandoff()
	s.turns = newTurns()
	s.web = s.newWeb()
	s.fronts.start(func() { s.web.Serve(s.handoff) })
	var watched context.Context
	if watched, s.calm = context.WithCancel(context.Background()); s.Memory != nil {
		s.fronts.start(func() { s.watchMemory(watched) })
	}
}

// Use puts rules in force for who comes from now on; nobody meets half of them.
// Live sessions go on as they began, but for EndTimeout. A listener whose first
// rules had no QuickRoute stays without a loop's accept.
func (s *Server) Use(rules Rules) {
	s.once.Do(s.start)
	s.use(rules)
}

func (s *Server) use(rules Rules) {
	rules.Limits = rules.Limits.withDefaults()
	s.rules.Store(&rules)
	s.sessions.limit(rules.Limits.Sessions, rules.Limits.SessionsPerIP)
}

// now is the rules in force.
func (s *Server) now() *Rules {
	if rules := s.rules.Load(); rules != nil {
		return rules
	}
	return &s.Rules // nobody is served yet
}

func (s *Server) limits() Limits { return s.now().Limits }

// Drain accepts no more and waits for the sessions to end by themselves; when
// ctx ends first it returns ctx's error. Shutdown is still to come.
func (s *Server) Drain(ctx context.Context) error {
	s.once.Do(s.start)
	s.quit()
	s.sessions.close()
	return s.sessions.wait(ctx)
}

// Shutdown, in this order: accepts no more; tells every session 1001; lets
// requests being answered and sessions finish; and when ctx ends first, cuts
// what is left and returns ctx's error. No goroutine of the server is left.
func (s *Server) Shutdown(ctx context.Context) error {
	s.once.Do(s.start)
	s.quit()
	err := s.sessions.stop(ctx)
	if webErr := s.web.Shutdown(ctx); webErr != nil {
		s.web.Close()
		err = webErr
	}
	s.calm()
	s.fronts.end()
	s.loops.close()
	s.pipes.close()
	return err
}

func (s *Server) greeted(phase string, since time.Time) {
	if s.Greeted != nil {
		s.Greeted(phase, time.Since(since))
	}
}

func (s *Server) log() *slog.Logger {
	if s.Log != nil {
		return s.Log
	}
	return slog.Default()
}
