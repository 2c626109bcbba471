package hub

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/wsbridge/wsbridge/message"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// ear is a connection that hears, until it is stopped.
type ear struct {
	mu      sync.Mutex
	heard   []string
	batches int
	gaveUp  error
	until   time.Time

	stall chan struct{} // when set, writes wait until it is closed
	fail  error
}

func (e *ear) WriteFrames(frames []byte, messages, n int) error {
	if e.stall != nil {
		<-e.stall
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.batches++
	for rest := frames; len(rest) > 0; messages-- {
		size, head := int(rest[1]), 2
		switch size {
		case 126:
			size, head = int(rest[2])<<8|int(rest[3]), 4
		case 127:
			size, head = int(rest[6])<<24|int(rest[7])<<16|int(rest[8])<<8|int(rest[9]), 10
		}
		e.heard = append(e.heard, string(rest[head:head+size]))
		rest = rest[head+size:]
		n -= size
	}
	if messages != 0 || n != 0 {
		panic(fmt.Sprintf("%d messages and %d bytes too many were counted", messages, n))
	}
	return e.fail
}

// TryFrames hears at once what no stall keeps back.
func (e *ear) TryFrames(frames []byte, messages, n int) (message.Progress, error) {
	if e.stall != nil {
		return message.Unsent, nil
	}
	return message.Sent, e.WriteFrames(frames, messages, n)
}

func (e *ear) Flush() error { panic("nothing was begun") }

func (e *ear) GiveUp(why error, until time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.gaveUp, e.until = why, until
}

func (e *ear) all() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]string{}, e.heard...)
}

func (e *ear) why() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.gaveUp
}

// join adds a member with groups.
func join(t *testing.T, h *Hub, e *ear, keys ...string) *Member {
	t.Helper()
	m, err := h.Join("192.0.2.1", "5000")
	if err != nil {
		t.Fatal(err)
	}
	m.Attach(e)
	if err := m.Open(keys...); err != nil {
		t.Fatal(err)
	}
	return m
}

func text(s string) message.Message { return message.Message{Text: true, Data: []byte(s)} }

func TestGroups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &Hub{}
		ears := []*ear{{}, {}, {}}
		a := join(t, h, ears[0], "x", "y")
		b := join(t, h, ears[1], "y", "x", "y")
		c := join(t, h, ears[2], "z")
		a.Send(text("1"), false, "x", "y")
		b.Send(text("2"), true, "x", "y")
		c.Send(text("3"), false, "z")
		c.Send(text("4"), false, "x", "z", "nobody's")
		b.Close("x", "w")
		a.Send(text("5"), false, "x")
		a.Send(text("6"), false, "y")
		b.Leave()
		b.Leave()
		a.Send(text("7"), false, "x", "y")
		c.Tell(text("8"))
		synctest.Wait()
		for i, want := range [][]string{{"2", "4"}, {"1", "2", "4", "6"}, {"8"}} {
			if diff := cmp.Diff(want, ears[i].all()); diff != "" {
				t.Errorf("member %d: -want +got\n%s", i, diff)
			}
		}
		if err := b.Open("x"); err != ErrLeft {
			t.Errorf("open after leaving: %v", err)
		}
		want := Stats{Members: 2, Groups: 3, MessagesIn: 7, BytesIn: 7, MessagesOut: 7, BytesOut: 7}
		if diff := cmp.Diff(want, h.Stats()); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
	})
}

func TestLimits(t *testing.T) {
	h := &Hub{MaxMembers: 2, MaxGroups: 3}
	a := join(t, h, &ear{}, "x", "y")
	b := join(t, h, &ear{}, "y")
	if _, err := h.Join("", ""); err != ErrFull {
		t.Errorf("a third member: %v", err)
	}
	if err := b.Open("x", "p", "q"); err != ErrTooManyGroups {
		t.Errorf("two groups more: %v", err)
	}
	if diff := cmp.Diff([]string{"y"}, b.Keys()); diff != "" {
		t.Errorf("all or nothing: %s", diff)
	}
	if err := b.Open("x", "p", "p"); err != nil {
		t.Error(err)
	}
	a.Leave()
	b.Leave()
	if diff := cmp.Diff(Stats{}, h.Stats()); diff != "" {
		t.Errorf("what is left: %s", diff)
	}
}

// TestWaitingMessagesAreWrittenTogether: what comes while one is being written
// is one write, in order.
func TestWaitingMessagesAreWrittenTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &Hub{}
		e := &ear{stall: make(chan struct{})}
		a, _ := join(t, h, &ear{}, "x"), join(t, h, e, "x")
		var want []string
		for i := range 500 {
			want = append(want, strings.Repeat("m", i))
			a.Send(text(want[i]), false, "x")
			if i == 0 {
				synctest.Wait() // it is being written
			}
		}
		close(e.stall)
		synctest.Wait()
		if diff := cmp.Diff(want, e.all()); diff != "" {
			t.Error(diff)
		}
		if e.batches != 3 { // the first; 64 KiB; the rest
			t.Errorf("%d writes", e.batches)
		}
	})
}

// TestSlowMembers are offered ten times what may wait.
// What a member hears before it has its connection waits for it, in its queue.
func TestHeardBeforeAttach(t *testing.T) {
	for said, gaveUp := range map[int]error{2: nil, 3: ErrSlow} {
		synctest.Test(t, func(t *testing.T) {
			h := &Hub{Queue: Queue{MaxMessages: 2}}
			a, e := join(t, h, &ear{}, "x"), &ear{}
			m, err := h.Join("", "")
			if err := errors.Join(err, m.Open("x")); err != nil {
				t.Fatal(err)
			}
			var want []string
			for i := range said {
				a.Send(text(fmt.Sprint(i)), false, "x")
				want = append(want, fmt.Sprint(i))
			}
			m.Attach(e)
			m.Drain(time.Minute)
			if gaveUp != nil {
				want = []string{}
			}
			if diff := cmp.Diff(want, e.all()); diff != "" || e.why() != gaveUp {
				t.Errorf("%d said: given up by %v, -want +got\n%s", said, e.why(), diff)
			}
		})
	}
}

func TestSlowMembers(t *testing.T) {
	const size, room = 1000, 10_040 // ten frames, and the one being written
	for _, c := range []struct {
		slow   Slow
		heard  []string // the first and the last ones
		gaveUp error
		stats  Stats
	}{
		{Disconnect, []string{"0", "0"}, ErrSlow, Stats{Slow: 1, Dropped: 9}},
		{DropNewest, []string{"0", "9"}, nil, Stats{Dropped: 90}},
		{DropOldest, []string{"0", "99"}, nil, Stats{Dropped: 90}},
	} {
		synctest.Test(t, func(t *testing.T) {
			h := &Hub{Queue: Queue{MaxBytes: room, HighWater: 5000, Slow: c.slow, Patience: time.Minute}}
			slow, quick := &ear{stall: make(chan struct{})}, &ear{}
			a := join(t, h, &ear{}, "x")
			m, _ := join(t, h, slow, "x"), join(t, h, quick, "x")
			for i := range 100 {
				a.Send(text(fmt.Sprintf("%-*d", size, i)), false, "x")
				synctest.Wait()
				if m.out.bytes > room {
					t.Fatalf("%d bytes wait", m.out.bytes)
				}
			}
			if m.out.writable() == (c.slow != Disconnect) {
				t.Error("it is writable")
			}
			start := time.Now()
			if got := slow.why(); got != c.gaveUp || got != nil && slow.until.Sub(start) != time.Minute {
				t.Errorf("given up: %v", got)
			}
			if got := quick.all(); len(got) != 100 {
				t.Errorf("the quick one has %d", len(got))
			}
			close(slow.stall)
			m.Drain(time.Minute)
			got := slow.all()
			if first, last := strings.TrimSpace(got[0]), strings.TrimSpace(got[len(got)-1]); first != c.heard[0] || last != c.heard[1] {
				t.Errorf("heard %s to %s, want %v", first, last, c.heard)
			}
			if !m.out.writable() {
				t.Error("it is not writable again")
			}
			stats := h.Stats()
			if got := (Stats{Slow: stats.Slow, Dropped: stats.Dropped}); got != c.stats {
				t.Errorf("counted %+v, want %+v", got, c.stats)
			}
		})
	}
}

func TestOneMessageMayAlwaysWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, e := &Hub{Queue: Queue{MaxBytes: 10}}, &ear{}
		a, _ := join(t, h, &ear{}, "x"), join(t, h, e, "x")
		for range 3 {
			a.Send(text(strings.Repeat("x", 1000)), false, "x")
			synctest.Wait()
		}
		if got := e.all(); len(got) != 3 || e.why() != nil {
			t.Errorf("%d heard, given up: %v", len(got), e.why())
		}
	})
}

func TestWaterMarks(t *testing.T) {
	o := &outbox{limits: Queue{HighWater: 100, LowWater: 50}.withDefaults()}
	for _, step := range []struct {
		n        int
		writable bool
	}{{100, true}, {1, false}, {-50, false}, {-1, true}, {50, true}, {1, false}, {-101, true}} {
		if o.weigh(step.n); o.writable() != step.writable {
			t.Errorf("at %d bytes: writable %v", o.bytes, !step.writable)
		}
	}
}

// TestWritesThatFail give the connection up, once.
func TestWritesThatFail(t *testing.T) {
	for fail, want := range map[error]error{os.ErrDeadlineExceeded: ErrSlow, os.ErrClosed: os.ErrClosed} {
		synctest.Test(t, func(t *testing.T) {
			h, e := &Hub{}, &ear{fail: fail}
			a, _ := join(t, h, &ear{}, "x"), join(t, h, e, "x")
			a.Send(text("1"), false, "x")
			synctest.Wait()
			a.Send(text("2"), false, "x")
			synctest.Wait()
			if !errors.Is(e.why(), want) || len(e.all()) != 1 {
				t.Errorf("%v: given up by %v, after %d writes", fail, e.why(), len(e.all()))
			}
		})
	}
}

func TestDrainWaitsForTheWriterButNotForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, e := &Hub{}, &ear{stall: make(chan struct{})}
		m := join(t, h, e, "x")
		m.Drain(time.Hour) // nothing waits
		m.Tell(text("1"))
		start := time.Now()
		m.Drain(time.Second)
		if time.Since(start) != time.Second {
			t.Errorf("drained after %v", time.Since(start))
		}
		time.AfterFunc(time.Second, func() { close(e.stall) })
		if m.Drain(time.Hour); time.Since(start) != 2*time.Second || len(e.all()) != 1 {
			t.Errorf("drained after %v", time.Since(start))
		}
	})
}

// TestManyAtOnce: senders, receivers, openers and leavers do not disturb each
// other, and order per sender holds.
func TestManyAtOnce(t *testing.T) {
	h := &Hub{}
	ears := make([]*ear, 20)
	members := make([]*Member, len(ears))
	for i := range ears {
		ears[i] = &ear{}
		members[i] = join(t, h, ears[i], "x")
	}
	var all sync.WaitGroup
	for s := range 4 {
		sender := join(t, h, &ear{}, "sender")
		all.Go(func() {
			for n := range 200 {
				sender.Send(text(fmt.Sprintf("%d %d", s, n)), false, "x", "y")
			}
		})
	}
	for range 4 {
		passing := join(t, h, &ear{}, "z")
		all.Go(func() {
			for range 200 {
				passing.Open("x", "y")
				passing.Close("x", "y")
			}
			passing.Leave()
		})
	}
	all.Wait()
	for i, m := range members {
		m.Drain(time.Minute)
		next := map[string]int{}
		for _, s := range ears[i].all() {
			sender, n, _ := strings.Cut(s, " ")
			if n != fmt.Sprint(next[sender]) {
				t.Fatalf("member %d heard %s, want number %d", i, s, next[sender])
			}
			next[sender]++
		}
		if len(ears[i].all()) != 800 {
			t.Errorf("member %d heard %d", i, len(ears[i].all()))
		}
	}
}

// TestAFrameIsSharedAndNeverChanged by those who batch.
func TestAFrameIsSharedAndNeverChanged(t *testing.T) {
	p := newPacket(text("shared"))
	before := bytes.Clone(p.frame)
	h := &Hub{}
	b := batch{frames: p.frame, messages: 1, payload: p.n}
	b.add(newPacket(text("another")), h)
	if b.frames[0] = 0; !bytes.Equal(p.frame, before) {
		t.Error("the frame was changed")
	}
}
