package bridge

import (
	"maps"
	"sync"
	"time"
)

// A session takes two descriptors; some are kept back for files, pipes and
// the bridge itself.
const (
	sessionDescriptors = 2
	reserveShare       = 4 // one part in four
)

func (l Limits) withDefaults() Limits {
	files := openFiles()
	or := func(d *time.Duration, def time.Duration) {
		if *d == 0 {
			*d = def
		}
	}
	if l.Sessions == 0 {
		l.Sessions = (files - files/reserveShare) / sessionDescriptors
	}
	if l.connections == 0 {
		l.connections = max(files/(2*reserveShare), 16)
	}
	or(&l.SniffTimeout, 3*time.Second)
	or(&l.HeaderTimeout, 10*time.Second)
	or(&l.EndTimeout, 30*time.Second)
	return l
}

// counters counts refusals by reason. Reasons come from our own code, never
// from a peer, so there are few.
type counters struct {
	mu sync.Mutex
	n  map[string]int
}

func (c *counters) add(reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == nil {
		c.n = map[string]int{}
	}
	c.n[reason]++
}

func (c *counters) snapshot() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.n)
}
