//go:build linux

package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A manner is how one side ends a session.
type manner string

const (
	byFIN     manner = "FIN"
	byTorn    manner = "FIN without TLS's own end"
	byRST     manner = "RST"
	byUnread  manner = "close on unread bytes"
	byDataRST manner = "data, then RST"
	byClose   manner = "Close frame"
	byHalf    manner = "half-close"
	bySilence manner = "silence"
	byKill    manner = "SIGKILL"
)

// quiet tells that all is said and heard before the end; otherwise it comes right
// behind what its side says last.
func (m manner) quiet() bool { return m == byRST || m == bySilence || m == byKill }

// resets tells that the other side's last bytes may be lost.
func (m manner) resets() bool { return m == byRST || m == byDataRST || m == byUnread }

// A side is one end of a session. What it says, and what it expects to hear, goes
// on from where it was, and is the same in every session.
type side struct {
	conn        net.Conn
	wire        io.ReadWriter // how words travel by conn
	says, hears *rand.ChaCha8
	said, heard int
}

const (
	theClient = "client"
	theTarget = "target"
)

func newSide(who string, conn net.Conn, wire io.ReadWriter) *side {
	other := map[string]string{theClient: theTarget, theTarget: theClient}[who]
	return &side{conn: conn, wire: wire, says: wordsOf(who), hears: wordsOf(other)}
}

func wordsOf(who string) *rand.ChaCha8 {
	return rand.NewChaCha8([32]byte([]byte("these are the words of a " + who + "!")))
}

// say says the next n bytes.
func (s *side) say(n int) error {
	for piece := make([]byte, 5000); n > 0; n -= len(piece) {
		piece = piece[:min(n, len(piece))]
		s.says.Read(piece)
		if _, err := s.wire.Write(piece); err != nil {
			return err
		}
		s.said += len(piece)
	}
	return nil
}

// hear hears the next n bytes, and no more.
func (s *side) hear(n int) error {
	for got, want := make([]byte, 5000), make([]byte, 5000); n > 0; {
		m, err := s.wire.Read(got[:min(n, len(got))])
		s.hears.Read(want[:m])
		if !bytes.Equal(got[:m], want[:m]) {
			return fmt.Errorf("%w: after %d that were right", errOtherBytes, s.heard+firstDifference(got[:m], want[:m]))
		}
		if n, s.heard = n-m, s.heard+m; err != nil {
			return err
		}
	}
	return nil
}

// converse has a side say and hear what there is before the end. It speaks first,
// or is answered; last: what it is answered is heard, and not left for later.
func (s *side) converse(first, last bool, extra int) error {
	if !first {
		if err := s.hear(volume); err != nil {
			return err
		}
	}
	if err := s.say(volume + extra); err != nil {
		return err
	}
	if first && last {
		return s.hear(volume)
	}
	return nil
}

// listen hears all that still comes, and returns why there is no more.
func (s *side) listen() error { return s.hear(math.MaxInt) }

// leave ends the side as it is to end.
func (s *side) leave(how manner) error {
	switch how {
	case byFIN:
		return s.conn.Close()
	case byTorn:
		return socketOf(s.conn).Close()
	case byHalf:
		return s.conn.(interface{ CloseWrite() error }).CloseWrite()
	case byClose:
		return s.wire.(*frames).close(told{4321, "my reason"})
	}
	return reset(socketOf(s.conn), how)
}

// socketOf is what is under TLS.
func socketOf(conn net.Conn) net.Conn {
	if secure, ok := conn.(interface{ NetConn() net.Conn }); ok {
		return secure.NetConn()
	}
	return conn
}

// reset resets conn once the other system has all that was said. TCP can at any
// time; it does, as a unix socket, when it is closed on bytes that nobody has read.
func reset(conn net.Conn, how manner) error {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return errors.Join(unread(conn), conn.Close())
	}
	if err := delivered(tcp); err != nil {
		return err
	}
	if how == byUnread {
		return errors.Join(unread(conn), conn.Close())
	}
	return errors.Join(tcp.SetLinger(0), tcp.Close())
}

// delivered waits until the other system has acknowledged everything.
func delivered(conn *net.TCPConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(time.Millisecond) {
		queued, failed := 0, error(nil)
		err := raw.Control(func(fd uintptr) { queued, failed = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ) })
		if err = errors.Join(err, failed); err != nil || queued == 0 {
			return err
		}
	}
	return os.ErrDeadlineExceeded
}

// unread waits for bytes, and leaves them where they are.
func unread(conn net.Conn) error {
	raw, err := conn.(syscall.Conn).SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Read(func(fd uintptr) bool {
		_, _, failed = unix.Recvfrom(int(fd), make([]byte, 1), unix.MSG_PEEK)
		return failed != syscall.EAGAIN
	})
	return errors.Join(err, failed)
}
