package hub

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// bus is engines that reach each other inside a test.
type bus struct {
	mu    sync.Mutex
	ports []*port
}

// port is one engine on the bus.
type port struct {
	bus       *bus
	receive   func(string, []byte, func([]byte) error)
	mu        sync.Mutex
	wanted    map[string]bool
	cut, mute bool // cut: down; mute: answers no question
	stall     chan struct{}
	published []string
	limit     int
}

func (b *bus) port() *port {
	p := &port{bus: b, wanted: map[string]bool{}}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ports = append(b.ports, p)
	return p
}

func (p *port) Start(receive func(string, []byte, func([]byte) error)) error {
	p.receive = receive
	return nil
}

func (p *port) is(f func() bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return f()
}

func (p *port) each(subject string, f func(*port)) {
	p.bus.mu.Lock()
	defer p.bus.mu.Unlock()
	for _, other := range p.bus.ports {
		if other != p && other.is(func() bool { return !other.cut && other.wanted[subject] }) {
			f(other)
		}
	}
}

func (p *port) Publish(subject string, data []byte) error {
	if p.stall != nil {
		<-p.stall
	}
	if !p.Up() {
		return errors.New("down")
	}
	p.mu.Lock()
	p.published = append(p.published, subject)
	p.mu.Unlock()
	p.each(subject, func(o *port) { o.receive(subject, data, nil) })
	return nil
}

func (p *port) want(subject string, wanted bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wanted[subject] = wanted
	return nil
}

func (p *port) Subscribe(subject string) error   { return p.want(subject, true) }
func (p *port) Unsubscribe(subject string) error { return p.want(subject, false) }

func (p *port) Ask(ctx context.Context, subject string, question []byte, each func([]byte) bool) error {
	enough := false
	p.each(subject, func(o *port) {
		if !o.mute {
			o.receive(subject, question, func(answer []byte) error {
				enough = enough || each(answer)
				return nil
			})
		}
	})
	if !enough {
		<-ctx.Done()
	}
	return nil
}

func (p *port) Up() bool      { return p.is(func() bool { return !p.cut }) }
func (p *port) MaxBytes() int { return p.limit }
func (p *port) Close()        {}

func (p *port) setCut(cut bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = cut
}

// nodes are hubs on one bus.
func nodes(t *testing.T, n int) (hubs []*Hub, ports []*port) {
	t.Helper()
	b := &bus{}
	for range n {
		p := b.port()
		h := &Hub{Engine: p}
		if err := h.Start(); err != nil {
			t.Fatal(err)
		}
		hubs, ports = append(hubs, h), append(ports, p)
	}
	synctest.Wait()
	return hubs, ports
}

func closeAll(hubs []*Hub) {
	for _, h := range hubs {
		h.Close()
	}
}

// TestNodesShareGroups: one copy each, in order, though a message travels once
// for each of its groups.
func TestNodesShareGroups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hubs, _ := nodes(t, 3)
		defer closeAll(hubs)
		here, there, other := &ear{}, &ear{}, &ear{}
		sender := join(t, hubs[0], &ear{}, "x", "y")
		join(t, hubs[0], here, "y")
		join(t, hubs[1], there, "x", "y")
		join(t, hubs[2], other, "z")
		synctest.Wait()
		var want []string
		for i := range 100 {
			want = append(want, fmt.Sprint(i))
			if err := sender.Send(text(want[i]), false, sender.Keys()...); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		for name, e := range map[string]*ear{"here": here, "there": there} {
			if diff := cmp.Diff(want, e.all()); diff != "" {
				t.Errorf("%s: -want +got\n%s", name, diff)
			}
		}
		if got := other.all(); len(got) > 0 {
			t.Errorf("who is in another group heard %v", got)
		}
	})
}

// TestSubscriptionsLinger for 5 s, and come back.
func TestSubscriptionsLinger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hubs, ports := nodes(t, 1)
		defer closeAll(hubs)
		m := join(t, hubs[0], &ear{})
		wanted := func() bool {
			synctest.Wait()
			return ports[0].is(func() bool { return ports[0].wanted[subjectOf("a b.*>")] })
		}
		for _, step := range []struct {
			do     func(...string)
			wait   time.Duration
			wanted bool
		}{
			{func(k ...string) { m.Open(k...) }, 0, true},
			{m.Close, 4 * time.Second, true},
			{func(k ...string) { m.Open(k...) }, 10 * time.Second, true},
			{m.Close, 7 * time.Second, false},
			{func(k ...string) { m.Open(k...) }, 0, true},
		} {
			step.do("a b.*>")
			time.Sleep(step.wait)
			if got := wanted(); got != step.wanted {
				t.Fatalf("subscribed: %v, want %v", got, step.wanted)
			}
		}
		for _, subject := range []string{subjectOf("a b.*>"), subjectOf("")} {
			if strings.ContainsAny(strings.TrimPrefix(subject, "s."), " .*>") {
				t.Errorf("subject %q", subject)
			}
		}
	})
}

func TestEngineLoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hubs, ports := nodes(t, 2)
		defer closeAll(hubs)
		here, there := &ear{}, &ear{}
		sender := join(t, hubs[0], &ear{}, "x")
		join(t, hubs[0], here, "x")
		join(t, hubs[1], there, "x")
		synctest.Wait()
		send := func(s string) error {
			err := sender.Send(text(s), false, "x")
			synctest.Wait()
			return err
		}
		errs := []error{send("1")}
		ports[0].setCut(true)
		errs = append(errs, send("2"))
		ports[0].setCut(false)
		errs = append(errs, send("3"))
		ports[0].limit = 100
		errs = append(errs, send(strings.Repeat("x", 100)))
		if diff := cmp.Diff(fmt.Sprint([]error{nil, ErrEngineDown, nil, ErrEngineDown}), fmt.Sprint(errs)); diff != "" {
			t.Error(diff)
		}
		if got := here.all(); len(got) != 4 {
			t.Errorf("here: %v", got)
		}
		if diff := cmp.Diff([]string{"1", "3"}, there.all()); diff != "" {
			t.Errorf("there: %s", diff)
		}
		if got := hubs[0].Stats().EngineLost; got != 2 {
			t.Errorf("%d lost", got)
		}
	})
}

// TestAStalledEngineHoldsUpNobody, and what waits for it is bounded.
func TestAStalledEngineHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hubs, ports := nodes(t, 1)
		defer closeAll(hubs)
		here := &ear{}
		sender := join(t, hubs[0], &ear{}, "x")
		join(t, hubs[0], here, "x")
		synctest.Wait()
		ports[0].stall = make(chan struct{})
		full := 0
		for range 20 {
			if sender.Send(text(strings.Repeat("x", 1<<20)), false, "x") == ErrEngineDown {
				full++
			}
			synctest.Wait()
		}
		if got := len(here.all()); got != 20 {
			t.Errorf("here: %d", got)
		}
		if full != 20-1-7 { // one being published, seven and a bit wait
			t.Errorf("%d found no room", full)
		}
		close(ports[0].stall)
	})
}

func TestSurveys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hubs, ports := nodes(t, 3)
		join(t, hubs[0], &ear{}, "x", "y")
		join(t, hubs[1], &ear{}, "x")
		join(t, hubs[2], &ear{}, "z")
		synctest.Wait()
		want := Survey{Total: 4, Counts: []Count{{"x", 2}, {"y", 1}, {"z", 1}}}
		start := time.Now()
		if diff := cmp.Diff(want, hubs[0].Counts(t.Context())); diff != "" || time.Since(start) != 0 {
			t.Errorf("after %v: -want +got\n%s", time.Since(start), diff)
		}
		channel := func(group string, id uint64) Channel { return Channel{group, "192.0.2.1", "5000", id, true} }
		want = Survey{Total: 4, Channels: []Channel{channel("x", 1), channel("x", 1), channel("y", 1), channel("z", 1)}}
		if diff := cmp.Diff(want, hubs[1].Channels(t.Context())); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}

		// A node that says nothing makes the rest partial, until it is forgotten.
		ports[2].mute = true
		ports[2].setCut(true)
		start = time.Now()
		got := hubs[0].Counts(t.Context())
		if !got.Partial || got.Total != 3 || time.Since(start) != surveyPatience {
			t.Errorf("after %v: %+v", time.Since(start), got)
		}
		time.Sleep(peerExpiry)
		if got := hubs[0].Counts(t.Context()); got.Partial || got.Total != 3 {
			t.Errorf("later: %+v", got)
		}
		if got := hubs[2].Counts(t.Context()); !got.Partial || got.Total != 1 {
			t.Errorf("from the other side: %+v", got)
		}

		// One that leaves in order is not missed.
		hubs[1].Close()
		synctest.Wait()
		if got := hubs[0].Counts(t.Context()); got.Partial || got.Total != 2 {
			t.Errorf("alone: %+v", got)
		}
		closeAll(hubs)
	})
}

// TestCountsOfManyNodesAddUp though not all parts are kept.
func TestCountsOfManyNodesAddUp(t *testing.T) {
	var s Survey
	for range 4 {
		var p part
		for i := range MaxListed + 500 {
			p.Counts = append(p.Counts, Count{fmt.Sprintf("%05d", i), 2})
			p.Total += 2
		}
		s.add(p)
	}
	s.order()
	if last := s.Counts[MaxListed-1]; !s.Truncated || s.Total != 8*(MaxListed+500) || last != (Count{"09999", 8}) {
		t.Errorf("truncated %v, total %d, the last is %v", s.Truncated, s.Total, last)
	}
}

// TestSurveysAreBounded however much there is to tell.
func TestSurveysAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hubs, _ := nodes(t, 2)
		defer closeAll(hubs)
		for i, h := range hubs {
			h.MaxGroups = 8000
			m := join(t, h, &ear{})
			for n := range 8000 {
				m.Open(fmt.Sprintf("%d %d", i, n))
			}
		}
		synctest.Wait()
		counts, channels := hubs[0].Counts(t.Context()), hubs[0].Channels(t.Context())
		for _, s := range []Survey{counts, channels} {
			if !s.Truncated || s.Partial || s.Total != 16_000 || len(s.Counts)+len(s.Channels) != MaxListed {
				t.Errorf("truncated %v, partial %v, total %d, %d and %d listed", s.Truncated, s.Partial, s.Total, len(s.Counts), len(s.Channels))
			}
		}
	})
}
