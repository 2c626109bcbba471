package loop

import (
	"io"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 25 * time.Second

// start runs a loop for the length of a test.
func start(t *testing.T) *Loop {
	t.Helper()
	l, err := New()
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { l.Run(); close(ended) }()
	t.Cleanup(func() { l.Quit(); <-ended })
	return l
}

// in runs f in the loop and waits for it.
func in(t *testing.T, l *Loop, f func()) {
	t.Helper()
	done := make(chan struct{})
	l.Do(func() { f(); close(done) })
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatal("the loop does not answer")
	}
}

// owner passes on what it is told. What is wanted is told again and again while
// it is so, and an owner must not wait: what there is no room for is thrown away.
type owner struct{ told chan Events }

func newOwner() *owner { return &owner{make(chan Events, 10)} }

func (o *owner) Ready(s *Socket, can Events) {
	select {
	case o.told <- can:
	default:
	}
}

func (o *owner) wait(t *testing.T) Events {
	t.Helper()
	select {
	case can := <-o.told:
		return can
	case <-time.After(patience):
		t.Fatal("nothing was told")
		return 0
	}
}

// pair is a socket in l and the descriptor of its other end.
func pair(t *testing.T, l *Loop, o Owner) (*Socket, int) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	s := new(Socket)
	in(t, l, func() { l.Open(s, fds[0], o) })
	return s, fds[1]
}

func TestReadAndWrite(t *testing.T) {
	l, o := start(t), newOwner()
	s, other := pair(t, l, o)
	defer unix.Close(other)
	in(t, l, func() { s.Want(Writable) })
	if can := o.wait(t); can != Writable {
		t.Errorf("told %v", can)
	}
	b := make([]byte, 10)
	in(t, l, func() {
		s.Want(0)
		if _, err := s.Read(b); err != ErrWouldBlock {
			t.Errorf("nothing to read: %v", err)
		}
		if n, err := s.Write([]byte("hello")); n != 5 || err != nil {
			t.Errorf("write: %d %v", n, err)
		}
		s.Want(Readable)
	})
	if n, err := unix.Read(other, b); err != nil || string(b[:n]) != "hello" {
		t.Errorf("%q %v", b[:n], err)
	}
	unix.Write(other, []byte("world"))
	unix.Shutdown(other, unix.SHUT_WR)
	o.wait(t)
	in(t, l, func() {
		if n, err := s.Read(b); err != nil || string(b[:n]) != "world" {
			t.Errorf("%q %v", b[:n], err)
		}
		if _, err := s.Read(b); err != io.EOF {
			t.Errorf("at the end: %v", err)
		}
		s.Close()
	})
}

func TestWriteTakesWhatFits(t *testing.T) {
	l, o := start(t), newOwner()
	s, other := pair(t, l, o)
	defer unix.Close(other)
	in(t, l, func() {
		n, err := s.Write(make([]byte, 10<<20))
		if n == 0 || n == 10<<20 || err != ErrWouldBlock {
			t.Errorf("%d %v", n, err)
		}
		s.Close()
	})
}

// A hangup nobody wants to hear of is told by epoll whether asked for or not,
// for ever; the loop stops listening, and hears again when it is wanted.
func TestUnwantedHangup(t *testing.T) {
	l, o := start(t), newOwner()
	s, other := pair(t, l, o)
	in(t, l, func() { s.Want(Readable); s.Want(0) })
	unix.Close(other)
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		watched := true
		in(t, l, func() { watched = s.watched })
		if !watched {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("still watched")
		}
	}
	if len(o.told) > 0 {
		t.Error("the owner was told")
	}
	in(t, l, func() { s.Want(Readable) })
	o.wait(t)
	in(t, l, s.Close)
}

// closer closes the other socket of its turn when told of its own.
type closer struct {
	sockets [2]*Socket
	told    int
}

func (c *closer) Ready(s *Socket, _ Events) {
	c.told++
	for _, x := range c.sockets {
		x.Close()
	}
}

// What is ready in one turn may be closed by an owner that comes first.
func TestClosedInItsTurn(t *testing.T) {
	l, c := start(t), &closer{}
	var others [2]int
	for i := range 2 {
		c.sockets[i], others[i] = pair(t, l, c)
		defer unix.Close(others[i])
	}
	in(t, l, func() { // both are ready by the next turn
		for i := range 2 {
			unix.Write(others[i], []byte("x"))
			c.sockets[i].Want(Readable)
		}
	})
	in(t, l, func() {}) // that turn
	in(t, l, func() {})
	if c.told != 1 {
		t.Errorf("told %d times, want once: the other was closed", c.told)
	}
}

// An event for a socket that is gone is not taken for one of the socket that
// has its descriptor now.
func TestEventOfAnEarlierSocket(t *testing.T) {
	l, o := start(t), newOwner()
	s, other := pair(t, l, o)
	defer unix.Close(other)
	in(t, l, func() {
		s.Want(Writable)
		l.dispatch(unix.EpollEvent{Events: unix.EPOLLOUT, Fd: int32(s.fd), Pad: s.generation - 1})
		if len(o.told) != 0 {
			t.Error("the owner was told")
		}
		l.dispatch(unix.EpollEvent{Events: unix.EPOLLOUT, Fd: int32(s.fd), Pad: s.generation})
		if len(o.told) != 1 {
			t.Error("the owner was not told")
		}
		s.Close()
	})
}

func TestTimers(t *testing.T) {
	l := start(t)
	fired := make(chan int, 10)
	in(t, l, func() {
		second := l.AfterFunc(20*time.Millisecond, func() { fired <- 2 })
		l.AfterFunc(time.Millisecond, func() { fired <- 1 })
		stopped := l.AfterFunc(5*time.Millisecond, func() { fired <- 0 })
		if !stopped.Stop() || stopped.Stop() {
			t.Error("a timer stops once")
		}
		last := l.AfterFunc(0, func() { fired <- 3 })
		if !last.Reset(40*time.Millisecond) || !second.Reset(10*time.Millisecond) {
			t.Error("both were running")
		}
	})
	for want := 1; want <= 3; want++ {
		select {
		case got := <-fired:
			if got != want {
				t.Errorf("timer %d fired, want %d", got, want)
			}
		case <-time.After(patience):
			t.Fatal("a timer is late")
		}
	}
}

// Quit lets what was queued before it happen.
func TestQuitAfterTheQueue(t *testing.T) {
	l, err := New()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for range 100 {
		l.Do(func() { n++; l.Do(func() { n++ }) })
	}
	l.Quit()
	l.Run()
	if n != 200 {
		t.Errorf("%d functions were called, want 200", n)
	}
	if l.Do(func() { n++ }) {
		t.Error("a loop that has ended takes more")
	}
}
