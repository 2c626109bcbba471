package ticket

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

// Store remembers which tickets were spent, and what passes stand for. Every
// error is a *Refusal: what cannot be known lets nobody in. Its methods may be
// called at the same time.
type Store interface {
	// Spend lets one caller have id, and remembers that until then. A Store that
	// may have forgotten what happened when id was minted lets nobody have it.
	Spend(ctx context.Context, id string, minted, until time.Time) error
	// Keep remembers value under id until then.
	Keep(ctx context.Context, id string, value []byte, until time.Time) error
	// Find is what was kept.
	Find(ctx context.Context, id string) ([]byte, error)
}

// entryCost is what an entry takes besides its texts, in bytes; about.
const entryCost = 200

// Memory is a Store of this process alone.
type Memory struct {
	limit int
	since time.Time
	now   func() time.Time

	mu      sync.Mutex
	size    int
	entries map[string]*entry // by kind and id
	byEnd   ends
}

type entry struct {
	key   string
	value []byte
	until time.Time
}

func (e *entry) cost() int { return entryCost + len(e.key) + len(e.value) }

// NewMemory begins to remember now, in up to limit bytes; now tells the time
// (nil: time.Now).
func NewMemory(limit int, now func() time.Time) *Memory {
	if now == nil {
		now = time.Now
	}
	return &Memory{limit: limit, since: now().Truncate(time.Millisecond), now: now, entries: map[string]*entry{}}
}

// Spend is Store's.
func (m *Memory) Spend(_ context.Context, id string, minted, until time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if minted.Before(m.since) {
		return errOld
	}
	return m.add(&entry{key: "spent " + id, until: until}, errUsed)
}

// Keep is Store's.
func (m *Memory) Keep(_ context.Context, id string, value []byte, until time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.add(&entry{key: "kept " + id, value: value, until: until}, errUsed)
}

// Find is Store's.
func (m *Memory) Find(_ context.Context, id string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forget()
	e, ok := m.entries["kept "+id]
	if !ok {
		return nil, errNoPass
	}
	return e.value, nil
}

// add takes an entry that is not there and for which there is room.
func (m *Memory) add(e *entry, again error) error {
	m.forget()
	if _, ok := m.entries[e.key]; ok {
		return again
	}
	if m.size+e.cost() > m.limit {
		return errFull
	}
	m.size += e.cost()
	m.entries[e.key] = e
	heap.Push(&m.byEnd, e)
	return nil
}

// forget drops what has come to its end.
func (m *Memory) forget() {
	for now := m.now(); len(m.byEnd) > 0 && !now.Before(m.byEnd[0].until); {
		e := heap.Pop(&m.byEnd).(*entry)
		delete(m.entries, e.key)
		m.size -= e.cost()
	}
}

// ends is a heap: the entry that ends first is in front.
type ends []*entry

func (h ends) Len() int           { return len(h) }
func (h ends) Less(i, j int) bool { return h[i].until.Before(h[j].until) }
func (h ends) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *ends) Push(e any)        { *h = append(*h, e.(*entry)) }

func (h *ends) Pop() any {
	old := *h
	e := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return e
}
