package bridge

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gobwas/ws"

	"github.com/wsbridge/wsbridge/message"
)

// exchange is a message session: one client at a Service, from the 101 to the
// log line.
type exchange struct {
	server  *Server
	id      clientID
	start   time.Time
	visit   Visit
	client  net.Conn // under conn
	conn    *message.Conn
	release func()

	mu  sync.Mutex
	end *ending // the first one; nil while the session lives
}

// visit answers the handshake for a client that the service has admitted.
func (s *Server) visit(w http.ResponseWriter, r *http.Request, d *decision, release func()) {
	visit, err := d.route.Service.Admit(r)
	if err != nil {
		release()
		s.refuse(w, r, asRefusal(err))
		return
	}
	x := &exchange{server: s, visit: visit, start: time.Now(), id: s.clientID(r, d.route.User, visit.Subprotocol())}
	conn, early, err := s.switchOver(w, r, d, visit.Subprotocol())
	if err != nil {
		s.left(x.id, conn, err)
		visit.Leave()
		release()
		return
	}
	s.greeted("upgrade", d.began)
	conn = s.tap(conn, clientGlyphs)
	x.client = conn
	options := s.carried(visit.Options(), conn, early)
	options.Deflate = s.codec(d)
	x.conn = message.New(conn, options)
	x.release = release
	s.sessions.enter(x)
	go x.run()
}

// carried is how the bridge carries a client of a service.
func (s *Server) carried(o message.Options, conn net.Conn, early []byte) message.Options {
	o.Early, o.Source = early, &pieces{from: newSource(conn, &s.buffers), pool: &s.buffers}
	rules := s.now()
	if rules.Heartbeat > 0 {
		o.Heartbeat = rules.Heartbeat
	}
	o.Idle = rules.SessionIdle
	o.Acked = func() int64 { return ackedBy(conn) }
	return o
}

func (x *exchange) run() {
	defer x.server.sessions.leave(x, x.release)
	x.conclude(x.visit.Serve(x.conn))
}

// conclude tells the client and the log how the session ended. It is apart from
// run so that a session that waits holds no stack for it.
func (x *exchange) conclude(how Ending) {
	x.ended(ending{by: how.By, code: ws.StatusCode(how.Code), reason: how.Reason})
	why := x.why()
	until := time.Now().Add(x.timeout(why))
	if said := lastWord(why, how.Answer); said.Code != ws.StatusAbnormalClosure {
		x.conn.Close(said.Code, said.Reason)
	}
	x.conn.Finish(until)
	stats := x.conn.Stats()
	how.ToTarget, how.ToClient = stats.Received, stats.Sent
	x.server.logEnd(x.id, x.visit.String(), x.start, how, why)
}

// timeout is how long the end may take.
func (x *exchange) timeout(why ending) time.Duration {
	timeout := x.server.limits().EndTimeout
	if why.brief || why.by == "client" { // it is gone, or said its last, or broke the protocol
		timeout = min(timeout, briefTimeout)
	}
	return timeout
}

// lastWord is what the client is told: what the service says, or why it ended;
// a client that closed only hears its own code again.
func lastWord(why ending, answer *message.CloseError) message.CloseError {
	switch {
	case answer != nil && why.by != "bridge":
		return *answer
	case why.by == "client" && why.reason == endClientClosed.reason:
		return message.CloseError{Code: why.code}
	}
	return message.CloseError{Code: why.code, Reason: why.reason}
}

func (x *exchange) ended(why ending) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.end != nil {
		return false
	}
	x.end = &why
	return true
}

func (x *exchange) why() ending {
	x.mu.Lock()
	defer x.mu.Unlock()
	return *x.end
}

// stop makes Serve return; run then tells the client why.
func (x *exchange) stop(why ending) {
	if x.ended(why) {
		x.conn.GiveUp(errors.New(why.reason), time.Now().Add(x.timeout(why)))
	}
}

func (x *exchange) cut() {
	x.ended(endShutdown)
	x.conn.Cut()
}

func (x *exchange) who() clientID { return x.id }

func (x *exchange) payload() int64 {
	stats := x.conn.Stats()
	return stats.Received + stats.Sent
}

func (x *exchange) info() SessionInfo {
	info, stats := x.id.info(x.visit.String(), x.start), x.conn.Stats()
	info.ToTarget, info.ToClient = stats.Received, stats.Sent
	info.RTT = rttOf(x.client)
	return info
}

// pieces reads a client into lent buffers for a message.Conn.
type pieces struct {
	from source
	pool *buffers
	lent *buffer
}

func (p *pieces) Next() ([]byte, error) {
	b, n, err := p.from.next(bufferSize - headRoom)
	if err != nil {
		return nil, err
	}
	p.lent = b
	return b.room()[:n], nil
}

func (p *pieces) Release() { p.pool.put(p.lent) }

// relay hands the handshake to the target, and waits until all is over.
func (s *Server) relay(w http.ResponseWriter, r *http.Request, route Route, release func()) {
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	id, start := s.clientID(r, route.User, ""), time.Now()
	l := &relayed{cancel, id, id.info(route.Relay.String(), start)}
	s.sessions.enter(l)
	defer s.sessions.leave(l, release)
	how := route.Relay.Relay(w, r.WithContext(ctx))
	s.logEnd(id, route.Relay.String(), start, how, ending{by: how.By, code: ws.StatusCode(how.Code), reason: how.Reason})
}

// relayed is a relay, to those who stop sessions.
type relayed struct {
	cancel context.CancelCauseFunc
	id     clientID
	about  SessionInfo
}

func (r *relayed) stop(why ending)   { r.cancel(errors.New(why.reason)) }
func (r *relayed) cut()              { r.stop(endShutdown) }
func (r *relayed) payload() int64    { return -1 }
func (r *relayed) who() clientID     { return r.id }
func (r *relayed) info() SessionInfo { return r.about }
