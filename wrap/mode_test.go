package wrap

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestHistory: how long each life lasts, in seconds, and the pause after it.
func TestHistory(t *testing.T) {
	for name, test := range map[string]struct{ lives, pauses []float64 }{
		"at once three times, then braked twice as long each time": {
			[]float64{0, 0, 0, 0, 0, 0, 0, 0}, []float64{0, 0, 10, 20, 40, 60, 60, 60},
		},
		"the pause counts from the middle of the last three starts": {
			[]float64{3, 3, 3}, []float64{0, 0, 4},
		},
		"a pause that was short doubles to no less than the first": {
			[]float64{3, 3, 3, 1, 1}, []float64{0, 0, 4, 10, 20},
		},
		"as the ancestor, five seconds are enough": {
			[]float64{5, 5, 5, 5, 5}, []float64{0, 0, 0, 0, 0},
		},
		"a life of ten seconds is forgiven everything": {
			[]float64{0, 0, 0, 0, 10, 0}, []float64{0, 0, 10, 20, 0, 0},
		},
	} {
		t.Run(name, func(t *testing.T) {
			now := time.Unix(0, 0)
			var h history
			var pauses []float64
			for _, life := range test.lives {
				h = h.started(now)
				now = now.Add(seconds(life))
				var what step
				var pause time.Duration
				if h, what, pause = h.next(Respawn, now); what != restart {
					t.Fatalf("step %v, want another life", what)
				}
				now = now.Add(pause)
				pauses = append(pauses, pause.Seconds())
			}
			if diff := cmp.Diff(test.pauses, pauses); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

func TestModesThatDoNotRespawn(t *testing.T) {
	now := time.Unix(0, 0)
	for mode, want := range map[Mode]step{Exit: finish, Ignore: linger} {
		if _, got, wait := (history{}).started(now).next(mode, now); got != want || wait != 0 {
			t.Errorf("mode %v: step %v after %v, want %v at once", mode, got, wait, want)
		}
	}
}
