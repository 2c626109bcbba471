package ticket

import (
	"context"
	"sync"
	"testing"
	"time"
)

// Of a hundred who come with one ticket at the same time, one enters.
func TestOnce(t *testing.T) {
	o := newOffice(t)
	text := o.mint(t, claims())
	if n := rush(100, func() bool { return o.enter(anybody(), text) == "desk:5900" }); n != 1 {
		t.Errorf("%d entered", n)
	}
	if got := o.enter(anybody(), text); got != "the ticket was used already" {
		t.Error("later:", got)
	}
	often := claims()
	often.Once = false
	text = o.mint(t, often)
	if n := rush(100, func() bool { return o.enter(anybody(), text) == "desk:5900" }); n != 100 {
		t.Errorf("without once, %d of 100 entered", n)
	}
}

// rush counts how many of n at the same time have their way.
func rush(n int, try func() bool) (entered int) {
	var mu sync.Mutex
	var all sync.WaitGroup
	begin := make(chan struct{})
	for range n {
		all.Go(func() {
			<-begin
			ok := try()
			mu.Lock()
			defer mu.Unlock()
			if ok {
				entered++
			}
		})
	}
	close(begin)
	all.Wait()
	return entered
}

// As long as any clock may find a ticket in time it is remembered; then its
// room is there for others. When there is none, nobody is let in, and nothing
// is forgotten.
func TestMemory(t *testing.T) {
	now := noon
	m := NewMemory(3*(entryCost+len("spent ")+2), func() time.Time { return now })
	spend := func(id string, until time.Duration) error {
		return m.Spend(context.Background(), id, now, noon.Add(until))
	}
	for i, tt := range []struct {
		at    time.Duration
		id    string
		until time.Duration
		want  error
	}{
		{0, "b2", 2 * time.Minute, nil},
		{0, "a1", time.Minute, nil},
		{0, "c3", 3 * time.Minute, nil},
		{0, "d4", time.Minute, errFull},
		{0, "a1", time.Minute, errUsed},
		{time.Minute - 1, "a1", time.Minute, errUsed},
		{time.Minute - 1, "d4", 5 * time.Minute, errFull},
		{time.Minute, "d4", 5 * time.Minute, nil},
		{time.Minute, "b2", 2 * time.Minute, errUsed},
		{time.Minute, "e5", 2 * time.Minute, errFull},
		{time.Hour, "e5", 2 * time.Hour, nil},
	} {
		now = noon.Add(tt.at)
		if err := spend(tt.id, tt.until); err != tt.want {
			t.Errorf("step %d, %s: %v, want %v", i, tt.id, err, tt.want)
		}
	}
	if len(m.entries) != 1 || len(m.byEnd) != 1 || m.size != entryCost+len("spent e5") {
		t.Errorf("%d entries of %d bytes are left, want 1", len(m.entries), m.size)
	}
	if err := m.Spend(context.Background(), "f6", noon.Add(-1), noon.Add(2*time.Hour)); err != errOld {
		t.Error("minted before it began:", err)
	}
}

// A spent ticket is remembered longer than any clock within bounds takes it.
func TestRememberedLongEnough(t *testing.T) {
	o := newOffice(t)
	o.inspector.Leeway = MaxLeeway
	text := o.mint(t, claims())
	if got := o.enter(anybody(), text); got != "desk:5900" {
		t.Fatal(got)
	}
	// A second bridge, with the same Store and a clock that is as slow as may be.
	slow := *o.inspector
	slow.Now = func() time.Time { return o.now.Add(-2 * MaxLeeway) }
	for late := time.Duration(0); late < 10*time.Minute; late += time.Second {
		o.now = noon.Add(late)
		if c, err := slow.Check(anybody(), text); err == nil && slow.Spend(context.Background(), c) == nil {
			t.Fatalf("it was taken twice, %v after it was minted", late)
		}
	}
}
