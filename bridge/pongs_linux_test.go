package bridge

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/gobwas/ws"
	"golang.org/x/sys/unix"

	"github.com/wsbridge/wsbridge/frame"
)

// TestManyPings: pings that come together are all answered, in order, and
// together: a client that floods the bridge with them costs no write for each.
func TestManyPings(t *testing.T) {
	const many = 1000
	r := startRig(t, nil)
	client := r.dial()
	r.accept()
	var pings strings.Builder
	for i := range many {
		pings.WriteString(masked(ws.OpPing, true, fmt.Sprint(i)))
	}
	before := segmentsTo(t, client.conn)
	client.raw(pings.String())
	for i := range many {
		ev, err := client.event()
		if err != nil || ev.Kind != frame.Pong || string(ev.Payload) != fmt.Sprint(i) {
			t.Fatalf("answer %d: %+v, %v", i, ev, err)
		}
	}
	if n := segmentsTo(t, client.conn) - before; n > many/10 {
		t.Errorf("%d answers came in %d segments", many, n)
	}
}

// segmentsTo is how many segments with data have come to a TCP connection.
func segmentsTo(t *testing.T, conn net.Conn) (n uint32) {
	t.Helper()
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) {
		info, e := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		if err = e; err == nil {
			n = info.Data_segs_in
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}
