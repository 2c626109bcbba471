package bridge

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wsbridge/wsbridge/deflate"
	"github.com/wsbridge/wsbridge/message"
)

// briefTimeout is how long a session may take to end when its client is gone
// or does not keep to the protocol: there is nobody to be patient for.
const briefTimeout = 2 * time.Second

// session is one client joined to one target, from the 101 to the log line. A
// loop carries it, or two goroutines: toTarget and toClient, one for each
// direction.
type session struct {
	server *Server
	id     clientID
	start  time.Time

	client  net.Conn
	from    source   // reads client; made before anybody else uses client
	target  net.Conn // nil until dialled
	to      Target
	out     *message.Writer
	deflate *deflate.Codec // nil: nothing is compressed
	early   []byte         // client bytes that came with the handshake
	release func()         // gives the slot back

	watch      *watch
	directions atomic.Int32  // still carried
	writing    atomic.Bool   // the client is not read: the target is written to
	rtt        atomic.Uint32 // the client's in microseconds, as a carrier saw it last
	mode       mode

	heard    atomic.Int64 // bytes read from the client, frames and all
	toTarget atomic.Int64 // payload bytes written to the target
	toClient atomic.Int64 // payload bytes written to the client
	dialTime time.Duration

	mu     sync.Mutex         // guards the fields below, and target while it is dialled
	end    *ending            // the first one; nil while the session lives
	cancel context.CancelFunc // of the dial

	carrier carrier // nil: goroutines carry the session
}

// carrier is what carries a session instead of goroutines: the session's
// connections are its own.
type carrier interface {
	stop(why ending)
	cut()
	askRTT() // notes the client's round trip in the session, soon
}

// clientID is what the log says of a client.
type clientID struct {
	addr, user, path, subprotocol string
	http                          int // its version
	asked                         *asked
}

// open dials the target and gives the session to a loop, or starts both
// directions, each in a goroutine whose stack has not grown by the dial; the
// last to end finishes the session.
func (s *session) open() {
	if s.server.loops.open(s) {
		return
	}
	if err := s.dial(); err != nil {
		s.server.log().Debug("cannot reach target", "client", s.id.addr, "target", s.to.String(), "err", err)
		s.ended(dialEnding(err))
		go s.part()
		return
	}
	if s.server.loops.carry(s) {
		return
	}
	s.watch = startWatch(s, pumped{s})
	s.directions.Store(2)
	go s.carryToTarget()
	go s.carryToClient()
}

// part is all of a session that has no target.
func (s *session) part() {
	s.sayClose()
	newReceiver(s, nil).run()
	s.finish()
}

// directionEnded is each direction's last word.
func (s *session) directionEnded() {
	if s.directions.Add(-1) == 0 {
		s.watch.stop()
		s.finish()
	}
}

func (s *session) dial() error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s.mu.Lock()
	s.cancel = cancel
	over := s.end != nil
	s.mu.Unlock()
	if over {
		return context.Canceled
	}
	began := time.Now()
	target, err := s.to.Dial(ctx)
	s.dialTime = time.Since(began)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.cancel = nil
	s.target = s.server.tap(target, targetGlyphs)
	over = s.end != nil
	s.mu.Unlock()
	if over {
		return context.Canceled
	}
	return nil
}

// ended records why the session ends, the first time, and from then on gives
// both sides EndTimeout to finish. It reports whether it was the first; where
// there is a carrier, that is to be asked instead.
func (s *session) ended(why ending) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.carrier != nil {
		return false
	}
	timeout, first := s.setEnd(why)
	if !first {
		return false
	}
	deadline := time.Now().Add(timeout)
	s.client.SetReadDeadline(deadline)
	s.client.SetWriteDeadline(deadline.Add(briefTimeout)) // room for the Close frame
	if s.target != nil {
		s.target.SetDeadline(deadline)
	}
	if s.cancel != nil {
		s.cancel()
	}
	return true
}

// setEnd records an ending, and says how long both sides may take to finish and
// whether it is the first. It needs mu.
func (s *session) setEnd(why ending) (timeout time.Duration, first bool) {
	if s.end != nil {
		return 0, false
	}
	s.end = &why
	timeout = s.server.limits().EndTimeout
	if why.brief {
		timeout = min(timeout, briefTimeout)
	}
	return timeout, true
}

// carried is who carries the session; nil: goroutines, now or soon.
func (s *session) carried() carrier {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.carrier
}

// stop ends the session from the bridge's side: nothing more is read from the
// target, the client is told why.
func (s *session) stop(why ending) {
	first := s.ended(why) // from here on no carrier takes it
	if c := s.carried(); c != nil {
		c.stop(why)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if first && s.target != nil {
		s.target.SetReadDeadline(time.Unix(1, 0))
	}
}

// cut ends the session at once.
func (s *session) cut() {
	s.ended(endShutdown) // from here on no carrier takes it
	if c := s.carried(); c != nil {
		c.cut()
		return
	}
	s.client.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.target != nil {
		s.target.Close()
	}
}

// why is how the session ended; only valid once ended was called.
func (s *session) why() ending {
	s.mu.Lock()
	defer s.mu.Unlock()
	return *s.end
}

// sayClose sends the Close frame that the session's end calls for: the code
// the client gave, or the one the close table gives.
func (s *session) sayClose() {
	if s.mode.hixie() {
		s.sayCloseHixie()
		return
	}
	if frame := closeFrame(s.why()); frame != nil {
		s.out.Last(frame)
	}
}

// finish closes both sides, writes the log line and gives the slot back.
func (s *session) finish() {
	s.client.Close()
	if s.target != nil {
		s.target.Close()
	}
	s.over()
}

// over is the last of a session: both sides are closed.
func (s *session) over() {
	s.logEnd()
	s.server.sessions.leave(s, s.release)
}

func (s *session) logEnd() {
	how := Ending{ToTarget: s.toTarget.Load(), ToClient: s.toClient.Load(), Dial: s.dialTime}
	s.server.logEnd(s.id, s.to.String(), s.start, how, s.why())
}

func (s *session) who() clientID { return s.id }

func (s *session) payload() int64 { return s.toTarget.Load() + s.toClient.Load() }

func (s *session) info() SessionInfo {
	info := s.id.info(s.to.String(), s.start)
	info.RTT = s.roundTrip()
	info.ToTarget, info.ToClient = s.toTarget.Load(), s.toClient.Load()
	return info
}

// roundTrip is the client's. A loop's sockets are the loop's to ask: what it
// said last is returned, and it is asked again.
func (s *session) roundTrip() time.Duration {
	s.mu.Lock()
	carrier, client := s.carrier, s.client
	s.mu.Unlock()
	switch {
	case carrier != nil:
		carrier.askRTT()
		return time.Duration(s.rtt.Load()) * time.Microsecond
	case client != nil:
		return rttOf(client)
	}
	return 0
}

func (id clientID) info(target string, start time.Time) SessionInfo {
	return SessionInfo{Client: id.addr, User: id.user, Target: target, Path: id.path, Subprotocol: id.subprotocol, HTTP: id.http, Start: start}
}

// logEnd writes a session's one log line.
func (s *Server) logEnd(id clientID, target string, start time.Time, how Ending, why ending) {
	s.totals.add(how, why)
	if s.Dialled != nil && how.Dial > 0 {
		s.Dialled(how.Dial)
	}
	about := []slog.Attr{
		slog.String("client", id.addr), slog.String("user", id.user), slog.String("target", target),
		slog.String("path", id.path), slog.String("subprotocol", id.subprotocol),
		slog.Int64("to_target", how.ToTarget), slog.Int64("to_client", how.ToClient),
		slog.Duration("duration", time.Since(start).Round(time.Millisecond)), slog.Duration("dial", how.Dial.Round(time.Microsecond)),
		slog.Int("code", int(why.code)), slog.String("by", why.by), slog.String("reason", why.reason),
	}
	if id.http > 1 {
		about = append(about, slog.Int("http", id.http))
	}
	s.log().LogAttrs(context.Background(), slog.LevelInfo, "session ended", about...)
}

// closeWrite ends the sending side of c and leaves its receiving side open.
func closeWrite(c net.Conn) error {
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.Join(errors.ErrUnsupported, c.Close())
}
