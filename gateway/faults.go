package gateway

import (
	"cmp"
	"encoding/json"
	"log/slog"
	"sync"
	"time"

	"github.com/wsbridge/wsbridge/content"
	"github.com/wsbridge/wsbridge/message"
)

const (
	faultsQueued = 1024    // records that wait at most
	faultsBytes  = 4 << 20 // in them
)

// Faults is where a route's refused messages go: one JSON record each, handed
// to Deliver in order, by one goroutine. What Deliver cannot take in time is
// lost and logged; no session ever waits for it.
type Faults struct {
	Name string // in the log
	// Deliver takes one record without a line end. An error is logged, and the
	// record counts as lost.
	Deliver func(record []byte) error
	Log     *slog.Logger // nil: slog.Default

	mu      sync.Mutex
	queue   [][]byte
	bytes   int
	running bool
	closed  bool
	idle    chan struct{} // closed when running ends; made when it begins
	lost    int64
}

// fault is a record as it is written.
type fault struct {
	Time    time.Time `json:"time"`
	Route   string    `json:"route"`
	Path    string    `json:"path"`
	Client  string    `json:"client"`
	From    string    `json:"from"` // client or target
	Code    int       `json:"code"`
	Stage   string    `json:"stage"`
	Reason  string    `json:"reason"`
	Message *string   `json:"message,omitempty"` // a text message
	Binary  []byte    `json:"binary,omitempty"`  // a binary one, base64
}

func (f *Faults) report(d *direction, m message.Message, bad *content.Error) {
	record := fault{
		Time: time.Now(), Route: d.v.route.Name, Path: d.meta.Path, Client: d.meta.Client,
		From: d.by, Code: bad.Code, Stage: bad.Stage, Reason: bad.Reason,
	}
	if m.Text {
		text := string(m.Data)
		record.Message = &text
	} else {
		record.Binary = m.Data
	}
	line, err := json.Marshal(record)
	if err != nil || !f.put(line) {
		f.lose(err)
	}
}

// put queues a record; false: there is no room.
func (f *Faults) put(line []byte) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed || len(f.queue) >= faultsQueued || f.bytes+len(line) > faultsBytes && len(f.queue) > 0 {
		return false
	}
	f.queue = append(f.queue, line)
	f.bytes += len(line)
	if !f.running {
		f.running, f.idle = true, make(chan struct{})
		go f.run(f.idle)
	}
	return true
}

// run delivers until nothing is left.
func (f *Faults) run(idle chan struct{}) {
	defer close(idle)
	for {
		line, ok := f.next()
		if !ok {
			return
		}
		if err := f.Deliver(line); err != nil {
			f.lose(err)
		}
	}
}

func (f *Faults) next() (line []byte, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.queue) == 0 {
		f.running, f.queue = false, nil
		return nil, false
	}
	line, f.queue = f.queue[0], f.queue[1:]
	f.bytes -= len(line)
	return line, true
}

func (f *Faults) lose(err error) {
	f.mu.Lock()
	f.lost++
	lost := f.lost
	f.mu.Unlock()
	cmp.Or(f.Log, slog.Default()).Error("a refused message could not be kept", "fault_route", f.Name, "lost", lost, "err", err)
}

// Close takes no more records and waits, not longer than within, for those
// that are queued.
func (f *Faults) Close(within time.Duration) {
	f.mu.Lock()
	f.closed = true
	running, idle := f.running, f.idle
	f.mu.Unlock()
	if !running {
		return
	}
	select {
	case <-idle:
	case <-time.After(within):
	}
}
