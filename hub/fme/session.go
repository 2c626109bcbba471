package fme

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/gobwas/ws"
	"golang.org/x/time/rate"

	"github.com/wsbridge/wsbridge/frame"
	"github.com/wsbridge/wsbridge/hub"
	"github.com/wsbridge/wsbridge/message"
)

const (
	maxFaults       = 10               // in a row
	engineDownEvery = 10 * time.Second // that a client is told
	drainTime       = 2 * time.Second  // for a client to take its last messages
	closing         = 2 * time.Second  // for writes under way when a client is given up
)

var (
	errUnopened = errors.New("no stream opened")
	errAsked    = errors.New("closed as asked")
)

// session is a visit with its connection.
type session struct {
	*Visit
	conn     *message.Conn
	limiter  *rate.Limiter // nil: any rate
	faults   int           // in a row
	unopened *time.Timer   // runs while no stream is open
	told     time.Time     // when engine_down was said last
}

// Serve carries the client until it ends; it holds its streams until then. The
// caller says Close with what is returned, if it has not said one itself, and
// closes c.
func (v *Visit) Serve(c *message.Conn) Ending {
	s := v.begin(c)
	defer s.leave()
	for {
		m, err := c.Read()
		if err != nil {
			return ended(err)
		}
		if end := s.hear(m); end != nil {
			return *end
		}
	}
}

// begin is apart from Serve, whose stack is kept while the client says nothing.
func (v *Visit) begin(c *message.Conn) *session {
	s := &session{Visit: v, conn: c}
	if limit := cmp.Or(v.service.Rate, defaultRate); limit > 0 {
		s.limiter = rate.NewLimiter(rate.Limit(limit), cmp.Or(v.service.Burst, defaultBurst))
	}
	v.member.Attach(c)
	s.unopened = time.AfterFunc(s.idle(), func() { c.GiveUp(errUnopened, time.Now().Add(closing)) })
	return s
}

func (s *session) leave() {
	s.unopened.Stop()
	s.member.Leave()
	s.member.Drain(drainTime)
}

func (s *session) idle() time.Duration { return cmp.Or(s.service.IdleUnopened, defaultIdleUnopened) }

// hear does what a message asks for. It returns how the session ends, or nil.
func (s *session) hear(m message.Message) *Ending {
	if !m.Text && !utf8.Valid(m.Data) {
		return &Ending{"client", int(ws.StatusUnsupportedData), "a message is JSON text"}
	}
	err := s.obey(m.Data)
	var f *fault
	switch {
	case errors.As(err, &f) && f.code == badJSON && !m.Text:
		return &Ending{"client", int(ws.StatusUnsupportedData), "a message is JSON text"}
	case errors.As(err, &f):
		return s.complain(f)
	case errors.Is(err, errAsked):
		return &Ending{"client", int(ws.StatusNormalClosure), err.Error()}
	case errors.Is(err, hub.ErrEngineDown):
		s.warn()
	}
	s.faults = 0
	return nil
}

// complain tells the client of its mistake.
func (s *session) complain(f *fault) *Ending {
	s.service.counted().add(f.code)
	s.faults++
	switch mode := s.service.Errors; {
	case mode == ErrorsClose:
		return &Ending{"bridge", int(ws.StatusPolicyViolation), f.code}
	case mode == ErrorFrames:
		s.member.Tell(f.message())
	}
	if s.faults == maxFaults {
		return &Ending{"bridge", int(ws.StatusPolicyViolation), fmt.Sprintf("%d errors in a row, the last: %s", maxFaults, f.code)}
	}
	return nil
}

// warn tells the client, which did nothing wrong, who did not hear it.
func (s *session) warn() {
	if now := time.Now(); now.Sub(s.told) >= engineDownEvery {
		s.told = now
		s.service.counted().add(engineDown)
		if s.service.Errors == ErrorFrames {
			s.member.Tell((&fault{engineDown, "receivers on this machine have the message, those on others do not"}).message())
		}
	}
}

// obey does what the message src asks for. The error is a *fault, or
// hub.ErrEngineDown when it was done here alone, or errAsked when the
// client wants to be closed.
func (s *session) obey(src []byte) error {
	if s.limiter != nil && !s.limiter.Allow() {
		return &fault{rateLimited, "too many messages in a second: this one is dropped"}
	}
	q, err := parse(src, s.service.StrictJSON)
	if err != nil {
		return err
	}
	op, err := q.operation()
	if err != nil {
		return err
	}
	switch op {
	case "open":
		return s.open(q)
	case "send":
		return s.send(q)
	case "close":
		return s.close(q)
	case "admin":
		return s.admin(q)
	}
	return &fault{unknownOp, "ws_op is open, send, close or admin"}
}

func (s *session) open(q request) error {
	ids, _, err := q.named()
	if err != nil {
		return err
	}
	if len(ids) == 0 {
		return &fault{missingField, "ws_stream_ids names no stream to open"}
	}
	if permit, all := s.service.permit(s.user); !all && !allows(permit.Open, ids) {
		return &fault{forbidden, "you may not open one of these streams"}
	}
	if limit := cmp.Or(s.service.MaxStreams, defaultMaxStreams); len(union(s.member.Keys(), ids)) > limit {
		return &fault{tooManyStreams, fmt.Sprintf("a connection may have %d streams open", limit)}
	}
	if err := s.member.Open(ids...); err != nil {
		return &fault{tooManyStreams, err.Error()}
	}
	s.unopened.Stop()
	return nil
}

func union(a, b []string) []string {
	all := slices.Clone(a)
	for _, id := range b {
		if !slices.Contains(a, id) {
			all = append(all, id)
		}
	}
	return all
}

func (s *session) send(q request) error {
	streams, err := s.receiving(q)
	if err != nil {
		return err
	}
	payload, err := q.payload()
	if err != nil {
		return err
	}
	if permit, all := s.service.permit(s.user); !all && !allows(permit.Send, streams) {
		return &fault{forbidden, "you may not send to one of these streams"}
	}
	return s.member.Send(message.Message{Text: true, Data: payload}, s.service.Echo, streams...)
}

// receiving are the streams a message is for: those it names, or all open ones.
func (s *session) receiving(q request) ([]string, error) {
	ids, given, err := q.named()
	open := s.member.Keys()
	switch {
	case err != nil:
		return nil, err
	case len(open) == 0:
		return nil, &fault{notOpen, "open a stream before you send"}
	case !given:
		return open, nil
	case len(ids) == 0:
		return nil, &fault{missingField, "ws_stream_ids names no stream to send to"}
	}
	for _, id := range ids {
		if !slices.Contains(open, id) {
			return nil, &fault{notOpen, "you have not opened one of these streams"}
		}
	}
	return ids, nil
}

func (s *session) close(q request) error {
	ids, given, err := q.named()
	if err != nil {
		return err
	}
	if !given {
		ids = slices.Clone(s.member.Keys())
	}
	had := len(s.member.Keys())
	s.member.Close(ids...)
	if !given && s.service.CloseSocket {
		return errAsked
	}
	if had > 0 && len(s.member.Keys()) == 0 {
		s.unopened.Reset(s.idle())
	}
	return nil
}

// ended is how a session ends whose Read failed.
func ended(err error) Ending {
	var closed *message.CloseError
	var breach *frame.Error
	var lost net.Error
	var errno syscall.Errno
	switch {
	case errors.As(err, &closed):
		return Ending{"client", int(closed.Code), "client closed"}
	case errors.As(err, &breach):
		return Ending{"client", int(breach.Code), breach.Reason}
	case errors.Is(err, errUnopened):
		return Ending{"bridge", int(ws.StatusNormalClosure), err.Error()}
	case errors.Is(err, hub.ErrSlow):
		return Ending{"bridge", int(frame.StatusTryAgainLater), err.Error()}
	case errors.Is(err, message.ErrUnanswered):
		return Ending{"bridge", int(ws.StatusInternalServerError), "client " + err.Error()}
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return Ending{"client", int(ws.StatusAbnormalClosure), "client reset"}
	case errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed), errors.As(err, &lost), errors.As(err, &errno):
		return Ending{"client", int(ws.StatusAbnormalClosure), "client vanished"}
	}
	return Ending{"bridge", int(ws.StatusGoingAway), strings.ToLower(err.Error())}
}
