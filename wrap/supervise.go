package wrap

import (
	"context"
	"time"
)

// report is one thing that the keeper of a life has to say, or several.
type report struct {
	Pid    int      `json:",omitempty"` // the program runs
	Failed *failure `json:",omitempty"` // the program could not be started
	Moved  string   `json:",omitempty"` // a bind was moved to this address
	Blind  string   `json:",omitempty"` // why a bind could not be looked at
	Ended  bool     `json:",omitempty"` // the program ended, with Status
	Status int      `json:",omitempty"`
	Left   int      `json:",omitempty"` // processes it left, which are asked to end
}

// stops are the two degrees of Stop.
type stops struct{ end, kill context.Context }

// supervise leads the program from life to life.
func (p *Program) supervise(asked stops, first *life, begun time.Time) {
	defer close(p.done)
	defer p.release()
	p.live(asked, first)
	for h := (history{}).started(begun); asked.end.Err() == nil; {
		var what step
		var wait time.Duration
		switch h, what, wait = h.next(p.options.Mode, p.clock.now()); what {
		case finish:
			return
		case linger:
			p.options.Log.Warn("nothing is left of the program", "program", p.String())
			close(p.over)
			<-asked.end.Done()
		case restart:
			if p.pause(asked.end, wait) {
				h = h.started(p.clock.now())
				p.again(asked)
			}
		}
	}
}

// live lasts as long as l and all that it started.
func (p *Program) live(asked stops, l *life) {
	defer context.AfterFunc(asked.end, l.end)()
	defer context.AfterFunc(asked.kill, l.kill)()
	p.status.Store(int32(l.wait(p.observe)))
}

// pause waits before the next start; false means that Stop came first.
func (p *Program) pause(end context.Context, wait time.Duration) bool {
	if wait == 0 {
		return true
	}
	p.options.Log.Warn("program respawns too fast", "program", p.String(), "pause", wait.Round(time.Millisecond))
	select {
	case <-p.clock.after(wait):
		return end.Err() == nil
	case <-end.Done():
		return false
	}
}

// again is another life; one that cannot start has ended.
func (p *Program) again(asked stops) {
	l, err := p.begin(asked.end)
	if err != nil {
		p.options.Log.Error("cannot start the program again", "program", p.String(), "error", err)
		return
	}
	p.live(asked, l)
}

// observe notes what a keeper reports of a life.
func (p *Program) observe(r report) {
	log := p.options.Log.With("program", p.String())
	if r.Moved != "" {
		p.bound.Store(true)
		log.Info("program's port moved", "port", p.options.Port, "to", r.Moved)
	}
	if r.Blind != "" {
		log.Warn("a bind was not looked at, and not moved", "cause", r.Blind)
	}
	if r.Ended {
		log.Info("program ended", "status", r.Status)
	}
	if r.Left > 0 {
		log.Warn("program left processes behind, which are ended; one that goes to the background needs the mode ignore",
			"count", r.Left)
	}
}
