// Package hub is groups of WebSocket connections: what one member of a group
// says, the others hear. It knows no protocol; the FME hub and the gateway's
// broadcasts stand on it.
//
// Order holds per sender. Nothing is kept for those who come later. A member
// that takes its messages slowly has a queue of its own, which is bounded; it
// delays neither the sender nor the others.
package hub

import (
	"cmp"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/gobwas/ws"

	"github.com/wsbridge/wsbridge/message"
)

// Why a member is turned away.
var (
	ErrFull          = errors.New("the hub has as many connections as it may")
	ErrTooManyGroups = errors.New("the hub has as many groups as it may")
	ErrLeft          = errors.New("the member has left")
)

const (
	defaultMaxMembers = 10_000
	defaultMaxGroups  = 10_000
)

// share is how many members one goroutine writes a message to.
const share = 256

// Hub is members by the keys of their groups. The zero value is a hub of one
// process. Set the fields before the first call and leave them alone.
type Hub struct {
	Queue      Queue
	MaxMembers int    // default 10,000
	MaxGroups  int    // default 10,000
	Engine     Engine // to hubs of other machines, from Start to Close; nil: there are none
	Log        *slog.Logger

	mu      sync.RWMutex
	groups  map[string]map[*Member]struct{} // none is empty
	members int
	lastID  uint64
	remote  *remote // nil without an engine

	count counters
	bufs  sync.Pool // of *[]byte: batches being written
	woken sync.Pool // of *[]*outbox: those that a message is being written to
}

// Start connects the hub with its engine. Without one it does nothing.
func (h *Hub) Start() error {
	if h.Engine == nil {
		return nil
	}
	r, err := startRemote(h)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.remote = r
	return err
}

// Close tells the other machines and closes the engine. Members stay, and hear
// each other.
func (h *Hub) Close() {
	h.mu.Lock()
	r := h.remote
	h.remote = nil
	h.mu.Unlock()
	if r != nil {
		r.close()
	}
}

// Join takes a place for a client whose address is host and port; both may be
// empty. What the member hears until it is attached to its connection waits in
// its Queue. It gives its place back by Leave. The error is ErrFull.
func (h *Hub) Join(host, port string) (*Member, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.members >= cmp.Or(h.MaxMembers, defaultMaxMembers) {
		return nil, ErrFull
	}
	h.members++
	h.lastID++
	m := &Member{hub: h, host: host, port: port, id: h.lastID}
	m.out = outbox{hub: h, limits: h.Queue.withDefaults(), writing: true} // nobody else is to, before Attach
	return m, nil
}

// deliver gives p once to every member of the groups but one. The order of two
// calls holds at every member: both queue before either writes.
func (h *Hub) deliver(p packet, keys []string, except *Member) {
	woken, _ := h.woken.Get().(*[]*outbox)
	if woken == nil {
		woken = new([]*outbox)
	}
	*woken = h.queue((*woken)[:0], p, keys, except)
	flushAll(*woken)
	clear(*woken)
	h.woken.Put(woken)
}

// flushAll writes to a share of the members by itself; further shares are other
// processors' work.
func flushAll(woken []*outbox) {
	if len(woken) > share {
		others := slices.Clone(woken[share:])
		go flushAll(others)
	}
	for _, o := range woken[:min(len(woken), share)] {
		o.flush()
	}
}

// queue adds the outboxes that nobody is writing from to woken.
func (h *Hub) queue(woken []*outbox, p packet, keys []string, except *Member) []*outbox {
	h.mu.RLock()
	defer h.mu.RUnlock()
	var served map[*Member]struct{}
	if len(keys) > 1 {
		served = map[*Member]struct{}{}
	}
	for _, key := range keys {
		for m := range h.groups[key] {
			if m == except || served != nil && seen(served, m) {
				continue
			}
			if m.out.put(p) {
				woken = append(woken, &m.out)
			}
		}
	}
	return woken
}

// seen notes m, and tells whether it was noted before.
func seen(served map[*Member]struct{}, m *Member) bool {
	_, before := served[m]
	served[m] = struct{}{}
	return before
}

// has tells whether somebody here is in the group.
func (h *Hub) has(key string) bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return len(h.groups[key]) > 0
}

func (h *Hub) engine() *remote {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.remote
}

func (h *Hub) maxGroups() int { return cmp.Or(h.MaxGroups, defaultMaxGroups) }

func (h *Hub) log() *slog.Logger { return cmp.Or(h.Log, slog.Default()) }

// packet is one message as it goes to every receiver: encoded once.
type packet struct {
	frame []byte // never changed
	n     int    // payload bytes, the last of frame
}

func newPacket(m message.Message) packet {
	frame := make([]byte, 0, ws.MaxHeaderSize+len(m.Data))
	return packet{message.Frame(frame, m), len(m.Data)}
}

// Queue bounds what waits for one member. Bytes are of whole frames.
type Queue struct {
	HighWater   int // bytes from which a member is not writable; default 64 KiB
	LowWater    int // bytes down to which it stays so; default half of HighWater
	MaxBytes    int // default 1 MiB; one message may always wait
	MaxMessages int // default 1024
	Slow        Slow
	// Patience is how long a member that is disconnected for being slow may
	// still take for what is being written, so that it can be told; default 30 s.
	Patience time.Duration
}

// Slow is what becomes of a member whose queue is full.
type Slow uint8

const (
	Disconnect Slow = iota // its connection is given up with ErrSlow
	DropOldest             // it misses what waited longest
	DropNewest             // it misses the message that found no room
)

func (q Queue) withDefaults() Queue {
	q.HighWater = cmp.Or(q.HighWater, 64<<10)
	q.LowWater = cmp.Or(q.LowWater, q.HighWater/2)
	q.MaxBytes = cmp.Or(q.MaxBytes, 1<<20)
	q.MaxMessages = cmp.Or(q.MaxMessages, 1024)
	q.Patience = cmp.Or(q.Patience, 30*time.Second)
	return q
}
