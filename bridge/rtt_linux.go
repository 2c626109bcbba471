package bridge

import (
	"crypto/tls"
	"net"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wsbridge/wsbridge/sniff"
)

// rttOf is how long the kernel thinks a round trip to a TCP peer takes (its
// smoothed estimate, RFC 6298); 0: not known.
func rttOf(c net.Conn) (rtt time.Duration) {
	raw := rawConn(beneath(c))
	if raw == nil {
		return 0
	}
	raw.Control(func(fd uintptr) {
		if info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			rtt = time.Duration(info.Rtt) * time.Microsecond
		}
	})
	return rtt
}

// ackedBy is how many bytes a TCP peer has acknowledged, over HTTP/2 those of all
// its sessions; 0: not known.
func ackedBy(c net.Conn) (n int64) {
	raw := rawConn(beneath(c))
	if raw == nil {
		return 0
	}
	raw.Control(func(fd uintptr) {
		if info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			n = int64(info.Bytes_acked)
		}
	})
	return n
}

// beneath is the socket under TLS, under HTTP/2 and under what looked at it.
func beneath(c net.Conn) net.Conn {
	switch c := c.(type) {
	case *lane:
		return beneath(c.under)
	case *tls.Conn:
		return beneath(c.NetConn())
	case *secureConn:
		return beneath(c.transport.Conn)
	case *transport:
		return beneath(c.Conn)
	case *sniff.Conn:
		return c.Conn
	case *prefixed:
		return c.Conn
	case *opened:
		return c.Conn
	case *secured:
		return beneath(c.Conn)
	}
	return c
}

// askRTT has the loop note the client's round trip for the next who asks.
func (f *flow) askRTT() {
	f.loop.Do(func() {
		if !f.over {
			f.s.rtt.Store(uint32(f.client.RTT().Microseconds()))
		}
	})
}
