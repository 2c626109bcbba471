package bridge

import (
	"encoding/base64"
	"errors"
	"io"
	"time"
	"unicode/utf8"

	"github.com/gobwas/ws"

	"github.com/wsbridge/wsbridge/frame"
	"github.com/wsbridge/wsbridge/message"
)

// mode is how payload bytes lie in a session's messages.
type mode uint8

const (
	binaryMode  mode = iota // as they are
	base64Mode              // base64 in text messages, both ways
	textMode                // as they are, in text messages to the client
	hixie75Mode             // base64 in the frames of that draft, both ways
	hixie76Mode             // and of that
)

func (m mode) hixie() bool { return m >= hixie75Mode }

func (m mode) base64() bool { return m == base64Mode || m.hixie() }

// limit is how many target bytes one read takes, so that one frame holds them.
func (m mode) limit() int {
	if m.base64() {
		return 48<<10 - 2*headRoom // a whole number of quanta
	}
	return bufferSize - headRoom
}

// sender is the direction target -> client: bytes in, whole frames out.
type sender struct {
	s    *session
	from source
	bulk *bulk // nil until a read was full

	tail  [utf8.UTFMax]byte // text mode: the start of a rune, held back
	tailN int
}

// errNotText says that a text-mode target sent something else.
var errNotText = errors.New("not UTF-8")

// carryToClient brings the target's bytes to the client until the target ends,
// and then says Close. When the client takes no more, it reads the target to
// its end all the same: closing on unread bytes would reset the connection and
// could cost the target what the client said last.
func (s *session) carryToClient() {
	defer s.directionEnded()
	t := &sender{s: s, from: newSource(s.target, &s.server.buffers)}
	if err := t.run(); err != nil {
		t.failed(err)
		t.discard()
	}
	t.s.sayClose()
}

// run returns nil when the target has ended, or why the client takes no more.
func (t *sender) run() error {
	limit := t.s.mode.limit()
	for {
		b, n, err := t.from.next(limit)
		if err != nil {
			return t.targetEnded(t.bulk.end(err))
		}
		err = t.send(b, n)
		t.s.server.buffers.put(b)
		if err == nil && n == limit {
			err = t.runBulk()
		}
		if err != nil {
			return err
		}
	}
}

// runBulk carries what is too much to copy, where that is possible.
func (t *sender) runBulk() error {
	if t.s.mode != binaryMode || t.s.deflate != nil {
		return nil
	}
	if t.bulk == nil {
		t.bulk = newBulk(t.s)
	}
	return t.bulk.run()
}

func (t *sender) targetEnded(err error) error {
	switch {
	case err == io.EOF && t.tailN > 0:
		return errNotText
	case err == io.EOF:
		t.awaitWrite()
		t.s.ended(endTargetClosed)
	default: // after a deadline the end is known already
		t.s.ended(targetEnding(err))
	}
	return nil
}

// awaitWrite lets a write to a target that has hung up come to its end, which is
// at once: a socket tells of a reset once, and may have told the write.
func (t *sender) awaitWrite() {
	if !t.s.writing.Load() || !hungUp(t.s.target) {
		return
	}
	for end := time.Now().Add(briefTimeout); t.s.writing.Load() && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
}

// failed records why the client takes no more.
func (t *sender) failed(err error) {
	switch {
	case err == errNotText:
		t.s.ended(endTargetNotText)
		t.s.sayClose()
	case err != message.ErrClosed:
		t.s.ended(clientEnding(err))
	}
}

func (t *sender) discard() {
	for {
		b, _, err := t.from.next(bufferSize - headRoom)
		if err != nil {
			return
		}
		t.s.server.buffers.put(b)
	}
}

// send makes one frame of the n bytes at headRoom.
func (t *sender) send(b *buffer, n int) (err error) {
	switch t.s.mode {
	case base64Mode, hixie75Mode, hixie76Mode:
		err = t.sendBase64(b, n)
	case textMode:
		err = t.sendText(b, n)
	default:
		err = t.whole(ws.OpBinary, b, headRoom, n)
	}
	if err == nil {
		t.s.toClient.Add(int64(n))
	}
	return err
}

// whole sends the n bytes at as one frame, compressed where that was negotiated
// and pays.
func (t *sender) whole(op ws.OpCode, b *buffer, at, n int) error {
	framed := b.framed(at)
	if t.s.deflate != nil {
		room := t.s.server.buffers.get()
		defer t.s.server.buffers.put(room)
		if packed, ok := t.s.deflate.Append(room[:headRoom], b[at:at+n]); ok { // not in room, if n is more than that has
			op, framed, n = op|frame.Compressed, packed[headRoom-frame.HeaderRoom:], len(packed)-headRoom
		}
	}
	return t.s.out.Whole(frame.Prepend(framed, op, n))
}

// sendBase64 encodes each read by itself, padding included: clients decode
// every message on its own.
func (t *sender) sendBase64(b *buffer, n int) error {
	encoded := t.s.server.buffers.get()
	defer t.s.server.buffers.put(encoded)
	base64.StdEncoding.Encode(encoded.room(), b.room()[:n])
	m := base64.StdEncoding.EncodedLen(n)
	if t.s.mode.hixie() {
		return t.s.out.Whole(frame.WrapHixie(encoded.framed(headRoom), m))
	}
	return t.whole(ws.OpText, encoded, headRoom, m)
}

// sendText holds back a rune whose end has not come yet.
func (t *sender) sendText(b *buffer, n int) error {
	at := headRoom - t.tailN
	copy(b[at:], t.tail[:t.tailN])
	text := b[at : headRoom+n]
	cut := len(text) - frame.CutRune(text)
	t.tailN = copy(t.tail[:], text[cut:])
	good := validPrefix(text[:cut])
	if good > 0 {
		if err := t.whole(ws.OpText, b, at, good); err != nil {
			return err
		}
	}
	if good < cut {
		return errNotText
	}
	return nil
}

func validPrefix(p []byte) int {
	if utf8.Valid(p) {
		return len(p)
	}
	at := 0
	for {
		r, size := utf8.DecodeRune(p[at:])
		if r == utf8.RuneError && size <= 1 {
			return at
		}
		at += size
	}
}
