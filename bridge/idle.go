package bridge

import (
	"cmp"
	"net"
	"slices"
)

// beShort says whether there is too little memory for more sessions.
func (ss *sessions) beShort(short bool) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	ss.short = short
}

// countCarried finds out who has carried something since the last time. That is
// all it takes to know who is idle for longest: sessions need no clock of
// their own.
func (ss *sessions) countCarried(look int64) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	ss.looks = look
	for l, at := range ss.live {
		if n := l.payload(); n != at.carried || n < 0 {
			at.carried, at.since = n, look
		}
	}
}

// chooseIdle returns the sessions that are to go next: of those that have
// carried nothing since that count the longest idle, the newest of them first, one
// in shedShare of all. There are none while others that were chosen are still
// there.
func (ss *sessions) chooseIdle(since int64) (chosen []live) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	var idle []*standing
	for _, at := range ss.live {
		if at.told {
			return nil
		}
		if at.since <= since {
			idle = append(idle, at)
		}
	}
	slices.SortFunc(idle, func(a, b *standing) int {
		return cmp.Or(cmp.Compare(a.since, b.since), cmp.Compare(b.number, a.number))
	})
	for _, at := range idle[:min(len(idle), 1+len(ss.live)/shedShare)] {
		at.told = true
		chosen = append(chosen, at.live)
	}
	return chosen
}

// abandon has Close throw away what the client has not taken, which the kernel
// would keep for it.
func abandon(c net.Conn) {
	if secure, ok := c.(*secureConn); ok {
		c = secure.NetConn().(*transport).Conn
	}
	if tcp, ok := c.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
}
