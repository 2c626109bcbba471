package bridge

import (
	"testing"
	"testing/synctest"
	"time"
)

// A deadline passes once, when it is due, and can be moved before and after.
func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		passes := 0
		d := newDeadline(func() { passes++ })
		check := func(when string, over bool, times int) {
			t.Helper()
			synctest.Wait()
			if isClosed(d.passed()) != over || passes != times {
				t.Errorf("%s: over %v, passed %d times; want %v, %d", when, isClosed(d.passed()), passes, over, times)
			}
		}
		check("at first", false, 0)
		d.set(time.Now().Add(time.Second))
		d.set(time.Now().Add(3 * time.Second))
		waiting := d.passed()
		time.Sleep(2 * time.Second)
		check("moved away", false, 0)
		d.set(time.Now().Add(2 * time.Second))
		time.Sleep(2 * time.Second)
		check("due", true, 1)
		if !isClosed(waiting) {
			t.Error("who waited since before it was moved is not told")
		}
		d.set(time.Now().Add(time.Second))
		check("moved afterwards", false, 1)
		d.set(time.Time{})
		time.Sleep(time.Hour)
		check("never", false, 1)
		d.set(time.Unix(1, 0))
		check("in the past", true, 2)
	})
}
