package pages

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// sample is a bridge whose numbers are known: at every look a second has
// passed, in which there were three connects and a refusal, 2 KB went to the
// target and 1 MB to the client.
type sample struct {
	mu   sync.Mutex
	now  Status
	kept []Session
}

var sampleTime = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func newSample() *sample {
	return &sample{
		now: Status{
			Time: sampleTime, Version: "1.2.3", Uptime: 3600, RTT: 12.5, Memory: 24 << 20,
			Refused: map[string]int{"token is unknown": 40, "too many sessions": 7, "origin is not allowed": 0},
		},
		kept: []Session{
			{ID: "a1", Client: "192.0.2.7:50112", User: "ada", Target: "127.0.0.1:5900", Path: "/vnc", Since: sampleTime, ToTarget: 4096, ToClient: 7 << 20},
			{ID: "b 2", Client: "192.0.2.8:50113", Target: "127.0.0.1:23", Path: "/telnet?token=***", Since: sampleTime, ToTarget: 99, ToClient: 12345},
			{ID: "c3", Client: "[2001:db8::1]:50114", User: "<b>grace</b>", Target: "127.0.0.1:6379", Path: "/redis", Since: sampleTime},
		},
	}
}

func (s *sample) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := &s.now
	n.Time = n.Time.Add(time.Second)
	n.Uptime++
	n.Connects += 3
	n.ToTarget += 2 << 10
	n.ToClient += 1 << 20
	n.Refused = maps.Clone(n.Refused)
	n.Refused["token is unknown"]++
	n.Sessions = len(s.kept)
	n.Table = slices.Clone(s.kept)
	return *n
}

func (s *sample) Kill(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := len(s.kept)
	s.kept = slices.DeleteFunc(s.kept, func(x Session) bool { return x.ID == id })
	return len(s.kept) < before
}
