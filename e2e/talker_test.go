//go:build linux

package e2e

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// talker is a raw client that does what it is told, right or wrong, and writes
// down in few words what it is answered.
type talker struct {
	t       *testing.T
	program *process // that it talks with
	address string
	dir     string // of the program's files
	conn    net.Conn
	in      *bufio.Reader
	heard   []string
	leaving bool // a Close was sent
}

// hush is how long a connection may take before it counts as silent.
const hush = 10 * time.Second

// note adds to what was heard.
func (c *talker) note(format string, args ...any) {
	c.heard = append(c.heard, fmt.Sprintf(format, args...))
}

// dial opens a new connection, over TLS where config is not nil.
func (c *talker) dial(config *tls.Config) {
	conn, err := net.DialTimeout("tcp", c.address, patience)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(hush))
	if config != nil {
		conn = tls.Client(conn, config)
	}
	c.conn, c.in, c.leaving = conn, bufio.NewReader(conn), false
}

// say sends bytes as they are; a lost connection is heard of by reading.
func (c *talker) say(text string) {
	if c.conn == nil {
		c.dial(nil)
	}
	io.WriteString(c.conn, text)
}

// shut says frames the last of which is a Close.
func (c *talker) shut(frames string) {
	c.say(frames)
	c.leaving = true
}

// ask sends a request whose lines these are, and notes the answer's status.
func (c *talker) ask(lines ...string) *http.Response {
	if !strings.Contains(strings.Join(lines, "\n"), "\nHost:") {
		lines = append(lines, "Host: localhost")
	}
	c.say(strings.Join(lines, "\r\n") + "\r\n\r\n")
	return c.answer(strings.Fields(lines[0])[0])
}

// answer notes the status of the answer to a request with this method; of none
// the answer is empty.
func (c *talker) answer(method string) *http.Response {
	answer, err := http.ReadResponse(c.in, &http.Request{Method: method})
	if err != nil {
		c.note("%s", failing(err))
		return &http.Response{Body: http.NoBody}
	}
	c.note("%d", answer.StatusCode)
	return answer
}

// fetch asks for a file and notes the status and body; of an error the status.
func (c *talker) fetch(path string, header ...string) {
	c.conn = nil
	answer := c.ask(append([]string{"GET " + path + " HTTP/1.1", "Connection: close"}, header...)...)
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		c.note("%s", failing(err))
	}
	if answer.StatusCode == http.StatusOK {
		c.note("%q", body)
	}
}

// upgrading is an opening handshake to path, but for Host.
func upgrading(path string, header ...string) []string {
	return append([]string{"GET " + path + " HTTP/1.1", "Connection: Upgrade", "Upgrade: websocket",
		"Sec-WebSocket-Key: h3aOngl22xTlrMuoCGC4+w==", "Sec-WebSocket-Version: 13"}, header...)
}

// upgrade asks for a session and notes its subprotocol beside the status.
func (c *talker) upgrade(path string, header ...string) (opened bool) {
	answer := c.ask(upgrading(path, header...)...)
	opened = answer.StatusCode == http.StatusSwitchingProtocols
	if name := answer.Header.Get("Sec-WebSocket-Protocol"); opened && name != "" {
		c.note("%s", name)
	}
	return opened
}

// hear reads data frames until they hold n bytes.
func (c *talker) hear(n int) {
	c.listen(func(data []byte) bool { return len(data) >= n })
}

// next reads one frame.
func (c *talker) next() {
	found := 0
	c.listen(func([]byte) bool { found++; return found > 1 })
}

// end reads until the connection ends.
func (c *talker) end() {
	c.listen(func([]byte) bool { return false })
}

// leave ends the connection without a word.
func (c *talker) leave() { c.conn.Close() }

// listen notes frames, neighbouring data frames as one, until enough. A Close
// is answered.
func (c *talker) listen(enough func(data []byte) bool) {
	var data []byte
	for !enough(data) {
		opcode, payload, err := readFrame(c.in)
		if err == nil && opcode == opBinary {
			data = append(data, payload...)
			continue
		}
		c.noteData(data)
		data = nil
		if err != nil {
			c.note("%s", c.lost(err))
			return
		}
		c.note("%s", said(opcode, payload))
		if opcode == opClose && !c.leaving {
			c.shut(masked(final|opClose, string(payload)))
		}
	}
	c.noteData(data)
}

func (c *talker) noteData(data []byte) {
	if len(data) > 64 {
		c.note("%d bytes", len(data))
	} else if len(data) > 0 {
		c.note("%q", data)
	}
}

// lost is how a session ended. After a Close nobody has to listen, so what was
// said last may have been answered by a reset.
func (c *talker) lost(err error) string {
	if end := failing(err); end != "reset" || !c.leaving {
		return end
	}
	return "gone"
}

// failing is how a connection ended.
func failing(err error) string {
	var late net.Error
	var remote *net.OpError
	switch {
	case errors.As(err, &remote) && remote.Op == "remote error":
		return "TLS alert"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "gone"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "reset"
	case errors.As(err, &late) && late.Timeout():
		return "silence"
	}
	return "broken"
}

const (
	opContinuation = 0
	opText         = 1
	opBinary       = 2
	opClose        = 8
	opPing         = 9
	opPong         = 10
	final          = 0x80
	rsv1           = 0x40
)

// said is a frame that carries no data of the target. Of a close only the
// code: words differ by taste.
func said(opcode byte, payload []byte) string {
	switch {
	case opcode == opClose && len(payload) >= 2:
		return fmt.Sprint("close ", binary.BigEndian.Uint16(payload))
	case opcode == opClose:
		return "close"
	case opcode == opPing:
		return fmt.Sprintf("ping %q", payload)
	case opcode == opPong:
		return fmt.Sprintf("pong %q", payload)
	}
	return fmt.Sprintf("frame %#x %q", opcode, payload)
}

// readFrame reads a server's frame: whole, unmasked, without reserved bits.
func readFrame(r io.Reader) (opcode byte, payload []byte, err error) {
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	if head[0]&0x70 != 0 || head[0]&final == 0 || head[1]&0x80 != 0 {
		return 0, nil, fmt.Errorf("no server's frame: % x", head)
	}
	length := uint64(head[1])
	if wide := map[uint64]int{126: 2, 127: 8}[length]; wide > 0 {
		var more [8]byte
		if _, err := io.ReadFull(r, more[8-wide:]); err != nil {
			return 0, nil, err
		}
		length = binary.BigEndian.Uint64(more[:])
	}
	if length > 1<<20 {
		return 0, nil, fmt.Errorf("a frame of %d bytes", length)
	}
	payload = make([]byte, length)
	_, err = io.ReadFull(r, payload)
	return head[0] &^ final, payload, err
}

// masked is a client's frame; first is the byte with opcode and flags.
func masked(first byte, payload string) string {
	mask := [4]byte{1, 2, 3, 4}
	b := append(frameHead(first, len(payload), 0x80), mask[:]...)
	for i := range len(payload) {
		b = append(b, payload[i]^mask[i%4])
	}
	return string(b)
}

// bare is a frame without the mask that a client's must have.
func bare(first byte, payload string) string {
	return string(frameHead(first, len(payload), 0)) + payload
}

func frameHead(first byte, n int, flag byte) []byte {
	switch {
	case n < 126:
		return []byte{first, flag | byte(n)}
	case n < 1<<16:
		return binary.BigEndian.AppendUint16([]byte{first, flag | 126}, uint16(n))
	}
	return binary.BigEndian.AppendUint64([]byte{first, flag | 127}, uint64(n))
}

// closing is a close frame.
func closing(code uint16, reason string) string {
	return masked(final|opClose, string(binary.BigEndian.AppendUint16(nil, code))+reason)
}
