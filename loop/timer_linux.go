package loop

import (
	"container/heap"
	"time"
)

// Timer is like a time.Timer of AfterFunc, for the loop's goroutine only.
type Timer struct {
	heap *timers
	f    func()
	when time.Time
	at   int // in the heap; -1: not there
}

// Reset starts t again; true: it was running.
func (t *Timer) Reset(d time.Duration) bool {
	t.when = time.Now().Add(d)
	if t.at < 0 {
		heap.Push(t.heap, t)
		return false
	}
	heap.Fix(t.heap, t.at)
	return true
}

// Stop forgets t; true: it was running.
func (t *Timer) Stop() bool {
	if t.at < 0 {
		return false
	}
	heap.Remove(t.heap, t.at)
	return true
}

// timers are the running ones, as a heap: the next one is the first.
type timers []*Timer

// timeout is how many milliseconds, rounded up, the next one is away; -1: there
// is none.
func (ts timers) timeout() int {
	if len(ts) == 0 {
		return -1
	}
	left := time.Until(ts[0].when)
	return int(max(0, min(left, time.Hour)+time.Millisecond-1) / time.Millisecond)
}

// fire calls those that are due.
func (ts *timers) fire() {
	if len(*ts) == 0 {
		return
	}
	for now := time.Now(); len(*ts) > 0 && !(*ts)[0].when.After(now); {
		heap.Pop(ts).(*Timer).f()
	}
}

func (ts timers) Len() int           { return len(ts) }
func (ts timers) Less(i, j int) bool { return ts[i].when.Before(ts[j].when) }

func (ts timers) Swap(i, j int) {
	ts[i], ts[j] = ts[j], ts[i]
	ts[i].at, ts[j].at = i, j
}

// Push is for container/heap.
func (ts *timers) Push(x any) {
	t := x.(*Timer)
	t.at = len(*ts)
	*ts = append(*ts, t)
}

// Pop is for container/heap.
func (ts *timers) Pop() any {
	last := len(*ts) - 1
	t := (*ts)[last]
	(*ts)[last] = nil
	*ts = (*ts)[:last]
	t.at = -1
	return t
}
