package passthrough

import (
	"bytes"
	"errors"
	"net"
	"time"
)

// maxHead is what a target may send up to the end of its answer's head.
const maxHead = 32 << 10

var (
	errHeadTooLarge = errors.New("the head does not end")
	errNotHTTP      = errors.New("not HTTP")
)

// incoming reads a target's answer, and keeps what it read of the head. A
// target that speaks something else is found out by its first bytes: it may
// never send a line.
type incoming struct {
	conn    net.Conn
	kept    []byte
	open    bool          // the head is read: the rest is not kept
	timeout time.Duration // for each piece of the rest
}

func (in *incoming) Read(p []byte) (int, error) {
	if in.open {
		in.conn.SetReadDeadline(time.Now().Add(in.timeout))
		return in.conn.Read(p)
	}
	room := maxHead - len(in.kept)
	if room == 0 {
		return 0, errHeadTooLarge
	}
	n, err := in.conn.Read(p[:min(len(p), room)])
	in.kept = append(in.kept, p[:n]...)
	if n > 0 && !startsHTTP(in.kept) {
		return 0, errNotHTTP
	}
	return n, err
}

// startsHTTP tells whether p may be, or be the beginning of, HTTP/1.
func startsHTTP(p []byte) bool {
	const version = "HTTP/1."
	n := min(len(p), len(version))
	return bytes.Equal(p[:n], []byte(version[:n]))
}
