package bridge

import (
	"context"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wsbridge/wsbridge/loop"
)

// loops are the event loops of a server, started with the first session that
// can be carried by one. There is one per core but one: a loop that waits keeps
// its processor in the runtime's eyes, and were they all kept, whoever else has
// something to do would first have to have one taken away.
type loops struct {
	once sync.Once
	all  []*worker
	next atomic.Uint32
	wg   sync.WaitGroup
}

// worker is a loop and what its sessions share.
type worker struct {
	*loop.Loop
	ended funerals
}

func (ls *loops) start() {
	for range max(1, runtime.GOMAXPROCS(0)-1) {
		l, err := loop.New()
		if err != nil {
			return // with fewer or none: goroutines carry every session
		}
		ls.all = append(ls.all, &worker{Loop: l, ended: funerals{loop: l}})
		ls.wg.Go(l.Run)
	}
}

// pick is nil when there is no loop.
func (ls *loops) pick() *worker {
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

// open gives a session to a loop that is to dial its target too. False: it
// cannot, and nothing has changed.
func (ls *loops) open(s *session) bool {
	to, ok := s.to.(starter)
	if !ok || !s.loopable() {
		return false
	}
	client, ok := duplicate(s.clientSocket())
	if !ok {
		return false
	}
	target, timeout, err := to.Start()
	if err != nil { // Dial tells why
		unix.Close(client)
		return false
	}
	return ls.take(s, client, target, timeout)
}

// carry gives a session that has its target to a loop. False: it cannot, and
// nothing has changed.
func (ls *loops) carry(s *session) bool {
	if !s.loopable() {
		return false
	}
	client, ok := duplicate(s.clientSocket())
	if !ok {
		return false
	}
	target, ok := duplicate(s.target)
	if !ok {
		unix.Close(client)
		return false
	}
	return ls.take(s, client, target, 0)
}

// loopable tells whether s is of the kind that loops carry.
func (s *session) loopable() bool {
	return s.server.Pump == PumpAuto && (s.mode == binaryMode || s.mode == base64Mode) && s.server.Traffic == nil && s.deflate == nil
}

// clientSocket is what is under the client: it may be any connection, of which
// loops carry plain sockets.
func (s *session) clientSocket() net.Conn {
	if secure, ok := s.client.(*secureConn); ok && secure.transport.gate != nil {
		return secure.transport.Conn
	}
	return s.client
}

// take gives both descriptors to a loop, or closes them; see flow.start.
func (ls *loops) take(s *session, client, target int, dial time.Duration) bool {
	l := ls.pick()
	s.mu.Lock()
	if l == nil || s.end != nil { // no loop, or stopped meanwhile: deadlines are set
		s.mu.Unlock()
		unix.Close(client)
		unix.Close(target)
		return false
	}
	conns := [...]net.Conn{s.clientSocket(), s.target}
	f := s.server.newFlow(s, l)
	if secure, ok := s.client.(*secureConn); ok {
		f.out.veil = newVeil(secure, &f.client, &s.server.buffers)
	}
	s.client, s.target, s.from, s.out = nil, nil, nil, nil
	l.Do(func() {
		l.Open(&f.client, client, f)
		f.start(target, dial, nil)
	})
	s.mu.Unlock()
	for _, c := range conns {
		if c != nil {
			c.Close()
		}
	}
	return true
}

// pulse passes once through every loop, unless ctx ends before.
func (ls *loops) pulse(ctx context.Context) error {
	ls.once.Do(ls.start)
	passed := make(chan struct{}, len(ls.all))
	for _, l := range ls.all {
		if !l.Do(func() { passed <- struct{}{} }) {
			passed <- struct{}{} // ended, as it should after Shutdown
		}
	}
	for range ls.all {
		select {
		case <-passed:
		case <-ctx.Done():
			return errStuck
		}
	}
	return nil
}

// tcpListener is the TCP listener that accepts for l, if one does.
func tcpListener(l net.Listener) (tcp *net.TCPListener, ok bool) {
	if p, ok := l.(interface{ TCP() *net.TCPListener }); ok {
		return p.TCP(), true
	}
	tcp, ok = l.(*net.TCPListener)
	return tcp, ok
}

// duplicate returns a descriptor of a plain socket: one of its own, because what
// the runtime watches wakes it for every byte, and only closing ends that.
func duplicate(c net.Conn) (fd int, ok bool) {
	raw := rawConn(c)
	if raw == nil {
		return -1, false
	}
	return duplicateRaw(raw)
}

func duplicateOf(l *net.TCPListener) (fd int, ok bool) {
	raw, err := l.SyscallConn()
	if err != nil {
		return -1, false
	}
	return duplicateRaw(raw)
}

func duplicateRaw(raw syscall.RawConn) (fd int, ok bool) {
	err := raw.Control(func(old uintptr) {
		var dupErr error
		fd, dupErr = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0)
		ok = dupErr == nil
	})
	return fd, ok && err == nil
}

// funerals ends sessions outside of a loop, some at a time: their last line
// goes to the log, which may wait. It belongs to the loop's goroutine.
type funerals struct {
	loop  *loop.Loop
	ended []*session
}

// funeralTime is how long a session may wait for others to share a goroutine.
const funeralTime = time.Millisecond

func (fs *funerals) add(s *session) {
	if fs.ended = append(fs.ended, s); len(fs.ended) == 1 {
		fs.loop.AfterFunc(funeralTime, fs.hold)
	}
}

func (fs *funerals) hold() {
	go holdAll(fs.ended)
	fs.ended = nil
}

func holdAll(ended []*session) {
	for _, s := range ended {
		s.over()
	}
}
