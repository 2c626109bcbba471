package wrap

import (
	"slices"
	"time"
)

// Mode says what follows when the program ends.
type Mode int

const (
	// Exit: what the program left behind is ended too, and Done is closed.
	Exit Mode = iota
	// Ignore: nothing. For programs that go to the background: what they
	// leave behind goes on and is served.
	Ignore
	// Respawn: what the program left behind is ended too, and the program is
	// started again. Three starts may follow each other at once; after that
	// there is a pause of 10 s from the middle of the last three, and, while
	// the program keeps ending within 10 s, of twice as long each time, up to
	// a minute.
	Respawn
)

// The brake on respawning. The average of the last three starts is the
// ancestor's rule; doubling is ours.
const (
	brakeStarts = 3
	brakeFirst  = 10 * time.Second
	brakeMost   = time.Minute
)

// step is what follows a life.
type step int

const (
	finish  step = iota // nothing: the program is done
	linger              // serve on, whoever listens there
	restart             // another life
)

// history is what the next step depends on.
type history struct {
	starts []time.Time   // the last brakeStarts
	pause  time.Duration // before the last start; 0 when it was not braked
}

// started adds the start of a life.
func (h history) started(now time.Time) history {
	starts := append(slices.Clone(h.starts), now)
	h.starts = starts[max(0, len(starts)-brakeStarts):]
	return h
}

// next says what follows the life that has ended now, and how long to wait
// before it.
func (h history) next(mode Mode, now time.Time) (history, step, time.Duration) {
	switch mode {
	case Ignore:
		return h, linger, 0
	case Respawn:
		wait := h.brake(now)
		h.pause = wait
		return h, restart, wait
	}
	return h, finish, 0
}

// brake is the wait before another start.
func (h history) brake(now time.Time) time.Duration {
	last := h.starts[len(h.starts)-1]
	if h.pause > 0 && now.Sub(last) < brakeFirst {
		return min(max(2*h.pause, brakeFirst), brakeMost)
	}
	if len(h.starts) < brakeStarts {
		return 0
	}
	var sum time.Duration
	for _, start := range h.starts {
		sum += start.Sub(h.starts[0])
	}
	mean := h.starts[0].Add(sum / brakeStarts)
	return max(0, brakeFirst-now.Sub(mean))
}
