package bridge

import (
	"github.com/gobwas/ws"

	"github.com/wsbridge/wsbridge/frame"
)

// takeHixie is take for the frames of the Hixie drafts.
func (u *unframer) takeHixie(p []byte) (out unframed) {
	kept := gathered{buf: p}
	for at := 0; at < len(p) && !out.closed && out.err == nil; {
		ev, n, err := u.hixie.Next(p[at:])
		at += n
		kept.add(ev.Payload, at)
		out.closed, out.code, out.err = ev.Kind == frame.Close, ev.Code, err
	}
	out.payload = kept.bytes()
	u.decode(&out)
	return out
}

// end is take for the end of a client's stream. Only draft 75 knows that as a
// good one: closed tells whether it is.
func (u *unframer) end() (out unframed) {
	if u.hixie != nil && !u.hixie.Closing && u.hixie.Whole() {
		out.closed, out.code = true, ws.StatusNoStatusRcvd
		u.decode(&out)
	}
	return out
}

// sayCloseHixie is sayClose in the Hixie drafts, which have no codes: a closing
// frame, or in draft 75 the end of the stream.
func (s *session) sayCloseHixie() {
	var last []byte
	if s.mode == hixie76Mode && closeFrame(s.why()) != nil {
		last = frame.AppendHixieClose(nil)
	}
	s.out.Last(last)
	if s.mode == hixie75Mode {
		closeWrite(s.client)
	}
}
