//go:build linux

package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A table says how each row went, as soon as it is known.
type table struct {
	to      io.Writer
	options *options
	began   time.Time
	failed  []result
	total   result
}

const tableLine = "%-30s %8s %11s %11s %9s %9s  %-10s %7s %7s  %s\n"

func newTable(to io.Writer, o *options) *table {
	fmt.Fprintf(to, "seed %d\n\n", o.seed)
	fmt.Fprintf(to, tableLine, "row", "sessions", "to target", "to client", "frames", "control", "SHA-256", "CPU", "memory", "")
	return &table{to: to, options: o, began: time.Now()}
}

func (t *table) add(r result) {
	verdict := "ok"
	if r.err != nil {
		verdict = "FAILED"
		t.failed = append(t.failed, r)
	}
	t.line(r.row.title(), r, fmt.Sprintf("%.10x", r.sum), verdict)
	if r.err != nil {
		fmt.Fprintf(t.to, "  %s\n  again: %s\n", strings.ReplaceAll(r.err.Error(), "\n", "\n  "), t.again(r))
	}
	t.total.sessions += r.sessions
	t.total.toTarget += r.toTarget
	t.total.toClient += r.toClient
	t.total.count.add(r.count)
	t.total.cost.cpu += r.cost.cpu
	t.total.cost.peak = max(t.total.cost.peak, r.cost.peak)
}

func (t *table) line(title string, r result, sum, verdict string) {
	if len(sum) > 10 {
		sum = sum[:10]
	}
	fmt.Fprintf(t.to, tableLine, title, fmt.Sprint(r.sessions), megabytes(r.toTarget), megabytes(r.toClient),
		fmt.Sprint(r.count.frames), fmt.Sprint(r.count.controls), sum, fmt.Sprintf("%.2fs", r.cost.cpu.Seconds()), megabytes(r.cost.peak), verdict)
}

// again is the command that does the same row once more.
func (t *table) again(r result) string {
	return fmt.Sprintf("go run ./soak -seed %d -bytes %v -sessions %d -rows '^%s$'", t.options.seed, &t.options.bytes, t.options.sessions, r.row.title())
}

// end has the sum of all rows; the error says how many failed.
func (t *table) end() error {
	t.line("all", t.total, "", "")
	carried := t.total.toTarget + t.total.toClient
	fmt.Fprintf(t.to, "\n%s carried in %s with seed %d.\n", megabytes(carried), time.Since(t.began).Round(time.Second), t.options.seed)
	if len(t.failed) > 0 {
		return fmt.Errorf("%d rows failed; the seed is %d", len(t.failed), t.options.seed)
	}
	fmt.Fprintln(t.to, "Every byte arrived, and no other.")
	return nil
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }

// A progress line is for a person who waits: on a terminal it is always the last
// line, elsewhere there is one now and then.
type progress struct {
	to       io.Writer
	terminal bool
	done     *atomic.Int64
	want     int64
	began    time.Time
	ended    chan struct{}
	gone     chan struct{}

	mu    sync.Mutex
	where string
	shown bool
}

func newProgress(to io.Writer, done *atomic.Int64, want int64) *progress {
	p := &progress{to: to, done: done, want: want, began: time.Now(), ended: make(chan struct{}), gone: make(chan struct{})}
	every := 15 * time.Second
	if f, ok := to.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			p.terminal, every = true, 500*time.Millisecond
		}
	}
	go p.run(every)
	return p
}

func (p *progress) run(every time.Duration) {
	defer close(p.gone)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			p.show()
		case <-p.ended:
			return
		}
	}
}

func (p *progress) at(i, n int, title string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.where = fmt.Sprintf("row %d of %d, %s", i, n, title)
}

func (p *progress) show() {
	p.mu.Lock()
	defer p.mu.Unlock()
	done, took := p.done.Load(), time.Since(p.began)
	line := fmt.Sprintf("%s of %s: %s, %s/s", megabytes(done), megabytes(p.want), p.where, megabytes(int64(float64(done)/took.Seconds())))
	if done > 0 {
		line += fmt.Sprintf(", about %s to go", time.Duration(float64(took)*float64(max(0, p.want-done))/float64(done)).Round(time.Second))
	}
	if !p.terminal {
		fmt.Fprintln(p.to, line)
		return
	}
	fmt.Fprintf(p.to, "\r\x1b[K%s", line)
	p.shown = true
}

// clear makes room for a line of the table.
func (p *progress) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shown {
		fmt.Fprint(p.to, "\r\x1b[K")
		p.shown = false
	}
}

func (p *progress) stop() {
	close(p.ended)
	<-p.gone
	p.clear()
}
