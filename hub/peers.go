package hub

import (
	"sync"
	"time"
)

const (
	beatTicks  = 5                // a beat every 5 s
	peerExpiry = 15 * time.Second // of a node not heard of
	maxPeers   = maxOrigins
)

// A beat is a node's id and one of these.
const (
	alive   = 1
	leaving = 0
)

// peers are the other nodes of the hub, as far as they were heard of.
type peers struct {
	mu    sync.Mutex
	heard map[nodeID]time.Time
}

// note returns whether the node is new.
func (p *peers) note(id nodeID, now time.Time) (fresh bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, known := p.heard[id]
	if !known && len(p.heard) >= maxPeers {
		return false
	}
	if p.heard == nil {
		p.heard = map[nodeID]time.Time{}
	}
	p.heard[id] = now
	return !known
}

func (p *peers) forget(id nodeID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.heard, id)
}

// live returns the nodes that are there, and forgets the others.
func (p *peers) live(now time.Time) map[nodeID]struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	ids := map[nodeID]struct{}{}
	for id, heard := range p.heard {
		if now.Sub(heard) >= peerExpiry {
			delete(p.heard, id)
			continue
		}
		ids[id] = struct{}{}
	}
	return ids
}

// beat tells the others of this node.
func (r *remote) beat(state byte) {
	if err := r.engine.Publish(nodesSubject, append(r.id[:], state)); err != nil {
		r.hub.log().Debug("hub: no beat to the other machines", "err", err)
	}
}

// meet hears a beat. A node that is new does not know of this one either.
func (r *remote) meet(data []byte) {
	var id nodeID
	if len(data) != len(id)+1 || copy(id[:], data) < len(id) || id == r.id {
		return
	}
	if data[len(id)] == leaving {
		r.peers.forget(id)
		return
	}
	if r.peers.note(id, time.Now()) {
		r.mu.Lock()
		r.greeting = true
		r.mu.Unlock()
		r.signal()
	}
}
