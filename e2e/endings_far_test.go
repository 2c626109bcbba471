//go:build linux

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/gobwas/ws"
)

// volume is what each side says before an end: it fills more than one buffer of
// each that it passes.
const volume = 400_000

// A script is what a target is to do in a session: the first line that it hears.
type script struct {
	ID    string // of the session
	Who   string // ends it
	How   manner
	Extra int // bytes that the target says and the client leaves unread
}

// targetFirst tells who speaks first: who ends the session speaks last, or, where
// the end is a quiet one, is answered.
func (s script) targetFirst() bool {
	return s.How != byKill && (s.Who == theClient) != s.How.quiet()
}

// A farEnd plays targets, and writes a line about each session.
type farEnd struct{ out io.Writer }

// bytes has a session with a target of bytes.
func (f farEnd) bytes(conn net.Conn) {
	f.play(newSide(theTarget, conn, conn))
}

// messages has one with a WebSocket target.
func (f farEnd) messages(conn net.Conn) {
	conn.SetDeadline(time.Now().Add(patience))
	if _, err := ws.Upgrade(conn); err != nil {
		fmt.Fprintf(f.out, "far end: handshake: %v\n", err)
		return
	}
	f.play(newSide(theTarget, conn, &frames{conn: conn}))
}

func (f farEnd) play(s *side) {
	s.conn.SetDeadline(time.Now().Add(patience))
	script, err := instructed(s.wire)
	end := "instructed badly"
	if err == nil {
		end, err = s.obey(script)
	}
	f.report(script, s, end, err)
}

func (f farEnd) report(script script, s *side, end string, err error) {
	if err != nil {
		end = "failed: " + err.Error()
	}
	fmt.Fprintf(f.out, "far end of %s: %d bytes, then %s\n", script.ID, s.heard, end)
}

// instructed reads the line with the script.
func instructed(r io.Reader) (s script, err error) {
	var line []byte
	for b := make([]byte, 1); b[0] != '\n'; line = append(line, b[0]) {
		if _, err := io.ReadFull(r, b); err != nil {
			return s, err
		}
	}
	return s, json.Unmarshal(line, &s)
}

// obey plays the target, and tells what it heard last: how the session ended for
// it.
func (s *side) obey(o script) (end string, err error) {
	if err := s.converse(o.targetFirst(), o.How.quiet(), o.Extra); err != nil {
		return "", err
	}
	if o.Who == theTarget && o.How != bySilence && o.How != byKill {
		err := s.leave(o.How)
		if err != nil || o.How != byHalf && o.How != byClose {
			return nothing, err
		}
	}
	err = s.listen()
	if o.Who == theClient {
		s.say(volume) // last words, which may find nobody
	}
	if close, ok := err.(told); ok && o.How != byHalf {
		s.wire.(*frames).close(told{close.code, ""})
	}
	return lastHeard(err)
}

const (
	nothing = "nothing" // it is gone by itself
	plain   = "EOF"
	absent  = "the hub knows it no more"
)

// lastHeard names how a session ended for a side.
func lastHeard(err error) (string, error) {
	var close told
	switch {
	case errors.As(err, &close):
		return close.Error(), nil
	case failing(err) == "gone":
		return plain, nil
	case failing(err) == "reset":
		return "reset", nil
	}
	return "", err
}

// witness has a hub's client that is in one stream with the client whose session
// ends.
func (f farEnd) witness(h *hubTalk, o script) {
	s := newSide(theTarget, h.conn, h)
	end, err := s.watch(h, o)
	f.report(o, s, end, err)
	h.close(told{1000, ""})
	h.conn.Close()
}

func (s *side) watch(h *hubTalk, o script) (end string, err error) {
	if err := s.converse(o.targetFirst(), true, o.Extra); err != nil {
		return "", err
	}
	if o.Who == theTarget {
		return lastHeard(s.listen())
	}
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		n, err := h.channels()
		if err != nil || n == 1 {
			return absent, err
		}
	}
	return "", os.ErrDeadlineExceeded
}

// farEndAt is in the environment of a program that plays targets on a port.
const farEndAt = "E2E_FAR_END"

// farEndMain is such a program.
func farEndMain(address string) int {
	l, err := net.Listen("tcp", address)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	acceptAll(l, farEnd{os.Stdout}.bytes)
	return 0
}
