package loop

import (
	"fmt"
	"runtime"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Loop calls owners of sockets, timers and queued functions, one at a time, in
// the goroutine of Run. What they touch needs no lock; they must not wait.
type Loop struct {
	epoll, wake int
	events      [batch]unix.EpollEvent
	sockets     []*Socket // by descriptor
	generation  int32
	timers      timers

	mu     sync.Mutex // guards all below
	queue  []func()
	asleep bool // wake must be written to for the queue to be seen
	quit   bool
	ended  bool // Run does nothing more
}

// batch is how many ready sockets one wait brings.
const batch = 128

// New opens what a loop needs: two descriptors. Run gives them back.
func New() (*Loop, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll_create1: %w", err)
	}
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		unix.Close(epoll)
		return nil, fmt.Errorf("eventfd: %w", err)
	}
	l := &Loop{epoll: epoll, wake: wake}
	event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET, Fd: int32(wake)}
	if err := unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, wake, &event); err != nil {
		l.close()
		return nil, fmt.Errorf("epoll_ctl: %w", err)
	}
	return l, nil
}

// Run works until Quit. Sockets and timers that are left then are forgotten.
func (l *Loop) Run() {
	defer l.close()
	began, seen := time.Now(), time.Duration(0)
	for l.turn() {
		if now := time.Since(began); now-seen > showTime {
			runtime.Gosched()
			seen = now
		}
	}
}

// showTime is how often the loop shows itself to the scheduler. A goroutine not
// seen for 10 ms counts as one that hogs its processor, which is then taken from
// it at every wait, by a thread that looks for that every 20 us.
const showTime = 5 * time.Millisecond

// turn waits once and works through what came; false: Quit was called, and the
// queue is empty.
func (l *Loop) turn() bool {
	for _, event := range l.events[:l.wait()] {
		l.dispatch(event)
	}
	l.timers.fire()
	l.mu.Lock()
	queue := l.queue
	l.queue = nil
	l.ended = l.quit && len(queue) == 0
	ended := l.ended
	l.mu.Unlock()
	for _, f := range queue {
		f()
	}
	return !ended
}

// wait blocks until a socket is ready, a timer is due or wake is written to.
func (l *Loop) wait() int {
	timeout := l.timers.timeout()
	l.mu.Lock()
	if len(l.queue) > 0 || l.quit {
		timeout = 0
	}
	l.asleep = timeout != 0
	l.mu.Unlock()
	n, err := unix.EpollWait(l.epoll, l.events[:], timeout)
	l.mu.Lock()
	l.asleep = false
	l.mu.Unlock()
	if err != nil {
		return 0 // EINTR; nothing else can be
	}
	return n
}

// dispatch tells a socket's owner what it can do, unless the socket was closed
// by an owner called before in this turn.
func (l *Loop) dispatch(event unix.EpollEvent) {
	if int(event.Fd) >= len(l.sockets) {
		return // wake, which is edge-triggered and need not be read
	}
	s := l.sockets[event.Fd]
	if s == nil || s.generation != event.Pad {
		return
	}
	can := Events(event.Events)
	over := can&(unix.EPOLLERR|unix.EPOLLHUP) != 0
	if over {
		can |= Readable | Writable
	}
	switch can &= s.wants; {
	case can != 0:
		s.owner.Ready(s, can)
	case over && s.wants == 0:
		s.unwatch() // nobody wants to know, and it would be told again and again
	default:
		s.watch()
	}
}

// Do has f called by the loop soon; false: it will not be, the loop has ended.
// It is, with Quit, the one method for other goroutines.
func (l *Loop) Do(f func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return false
	}
	l.queue = append(l.queue, f)
	l.rouse()
	return true
}

// Quit ends Run once the queue is empty.
func (l *Loop) Quit() {
	l.mu.Lock()
	l.quit = true
	l.rouse()
	l.mu.Unlock()
}

// rouse needs mu.
func (l *Loop) rouse() {
	if l.asleep {
		l.asleep = false
		one := [8]byte{1}
		unix.RawSyscall(unix.SYS_WRITE, uintptr(l.wake), uintptr(unsafe.Pointer(&one)), 8)
	}
}

func (l *Loop) close() {
	unix.Close(l.wake)
	unix.Close(l.epoll)
}

// AfterFunc has f called once, after d. Only the loop's own goroutine may call
// it, as well as the Timer's methods.
func (l *Loop) AfterFunc(d time.Duration, f func()) *Timer {
	t := &Timer{heap: &l.timers, f: f, at: -1}
	t.Reset(d)
	return t
}
