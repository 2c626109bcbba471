package message_test

import (
	"encoding/binary"
	"net"
	"sync"
	"testing"

	"github.com/gobwas/ws"

	"github.com/wsbridge/wsbridge/frame"
	"github.com/wsbridge/wsbridge/message"
)

// noted is a connection that keeps the numbers in the pongs written to it. One
// writes at a time.
type noted struct {
	net.Conn
	pongs []uint32
}

func (c *noted) Write(p []byte) (int, error) {
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
