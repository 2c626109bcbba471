package hub

import "sync/atomic"

// Stats is what a hub has and what it did since its start.
type Stats struct {
	Members, Groups     int
	MessagesIn, BytesIn int64 // payload, of members here
	// To members here, from anywhere, once they were written.
	MessagesOut, BytesOut int64
	Dropped               int64 // messages that members missed because their queue was full
	Slow                  int64 // members disconnected for that
	EngineLost            int64 // messages that did not go to other machines
	EngineIn              int64 // messages that came from other machines
}

type counters struct {
	messagesIn, bytesIn, messagesOut, bytesOut, dropped, slow, engineLost, engineIn atomic.Int64
}

func (c *counters) in(n int) {
	c.messagesIn.Add(1)
	c.bytesIn.Add(int64(n))
}

func (c *counters) out(messages, n int) {
	c.messagesOut.Add(int64(messages))
	c.bytesOut.Add(int64(n))
}

// Stats may be called at any time.
func (h *Hub) Stats() Stats {
	h.mu.RLock()
	members, groups := h.members, len(h.groups)
	h.mu.RUnlock()
	c := &h.count
	return Stats{
		Members: members, Groups: groups,
		MessagesIn: c.messagesIn.Load(), BytesIn: c.bytesIn.Load(),
		MessagesOut: c.messagesOut.Load(), BytesOut: c.bytesOut.Load(),
		Dropped: c.dropped.Load(), Slow: c.slow.Load(),
		EngineLost: c.engineLost.Load(), EngineIn: c.engineIn.Load(),
	}
}
