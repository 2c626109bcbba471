//go:build linux

package e2e

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// A verdict is what a peer makes of a speech.
type verdict struct {
	end string // one of the ends; "failed CODE", with a Close of its own; or what nobody may do
	// What came back of a speech that was accepted. A failed one may have been cut
	// off from what its messages did.
	messages []message
	pong     string // the last, which stands for those before it (RFC 6455, 5.5.3)
}

// ends
const (
	accepted = "accepted" // the last words came back
	parted   = "closed"   // a Close in the speech had its answer
	dropped  = "dropped"  // it left without a Close
)

type message struct {
	kind byte
	data []byte
}

// ofMessages is the verdict of an echo of messages in words.
func (v verdict) ofMessages() string {
	var words strings.Builder
	words.WriteString(v.end)
	for _, m := range v.messages {
		fmt.Fprintf(&words, ", message %d %s", m.kind, brief(m.data))
	}
	return words.String() + v.ofPong()
}

// ofBytes is that of an echo of bytes, to which messages mean nothing.
func (v verdict) ofBytes() string {
	if v.end != accepted {
		return v.end
	}
	var all []byte
	for _, m := range v.messages {
		all = append(all, m.data...)
	}
	return v.end + ", " + brief(all) + v.ofPong()
}

func (v verdict) ofPong() string {
	if v.pong == "" {
		return ""
	}
	return fmt.Sprintf(", pong %.20q", v.pong)
}

func brief(b []byte) string {
	if len(b) > 40 {
		return fmt.Sprintf("%d bytes of %.6x", len(b), sha256.Sum256(b))
	}
	return fmt.Sprintf("%q", b)
}

// judge has a speech's verdict of the server at address.
func (s speech) judge(address string) verdict {
	conn, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		return verdict{end: err.Error()}
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	in := bufio.NewReader(conn)
	if err := (&visitor{conn, in}).shakeHands(); err != nil {
		return verdict{end: err.Error()}
	}
	return s.converse(conn, in, true)
}

// converse says the speech, and listens to the end. Its own Close comes once the
// last words are back, so that no answer is lost to it.
func (s speech) converse(conn net.Conn, in *bufio.Reader, client bool) verdict {
	go conn.Write(s.bytes(client)) // who stops listening may stop it
	h := hearing{in: in, masked: !client}
	err := h.listen(func() bool { return h.heardLast() || h.close != "" })
	if err == nil && h.close == "" {
		conn.Write(piece{first: final | opClose, payload: closeBody(1000, "")}.append(nil, client))
		err = h.listen(func() bool { return h.close != "" })
		if h.close == "1000" {
			return verdict{accepted, h.messages, h.pong}
		}
	}
	if err == nil && client { // a server is to leave first (RFC 6455, 7.1.1)
		conn.(*net.TCPConn).CloseWrite() // for those who wait for it
		err = h.listen(func() bool { return false })
	}
	return s.ended(h, err)
}

// ended is the verdict of a connection that err ended; nil: we did.
func (s speech) ended(h hearing, err error) verdict {
	switch {
	case err != nil && failing(err) != "gone" && failing(err) != "reset":
		return verdict{end: fmt.Sprint(failing(err), ": ", err)}
	case h.close == "":
		return verdict{end: dropped}
	case s.closedWith(h.close):
		return verdict{end: parted}
	}
	return verdict{end: "failed " + h.close}
}

// closedWith reports whether code answers a Close of the speech: it is its own,
// 1000, or none (RFC 6455, 5.5.1).
func (s speech) closedWith(code string) bool {
	for _, p := range s.frames {
		if p.first == final|opClose {
			return code == "1000" || code == "1005" || code == fmt.Sprint(p.code())
		}
	}
	return false
}

// hearing reads what a peer answers.
type hearing struct {
	in       *bufio.Reader
	masked   bool // as the peer's frames must be
	open     bool
	messages []message
	pong     string
	close    string // the code of its Close
}

// heardLast reports whether the last words are back.
func (h *hearing) heardLast() bool {
	var tail []byte // which an echo of bytes may have cut
	for i := len(h.messages) - 1; i >= 0 && len(tail) < len(lastWords); i-- {
		tail = append(bytes.Clone(h.messages[i].data), tail...)
	}
	return !h.open && bytes.HasSuffix(tail, []byte(lastWords))
}

var errBehindClose = errors.New("a frame behind a Close")

// listen reads until enough, or an error, which is io.EOF at the end.
func (h *hearing) listen(enough func() bool) error {
	for !enough() {
		first, payload, err := h.frame()
		if err != nil {
			return err
		}
		if err := h.take(first, payload); err != nil {
			return err
		}
	}
	return nil
}

// take sorts a frame in.
func (h *hearing) take(first byte, payload []byte) error {
	if h.close != "" {
		return errBehindClose
	}
	switch op := first & 0xf; {
	case op == opClose && len(payload) == 0:
		h.close = "1005"
	case op == opClose:
		h.close = fmt.Sprint(binary.BigEndian.Uint16(append(payload, 0)))
	case op == opPong:
		h.pong = string(payload)
	case op == opPing:
	case op == opContinuation && h.open:
		last := &h.messages[len(h.messages)-1]
		last.data = append(last.data, payload...)
		h.open = first&final == 0
	case op != opContinuation && !h.open:
		h.messages = append(h.messages, message{op, payload})
		h.open = first&final == 0
	default:
		return fmt.Errorf("frame %#x where none may be", first)
	}
	return nil
}

// frame reads one.
func (h *hearing) frame() (first byte, payload []byte, err error) {
	var head [2]byte
	if _, err := io.ReadFull(h.in, head[:]); err != nil {
		return 0, nil, err
	}
	if head[0]&0x70 != 0 || head[1]&0x80 != 0 != h.masked {
		return 0, nil, fmt.Errorf("frame % x", head)
	}
	size, err := h.size(head[1] & 0x7f)
	if err != nil || size > 1<<20 {
		return 0, nil, fmt.Errorf("frame of %d bytes: %w", size, err)
	}
	var key [4]byte
	if h.masked {
		if _, err := io.ReadFull(h.in, key[:]); err != nil {
			return 0, nil, err
		}
	}
	payload = make([]byte, size)
	_, err = io.ReadFull(h.in, payload)
	for i := range payload {
		payload[i] ^= key[i&3]
	}
	return head[0], payload, err
}

func (h *hearing) size(short byte) (uint64, error) {
	var b [8]byte
	wide := map[byte]int{126: 2, 127: 8}[short]
	if wide == 0 {
		return uint64(short), nil
	}
	_, err := io.ReadFull(h.in, b[8-wide:])
	return binary.BigEndian.Uint64(b[:]), err
}
