package bridge

import (
	"net"
	"runtime"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/wsbridge/wsbridge/loop"
)

// loops are the event loops of a server, one per core, started with the first
// session that can be carried by one.
type loops struct {
	once sync.Once
	all  []*loop.Loop
	next atomic.Uint32
	wg   sync.WaitGroup
}

func (ls *loops) start() {
	for range runtime.GOMAXPROCS(0) {
		l, err := loop.New()
		if err != nil {
			return // with fewer or none: goroutines carry every session
		}
		ls.all = append(ls.all, l)
		ls.wg.Go(l.Run)
	}
}

// pick is nil when there is no loop.
func (ls *loops) pick() *loop.Loop {
	ls.once.Do(ls.start)
	if len(ls.all) == 0 {
		return nil
	}
	return ls.all[int(ls.next.Add(1))%len(ls.all)]
}

// close ends the loops; no session is left.
func (ls *loops) close() {
	ls.once.Do(func() {})
	for _, l := range ls.all {
		l.Quit()
	}
	ls.wg.Wait()
}

// carry gives a session whose both sides are plain sockets to a loop. False:
// it cannot, and nothing has changed.
func (ls *loops) carry(s *session) bool {
	if s.server.Pump != PumpAuto || s.mode == textMode {
		return false
	}
	client, target, ok := takeOver(s.client, s.target)
	if !ok {
		return false
	}
	l := ls.pick()
	if l == nil {
		unix.Close(client)
		unix.Close(target)
		return false
	}
	f := &flow{s: s, loop: l, up: upstream{frames: newUnframer(s.mode, &s.server.buffers)}}
	s.mu.Lock()
	if s.end != nil { // stopped meanwhile: its deadlines are set
		s.mu.Unlock()
		unix.Close(client)
		unix.Close(target)
		return false
	}
	conns := [...]net.Conn{s.client, s.target}
	s.carrier = f
	s.client, s.target, s.from, s.out = nil, nil, nil, nil
	l.Do(func() { f.start(client, target) }) // before any stop
	s.mu.Unlock()
	for _, c := range conns {
		c.Close()
	}
	return true
}

// takeOver returns descriptors of two plain sockets: duplicates, because what
// the runtime watches wakes it for every byte, and only closing ends that.
func takeOver(client, target net.Conn) (clientFD, targetFD int, ok bool) {
	if clientFD, ok = duplicate(client); !ok {
		return -1, -1, false
	}
	if targetFD, ok = duplicate(target); !ok {
		unix.Close(clientFD)
		return -1, -1, false
	}
	return clientFD, targetFD, true
}

func duplicate(c net.Conn) (fd int, ok bool) {
	raw := rawConn(c)
	if raw == nil {
		return -1, false
	}
	err := raw.Control(func(old uintptr) {
		var dupErr error
		fd, dupErr = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0)
		ok = dupErr == nil
	})
	return fd, ok && err == nil
}
