package message_test

import (
	"encoding/binary"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/wsbridge/wsbridge/frame"
	"github.com/wsbridge/wsbridge/message"
)

// noted is a connection that keeps the numbers in the pongs written to it. One
// writes at a time.
type noted struct {
	net.Conn
	pongs  []uint32
	writes int
}

func (c *noted) Read([]byte) (int, error)         { return 0, io.EOF }
func (c *noted) SetReadDeadline(time.Time) error  { return nil }
func (c *noted) SetWriteDeadline(time.Time) error { return nil }

func (c *noted) Write(p []byte) (int, error) {
	c.writes++
	for rest := p; len(rest) > 0; {
		n := 2 + int(rest[1])
		if rest[0] == 0x80|byte(ws.OpPong) {
			c.pongs = append(c.pongs, binary.BigEndian.Uint32(rest[2:n]))
		}
		rest = rest[n:]
	}
	return len(p), nil
}

// Pongs may be left out while others write, but none comes behind a later one.
func TestPongsInOrder(t *testing.T) {
	const many = 50_000
	conn := new(noted)
	w := message.NewWriter(conn)
	var others sync.WaitGroup
	done := make(chan struct{})
	others.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				w.Whole([]byte{0x82, 1, '.'})
			}
		}
	})
	for i := range uint32(many) {
		var pongs frame.Pongs
		pongs.Add(binary.BigEndian.AppendUint32(nil, i))
		w.SendPongs(pongs)
	}
	close(done)
	others.Wait()
	for i, n := range conn.pongs[1:] {
		if n <= conn.pongs[i] {
			t.Fatalf("pong %d comes after pong %d", n, conn.pongs[i])
		}
	}
	if last := conn.pongs[len(conn.pongs)-1]; last != many-1 {
		t.Errorf("the last pong is %d, want %d", last, many-1)
	}
}

// Pings that come together are all answered, in order, by one write.
func TestPongsTogether(t *testing.T) {
	const many = 1000
	var pings []byte
	for i := range uint32(many) {
		pings = append(pings, 0x89, 0x84, 0, 0, 0, 0) // masked by nothing
		pings = binary.BigEndian.AppendUint32(pings, i)
	}
	conn := new(noted)
	c := message.New(conn, message.Options{Early: pings})
	if _, err := c.Read(); err != io.EOF {
		t.Fatal(err)
	}
	if len(conn.pongs) != many || conn.pongs[0] != 0 || conn.pongs[many-1] != many-1 || conn.writes != 1 {
		t.Errorf("%d pongs by %d writes, want %d by one", len(conn.pongs), conn.writes, many)
	}
}
