package access

import (
	"net/http"
	"sync"
)

// Counts limits how many sessions of one key live at a time: of a user, to a
// target. A nil Counts has no limit. Only keys that have a session are
// remembered.
type Counts struct {
	// Max is the limit at first, see Limit; 0: none.
	Max int
	// Whose ends the refusal: "of your user", "to this target".
	Whose string

	mu   sync.Mutex
	live map[string]int
}

// Limit changes the limit; sessions above it live on. They are counted even
// while there is no limit.
func (c *Counts) Limit(max int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.Max = max
}

// Acquire counts a session of key, or refuses it (503, as for any limit of live
// sessions). release ends it, once however often it is called. An empty key
// has no limit.
func (c *Counts) Acquire(key string) (release func(), err error) {
	if c == nil || key == "" {
		return func() {}, nil
	}
	key = shorten(key)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.Max > 0 && c.live[key] >= c.Max {
		return nil, &Refusal{Status: http.StatusServiceUnavailable, Reason: "too many sessions " + c.Whose}
	}
	if c.live == nil {
		c.live = map[string]int{}
	}
	c.live[key]++
	return sync.OnceFunc(func() { c.release(key) }), nil
}

func (c *Counts) release(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.live[key]--; c.live[key] == 0 {
		delete(c.live, key)
	}
}
