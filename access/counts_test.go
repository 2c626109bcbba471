package access

import (
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// However many come at once, the limit is exact, and all places come back.
func TestCounts(t *testing.T) {
	counts := &Counts{Max: 5, Whose: "of your user"}
	var in, most, refusals atomic.Int64
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			for range 200 {
				release, err := counts.Acquire("ann")
				if err != nil {
					refusals.Add(1)
					runtime.Gosched()
					continue
				}
				now := in.Add(1)
				for old := most.Load(); now > old && !most.CompareAndSwap(old, now); old = most.Load() {
				}
				runtime.Gosched()
				in.Add(-1)
				release()
				release() // once is enough
			}
		})
	}
	all.Wait()
	if most.Load() > 5 || len(counts.live) != 0 {
		t.Errorf("%d at a time, and at the end %v", most.Load(), counts.live)
	}
}

func TestCountsOfKeys(t *testing.T) {
	counts := &Counts{Max: 1, Whose: "of your user"}
	long := strings.Repeat("x", 10_000)
	release, err := counts.Acquire(long + "1")
	check(t, err)
	_, err = counts.Acquire(long + "2")
	check(t, err)
	_, err = counts.Acquire(long + "1")
	refused(t, err, 503, "too many sessions of your user")
	for key := range counts.live {
		if len(key) > maxKeyLength {
			t.Errorf("a key of %d bytes is kept", len(key))
		}
	}
	release()
	release()
	_, err = counts.Acquire(long + "1")
	check(t, err)
	for range 3 {
		_, err = counts.Acquire("")
		check(t, err)
	}
}

// A lower limit ends nobody, and counts those who came while there was none.
func TestCountsChange(t *testing.T) {
	counts := &Counts{}
	first, err := counts.Acquire("ann")
	check(t, err)
	second, err := counts.Acquire("ann")
	check(t, err)
	counts.Limit(1)
	first()
	_, err = counts.Acquire("ann")
	refused(t, err, 503, "too many sessions ")
	second()
	_, err = counts.Acquire("ann")
	check(t, err)
}
