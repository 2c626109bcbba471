package bridge

import (
	"sync"
	"time"
)

// deadline is a moment that may be moved at any time, also once it has passed.
type deadline struct {
	then func() // called when it passes; may be nil

	mu    sync.Mutex
	sets  int // how often it was moved
	timer *time.Timer
	over  chan struct{} // closed once it has passed; another one when it is moved then
}

func newDeadline(then func()) *deadline {
	return &deadline{then: then, over: make(chan struct{})}
}

// set moves it to t; the zero time is never.
func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	if isClosed(d.over) {
		d.over = make(chan struct{})
	}
	d.sets++
	mine, left := d.sets, time.Until(t)
	if !t.IsZero() && left > 0 {
		d.timer = time.AfterFunc(left, func() { d.pass(mine) })
	}
	d.mu.Unlock()
	if !t.IsZero() && left <= 0 {
		d.pass(mine)
	}
}

// pass is for the mover of that number, unless another came after it.
func (d *deadline) pass(mover int) {
	d.mu.Lock()
	if mover != d.sets {
		d.mu.Unlock()
		return
	}
	close(d.over)
	d.mu.Unlock()
	if d.then != nil {
		d.then()
	}
}

// passed is closed as soon as the deadline has passed, unless it is moved then.
func (d *deadline) passed() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.over
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
