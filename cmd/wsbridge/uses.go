package main

import "sync"

// uses counts who uses something that is to be closed once it is out of date
// and nobody does.
type uses struct {
	mu     sync.Mutex
	n      int
	closed bool
	last   func() // what is to be done then; nil: it is in date
}

// hold is a use, until release; false: it is too late for one.
func (u *uses) hold() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed {
		return false
	}
	u.n++
	return true
}

func (u *uses) release() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.n--
	u.end()
}

// retire has last called, which may wait for nothing, after the last use.
func (u *uses) retire(last func()) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.last = last
	u.end()
}

// end needs mu.
func (u *uses) end() {
	if u.n == 0 && u.last != nil && !u.closed {
		u.closed = true
		u.last()
	}
}
