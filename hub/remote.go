package hub

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/wsbridge/wsbridge/message"
)

const (
	linger       = 5 * time.Second // of a subscription whose last member left
	tick         = time.Second
	outgoingRoom = 8 << 20 // bytes that wait for the engine

	groupSubject = "s." // and the key, in base64url
	nodesSubject = "nodes"
	askSubject   = "ask"
)

// remote is a hub's side of its engine. Senders leave their messages here and
// go on: one goroutine speaks to the engine, so an engine that stalls holds up
// nobody, and order per sender holds. A nil remote is no engine.
type remote struct {
	hub    *Hub
	engine Engine
	id     nodeID
	peers  peers

	mu       sync.Mutex
	sequence uint64
	changed  map[string]struct{} // groups that were filled or emptied
	outgoing []outgoing
	bytes    int
	greeting bool // a new node is to hear of this one
	wake     chan struct{}

	stop, stopped chan struct{}

	// Of run alone.
	subscribed map[string]struct{}
	lingering  map[string]time.Time // when to unsubscribe

	windows windows // of receive alone
}

// outgoing is one message for the engine.
type outgoing struct {
	keys []string
	data []byte
}

// startRemote returns nil with an error.
func startRemote(h *Hub) (*remote, error) {
	r := &remote{
		hub: h, engine: h.Engine,
		changed: map[string]struct{}{}, wake: make(chan struct{}, 1),
		stop: make(chan struct{}), stopped: make(chan struct{}),
		subscribed: map[string]struct{}{}, lingering: map[string]time.Time{},
	}
	rand.Read(r.id[:])
	if err := r.engine.Start(r.receive); err != nil {
		return nil, err
	}
	for _, subject := range []string{nodesSubject, askSubject} {
		if err := r.engine.Subscribe(subject); err != nil {
			r.engine.Close()
			return nil, fmt.Errorf("subscribe to %s: %w", subject, err)
		}
	}
	go r.run()
	return r, nil
}

func (r *remote) close() {
	close(r.stop)
	<-r.stopped
	r.engine.Close()
}

// interest says that the group was filled or emptied. It needs hub.mu, and
// takes no time.
func (r *remote) interest(key string) {
	if r == nil {
		return
	}
	r.mu.Lock()
	r.changed[key] = struct{}{}
	r.mu.Unlock()
	r.signal()
}

// publish leaves a message for the members of the groups on other machines.
func (r *remote) publish(msg message.Message, keys []string) error {
	if r == nil {
		return nil
	}
	e := envelope{origin: r.id, groups: keys, message: msg}
	limit := r.engine.MaxBytes()
	if !r.engine.Up() || limit > 0 && e.size() > limit || !r.leave(e) {
		r.hub.count.engineLost.Add(1)
		return ErrEngineDown
	}
	r.signal()
	return nil
}

func (r *remote) leave(e envelope) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	size := e.size()
	if r.bytes > 0 && r.bytes+size > outgoingRoom {
		return false
	}
	r.sequence++
	e.sequence = r.sequence
	r.outgoing = append(r.outgoing, outgoing{e.groups, e.append(make([]byte, 0, size))})
	r.bytes += size
	return true
}

func (r *remote) signal() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// run speaks to the engine.
func (r *remote) run() {
	defer close(r.stopped)
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	r.beat(alive)
	for ticks := 1; ; {
		select {
		case <-r.wake:
			r.work()
		case <-ticker.C:
			r.unsubscribe(time.Now())
			if ticks++; ticks%beatTicks == 0 {
				r.beat(alive)
			}
		case <-r.stop:
			r.work()
			r.beat(leaving)
			return
		}
	}
}

func (r *remote) work() {
	r.mu.Lock()
	changed, batch, greeting := r.changed, r.outgoing, r.greeting
	r.changed, r.outgoing, r.bytes, r.greeting = map[string]struct{}{}, nil, 0, false
	r.mu.Unlock()
	if greeting {
		r.beat(alive)
	}
	for key := range changed {
		r.subscribe(key)
	}
	for _, o := range batch {
		r.send(o)
	}
}

func (r *remote) send(o outgoing) {
	for _, key := range o.keys {
		if err := r.engine.Publish(subjectOf(key), o.data); err != nil {
			r.hub.count.engineLost.Add(1)
			return
		}
	}
}

// subscribe follows what became of the group.
func (r *remote) subscribe(key string) {
	_, subscribed := r.subscribed[key]
	switch {
	case r.hub.has(key):
		if delete(r.lingering, key); subscribed {
			return
		}
		if err := r.engine.Subscribe(subjectOf(key)); err != nil {
			r.hub.log().Error("hub: cannot subscribe", "group", key, "err", err)
			return
		}
		r.subscribed[key] = struct{}{}
	case subscribed && len(r.lingering) < r.hub.maxGroups():
		r.lingering[key] = time.Now().Add(linger)
	case subscribed:
		r.drop(key)
	}
}

func (r *remote) unsubscribe(now time.Time) {
	for key, until := range r.lingering {
		if now.Before(until) {
			continue
		}
		delete(r.lingering, key)
		if !r.hub.has(key) {
			r.drop(key)
		}
	}
}

func (r *remote) drop(key string) {
	delete(r.subscribed, key)
	if err := r.engine.Unsubscribe(subjectOf(key)); err != nil {
		r.hub.log().Debug("hub: cannot unsubscribe", "group", key, "err", err)
	}
}

func subjectOf(key string) string {
	return groupSubject + base64.RawURLEncoding.EncodeToString([]byte(key))
}

// receive is given what other hubs publish.
func (r *remote) receive(subject string, data []byte, answer func([]byte) error) {
	switch {
	case strings.HasPrefix(subject, groupSubject):
		r.hear(data)
	case subject == nodesSubject:
		r.meet(data)
	case subject == askSubject && answer != nil:
		r.answer(data, answer)
	}
}

func (r *remote) hear(data []byte) {
	e, err := parseEnvelope(data)
	if err != nil {
		r.hub.log().Warn("hub: dropped what another machine sent", "err", err)
		return
	}
	if e.origin == r.id || !r.windows.first(e.origin, e.sequence) {
		return
	}
	r.hub.count.engineIn.Add(1)
	r.hub.deliver(newPacket(e.message), e.groups, nil)
}
