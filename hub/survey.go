package hub

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Channel is one member in one group.
type Channel struct {
	Group    string `json:"g"`
	Host     string `json:"h"` // of the client; may be empty, like the port
	Port     string `json:"p"`
	ID       uint64 `json:"i"` // tells the members of one machine apart
	Writable bool   `json:"w"` // its queue is not over the high water mark
}

// Count is how many members a group has.
type Count struct {
	Group string `json:"g"`
	N     int    `json:"n"`
}

// Survey is who is in which group, on all machines.
type Survey struct {
	Total    int       // channels
	Counts   []Count   // by group; of a survey of counts
	Channels []Channel // by group, host, port and member; of a survey of channels
	// Partial: a machine that was there lately did not answer.
	Partial bool
	// Truncated: there are more than MaxListed entries. Total holds them all.
	Truncated bool
}

const (
	// MaxListed is how many entries a Survey has at most.
	MaxListed = 10_000

	surveyPatience = 500 * time.Millisecond // with other machines
	partEntries    = 1000                   // in one answer
)

// question is what a survey asks other machines.
type question struct {
	Channels bool `json:"channels"` // otherwise counts
}

// part is an answer to a question, or some of it.
type part struct {
	Node     nodeID    `json:"node"`
	Total    int       `json:"total"` // of this part
	Counts   []Count   `json:"counts,omitempty"`
	Channels []Channel `json:"channels,omitempty"`
	More     bool      `json:"more"` // parts follow
}

// Counts counts the members of every group.
func (h *Hub) Counts(ctx context.Context) Survey { return h.survey(ctx, question{}) }

// Channels lists the members of every group.
func (h *Hub) Channels(ctx context.Context) Survey { return h.survey(ctx, question{Channels: true}) }

// survey takes at most surveyPatience.
func (h *Hub) survey(ctx context.Context, q question) Survey {
	s := h.local(q)
	if r := h.engine(); r != nil {
		ctx, cancel := context.WithTimeout(ctx, surveyPatience)
		defer cancel()
		s.Partial = !r.ask(ctx, q, &s)
	}
	s.order()
	return s
}

// local surveys this machine.
func (h *Hub) local(q question) (s Survey) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for key, members := range h.groups {
		s.Total += len(members)
		if !q.Channels {
			s.Counts = append(s.Counts, Count{key, len(members)})
			continue
		}
		for m := range members {
			if len(s.Channels) == MaxListed+1 { // one more tells that there are more
				break
			}
			s.Channels = append(s.Channels, Channel{key, m.host, m.port, m.id, m.out.writable()})
		}
	}
	return s
}

// order sorts, and cuts what is too much.
func (s *Survey) order() {
	s.fold()
	slices.SortFunc(s.Channels, func(a, b Channel) int {
		return cmp.Or(strings.Compare(a.Group, b.Group), strings.Compare(a.Host, b.Host),
			cmp.Compare(number(a.Port), number(b.Port)), cmp.Compare(a.ID, b.ID))
	})
	s.Truncated = len(s.Counts) > MaxListed || len(s.Channels) > MaxListed
	s.Counts = s.Counts[:min(len(s.Counts), MaxListed)]
	s.Channels = s.Channels[:min(len(s.Channels), MaxListed)]
}

// fold sorts the counts, adds up those of one group, and keeps the first ones
// and one that tells of the rest.
func (s *Survey) fold() {
	slices.SortFunc(s.Counts, func(a, b Count) int { return strings.Compare(a.Group, b.Group) })
	s.Counts = addUp(s.Counts)
	s.Counts = s.Counts[:min(len(s.Counts), MaxListed+1)]
}

func addUp(sorted []Count) []Count {
	sum := sorted[:0]
	for _, c := range sorted {
		if last := len(sum) - 1; last >= 0 && sum[last].Group == c.Group {
			sum[last].N += c.N
			continue
		}
		sum = append(sum, c)
	}
	return sum
}

func number(port string) int {
	n, _ := strconv.Atoi(port)
	return n
}

// ask adds what the other machines say to s; complete: all that are there did.
func (r *remote) ask(ctx context.Context, q question, s *Survey) (complete bool) {
	awaited := r.peers.live(time.Now())
	if !r.engine.Up() {
		return false
	}
	if len(awaited) == 0 {
		return true
	}
	asked, _ := json.Marshal(q)
	err := r.engine.Ask(ctx, askSubject, asked, func(answer []byte) (enough bool) {
		var p part
		if json.Unmarshal(answer, &p) != nil {
			return false
		}
		s.add(p)
		if !p.More {
			delete(awaited, p.Node)
		}
		return len(awaited) == 0
	})
	return err == nil && len(awaited) == 0
}

// add keeps no more of all parts than can be listed, and one that tells of the
// rest.
func (s *Survey) add(p part) {
	s.Total += p.Total
	if s.Counts = append(s.Counts, p.Counts...); len(s.Counts) > 2*MaxListed {
		s.fold()
	}
	s.Channels = append(s.Channels, p.Channels[:min(len(p.Channels), max(0, MaxListed+1-len(s.Channels)))]...)
}

// answer answers another machine's question, in parts.
func (r *remote) answer(asked []byte, send func([]byte) error) {
	var q question
	if json.Unmarshal(asked, &q) != nil {
		return
	}
	s := r.hub.local(q)
	for p := (part{Node: r.id, Total: s.Total, More: true}); p.More; p.Total = 0 {
		n, m := min(len(s.Counts), partEntries), min(len(s.Channels), partEntries)
		p.Counts, s.Counts = s.Counts[:n], s.Counts[n:]
		p.Channels, s.Channels = s.Channels[:m], s.Channels[m:]
		p.More = len(s.Counts)+len(s.Channels) > 0
		data, err := json.Marshal(p)
		if err != nil || send(data) != nil {
			return
		}
	}
}
