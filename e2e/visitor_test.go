//go:build linux

package e2e

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// visitor is a WebSocket client of few words, for tests that need hundreds: its
// mask is zero.
type visitor struct {
	conn net.Conn
	in   *bufio.Reader
}

// enter opens a session.
func enter(address string, secure bool) (*visitor, error) {
	conn, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		return nil, err
	}
	return enterBy(conn, secure)
}

// enterBy opens a session on a connection, and closes that if there is none.
func enterBy(conn net.Conn, secure bool) (*visitor, error) {
	conn.SetDeadline(time.Now().Add(patience))
	if secure {
		conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
	}
	v := &visitor{conn, bufio.NewReader(conn)}
	if err := v.shakeHands(); err != nil {
		conn.Close()
		return nil, err
	}
	return v, nil
}

func (v *visitor) shakeHands() error {
	_, err := io.WriteString(v.conn, "GET / HTTP/1.1\r\nHost: bridge\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: h3aOngl22xTlrMuoCGC4+w==\r\n\r\n")
	if err != nil {
		return err
	}
	answer, err := http.ReadResponse(v.in, nil)
	if err == nil && answer.StatusCode != http.StatusSwitchingProtocols {
		err = errors.New(answer.Status)
	}
	return err
}

// opcodes of RFC 6455, 5.2, with FIN set
const (
	binaryFrame = 0x82
	closeFrame  = 0x88
	pingFrame   = 0x89
)

func (v *visitor) send(first byte, payload []byte) error {
	head := []byte{first, 0x80 | 126, 0, 0, 0, 0, 0, 0}
	binary.BigEndian.PutUint16(head[2:], uint16(len(payload)))
	_, err := v.conn.Write(append(head, payload...))
	return err
}

// frame is the next one of the bridge.
func (v *visitor) frame() (first byte, payload []byte, err error) {
	var head [10]byte
	if _, err := io.ReadFull(v.in, head[:2]); err != nil {
		return 0, nil, err
	}
	size := uint64(head[1])
	switch size {
	case 126:
		_, err = io.ReadFull(v.in, head[2:4])
		size = uint64(binary.BigEndian.Uint16(head[2:]))
	case 127:
		_, err = io.ReadFull(v.in, head[2:10])
		size = binary.BigEndian.Uint64(head[2:])
	}
	if err == nil {
		payload = make([]byte, size)
		_, err = io.ReadFull(v.in, payload)
	}
	return head[0], payload, err
}

// echo sends bytes, and wants them back.
func (v *visitor) echo(sent []byte) error {
	if err := v.send(binaryFrame, sent); err != nil {
		return err
	}
	var got []byte
	for len(got) < len(sent) {
		first, payload, err := v.frame()
		if err != nil || first != binaryFrame {
			return fmt.Errorf("after %d bytes of %d: frame %#x, %w", len(got), len(sent), first, err)
		}
		got = append(got, payload...)
	}
	if !bytes.Equal(got, sent) {
		return fmt.Errorf("byte %d differs", firstDifference(got, sent))
	}
	return nil
}

// leave ends the session in peace.
func (v *visitor) leave() error {
	defer v.conn.Close()
	if err := v.send(closeFrame, []byte{0x03, 0xe8}); err != nil {
		return err
	}
	if first, payload, err := v.frame(); err != nil || first != closeFrame {
		return fmt.Errorf("instead of a Close frame %#x %q, %w", first, payload, err)
	}
	return nil
}
