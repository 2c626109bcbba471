package nats

import (
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

const (
	arrivals  = 64 << 10 // messages between the socket and the inbox
	inboxRoom = 64 << 20 // bytes that wait to be delivered
	logEvery  = 10 * time.Second
)

// inbox holds what arrived until it is delivered, in order. A machine that
// delivers more slowly than others send misses messages, and the log says so.
type inbox struct {
	arrived chan *nats.Msg
	deliver func(*nats.Msg)
	log     *slog.Logger

	mu      sync.Mutex
	more    *sync.Cond
	waiting []*nats.Msg
	bytes   int
	missed  int
	told    time.Time
	closed  bool

	ended sync.WaitGroup
}

func newInbox(deliver func(*nats.Msg), log *slog.Logger) *inbox {
	i := &inbox{arrived: make(chan *nats.Msg, arrivals), deliver: deliver, log: log}
	i.more = sync.NewCond(&i.mu)
	i.ended.Go(i.gather)
	i.ended.Go(i.run)
	return i
}

// gather takes from the channel, which counts messages, into waiting, which
// counts bytes. A nil message ends it.
func (i *inbox) gather() {
	for m := range i.arrived {
		if m == nil {
			return
		}
		i.add(m)
	}
}

func (i *inbox) add(m *nats.Msg) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.bytes+len(m.Data) > inboxRoom {
		i.miss()
		return
	}
	i.waiting = append(i.waiting, m)
	i.bytes += len(m.Data)
	i.more.Signal()
}

// miss needs mu.
func (i *inbox) miss() {
	if i.missed++; time.Since(i.told) > logEvery {
		i.log.Warn("hub engine: this machine is slower than the others: messages are missed", "missed", i.missed)
		i.told = time.Now()
	}
}

func (i *inbox) run() {
	for {
		batch := i.take()
		if batch == nil {
			return
		}
		for n, m := range batch {
			batch[n] = nil
			i.deliver(m)
		}
	}
}

// take is nil when the inbox was closed.
func (i *inbox) take() []*nats.Msg {
	i.mu.Lock()
	defer i.mu.Unlock()
	for len(i.waiting) == 0 && !i.closed {
		i.more.Wait()
	}
	if i.closed {
		return nil
	}
	batch := i.waiting
	i.waiting, i.bytes = nil, 0
	return batch
}

// close waits for the delivery under way. Nothing may arrive any more.
func (i *inbox) close() {
	i.mu.Lock()
	i.closed = true
	i.more.Signal()
	i.mu.Unlock()
	i.arrived <- nil
	i.ended.Wait()
}
