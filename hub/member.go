package hub

import (
	"slices"
	"time"

	"github.com/wsbridge/wsbridge/message"
)

// Conn is what a member writes to: a *message.Conn.
type Conn interface {
	TryFrames(frames []byte, messages, n int) (message.Progress, error)
	WriteFrames(frames []byte, messages, n int) error
	Flush() error
	GiveUp(why error, until time.Time)
}

// Member is one connection. Send and Tell may be called by any goroutine, the
// other methods by that of the connection.
type Member struct {
	hub        *Hub
	host, port string
	id         uint64
	keys       []string // written by the member's goroutine under hub.mu
	left       bool     // the same
	out        outbox
}

// Attach gives the member its connection, which stays the caller's, and what the
// member has heard before.
func (m *Member) Attach(c Conn) { m.out.attach(c) }

// Keys are the groups that the member is in, in the order of opening. The slice
// is never changed, neither here nor by the caller.
func (m *Member) Keys() []string { return m.keys }

// Open adds the member to groups: to all, or to none by ErrTooManyGroups or
// ErrLeft. To open a group again does nothing.
func (m *Member) Open(keys ...string) error {
	h := m.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	if m.left {
		return ErrLeft
	}
	fresh := map[string]struct{}{}
	for _, key := range keys {
		if h.groups[key] == nil {
			fresh[key] = struct{}{}
		}
	}
	if limit := h.maxGroups(); len(fresh) > 0 && len(h.groups)+len(fresh) > limit {
		return ErrTooManyGroups
	}
	for _, key := range keys {
		m.enter(key)
	}
	return nil
}

// enter needs hub.mu. It writes behind the end of keys that were handed out.
func (m *Member) enter(key string) {
	h := m.hub
	if slices.Contains(m.keys, key) {
		return
	}
	m.keys = append(m.keys, key)
	if h.groups == nil {
		h.groups = map[string]map[*Member]struct{}{}
	}
	if h.groups[key] == nil {
		h.groups[key] = map[*Member]struct{}{}
		h.remote.interest(key)
	}
	h.groups[key][m] = struct{}{}
}

// Close takes the member out of groups. It need not be in them.
func (m *Member) Close(keys ...string) {
	m.hub.mu.Lock()
	defer m.hub.mu.Unlock()
	for _, key := range keys {
		m.exit(key)
	}
	if len(m.keys) == 0 {
		m.keys = nil
	}
}

// exit needs hub.mu.
func (m *Member) exit(key string) {
	i := slices.Index(m.keys, key)
	if i < 0 {
		return
	}
	m.keys = append(slices.Clone(m.keys[:i]), m.keys[i+1:]...)
	group := m.hub.groups[key]
	if delete(group, m); len(group) == 0 {
		delete(m.hub.groups, key)
		m.hub.remote.interest(key)
	}
}

// Send gives msg, once, to every other member of the groups, and to the member
// itself by echo if it is in one. It never waits for a receiver. The error is
// ErrEngineDown: members here have it all the same.
func (m *Member) Send(msg message.Message, echo bool, keys ...string) error {
	m.hub.count.in(len(msg.Data))
	p := newPacket(msg)
	except := m
	if echo {
		except = nil
	}
	m.hub.deliver(p, keys, except)
	return m.hub.engine().publish(msg, keys)
}

// Tell queues msg for the member alone, behind what waits for it.
func (m *Member) Tell(msg message.Message) {
	if m.out.put(newPacket(msg)) {
		m.out.flush()
	}
}

// Drain waits until what is queued was written, or cannot be, but not longer
// than within.
func (m *Member) Drain(within time.Duration) {
	idle := m.out.idle()
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case <-idle:
	case <-timer.C:
	}
}

// Leave ends all memberships and gives the place back, once.
func (m *Member) Leave() {
	h := m.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	if m.left {
		return
	}
	for _, key := range m.keys {
		m.exit(key)
	}
	m.keys, m.left = nil, true
	h.members--
}
