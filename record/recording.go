package record

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"
)

const (
	flushEvery = time.Second // how long a frame waits for others at most
	flushSize  = 64 << 10    // what is worth writing at once
	pendingMax = 1 << 20     // what waits for the disk at most
	patience   = time.Second // how long a session waits for the disk at most
	chunkMax   = 64 << 10    // payload of one frame; longer writes make several
)

var (
	errTooLarge = errors.New("it has reached its largest size")
	errTooSlow  = errors.New("the disk takes nothing: is it a network's, or failing?")
)

// recording is one session's. The session adds frames to pending; run, in a
// goroutine of its own, is the only one to touch the disk.
type recording struct {
	max   int64 // size of the file; 0: no limit
	begun time.Time

	mu      sync.Mutex
	log     *slog.Logger
	pending []byte        // lines that are not in the file yet
	size    int64         // of the file with all lines in it
	over    bool          // no frame is taken any more
	taken   chan struct{} // closed when run takes what is pending

	some   chan struct{} // has one: a line is pending
	plenty chan struct{} // has one: flushSize is pending
	ended  chan struct{} // closed with over
	done   chan struct{} // closed when run has ended
}

// start begins a recording in the file that create makes.
func start(create func() (*os.File, error), max int64, log *slog.Logger) *recording {
	r := newRecording(max, log)
	go r.run(func() (storage, error) {
		f, err := create()
		if err != nil {
			return nil, err // not a nil *os.File in a storage
		}
		r.named(f.Name())
		return f, nil
	})
	return r
}

// named is told the file's name, for the log.
func (r *recording) named(file string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.log = r.log.With("file", file)
	r.log.Info("recording a session")
}

func newRecording(max int64, log *slog.Logger) *recording {
	return &recording{
		log: log, max: max, begun: time.Now(),
		size: int64(len(header) + len(terminator)),
		some: make(chan struct{}, 1), plenty: make(chan struct{}, 1),
		taken: make(chan struct{}), ended: make(chan struct{}), done: make(chan struct{}),
	}
}

// add takes p, which is not kept, as a frame of this moment.
func (r *recording) add(toTarget bool, p []byte) {
	for chunk := range slices.Chunk(p, chunkMax) {
		r.addChunk(Frame{ToTarget: toTarget, Data: chunk})
	}
}

func (r *recording) addChunk(f Frame) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.makeRoom(lineRoom(len(f.Data))) {
		return
	}
	f.At = time.Since(r.begun)
	was := len(r.pending)
	r.pending = appendFrame(r.pending, f)
	line := int64(len(r.pending) - was)
	if r.max > 0 && r.size+line > r.max {
		r.pending = r.pending[:was]
		r.end(errTooLarge)
		return
	}
	r.size += line
	if was == 0 {
		notify(r.some)
	}
	if len(r.pending) >= flushSize {
		notify(r.plenty)
	}
}

// makeRoom waits, when it must, until n more bytes may be pending; false: the
// recording is over. It needs mu and lets go of it to wait.
func (r *recording) makeRoom(n int) bool {
	if r.over || len(r.pending)+n <= pendingMax {
		return !r.over
	}
	late := time.NewTimer(patience)
	defer late.Stop()
	for !r.over && len(r.pending)+n > pendingMax {
		taken, slow := r.taken, false
		r.mu.Unlock()
		select {
		case <-taken:
		case <-r.ended:
		case <-late.C:
			slow = true
		}
		r.mu.Lock()
		if slow {
			r.end(errTooSlow)
		}
	}
	return !r.over
}

// end ends the recording, with why if it is before its session. It needs mu.
func (r *recording) end(why error) {
	if r.over {
		return
	}
	r.over = true
	close(r.ended)
	if why != nil {
		r.log.Warn("a recording ends before its session", "err", why)
	}
}

// close ends the recording and waits, with patience, until it is in the file.
func (r *recording) close() {
	r.mu.Lock()
	r.end(nil)
	r.mu.Unlock()
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case <-r.done:
	case <-late.C:
	}
}

// run writes the file until the recording is over, or cannot be written.
func (r *recording) run(create func() (storage, error)) {
	defer close(r.done)
	file, err := create()
	if err == nil {
		err = errors.Join(r.write(&tail{file: file}), file.Close())
	}
	if err != nil {
		r.fail(err)
	}
}

func (r *recording) write(t *tail) error {
	batch, more := []byte(header), true
	for {
		if err := t.append(batch); err != nil || !more {
			return err
		}
		if len(batch) < flushSize {
			batch = nil // see take
		}
		r.wait()
		batch, more = r.take(batch)
	}
}

// wait returns when it is time to write.
func (r *recording) wait() {
	select {
	case <-r.some:
	case <-r.ended:
	}
	soon := time.NewTimer(flushEvery)
	defer soon.Stop()
	select {
	case <-r.plenty:
	case <-r.ended:
	case <-soon.C:
	}
}

// take returns what is pending, and whether more may come; the next lines go
// to spare's memory, as long as they are many: a session that rests keeps none.
func (r *recording) take(spare []byte) (batch []byte, more bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	batch = r.pending
	r.pending = spare[:0]
	if len(batch) < flushSize {
		r.pending = nil
	}
	close(r.taken)
	r.taken = make(chan struct{})
	return batch, !r.over
}

func (r *recording) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pending = nil
	if r.over { // end has nothing more to say
		r.log.Warn("a recording is not complete", "err", err)
	}
	r.end(err)
}

func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// storage is the part of a file that a recording needs.
type storage interface {
	io.WriterAt
	io.Closer
	Truncate(size int64) error
}

// tail appends lines to a recording that is whole after every write: the
// terminator goes out with each, and the next one overwrites it.
type tail struct {
	file storage
	at   int64 // where the terminator begins
}

// append writes whole lines. When that fails, the file ends after the last
// line that was written: the terminator takes room that was written already,
// so that a full disk has it.
func (t *tail) append(lines []byte) error {
	if len(lines) == 0 {
		return nil
	}
	n, err := t.file.WriteAt(append(lines, terminator...), t.at)
	if err == nil {
		t.at += int64(len(lines))
		return nil
	}
	whole := lines[:min(max(n-len(terminator), 0), len(lines))]
	t.at += int64(bytes.LastIndexByte(whole, '\n') + 1)
	if endErr := t.end(); endErr != nil {
		return fmt.Errorf("%w; its end cannot be written either: %w", err, endErr)
	}
	return err
}

// end cuts the file after the last line. With no line there is nothing to end.
func (t *tail) end() error {
	if t.at == 0 {
		return t.file.Truncate(0)
	}
	if _, err := t.file.WriteAt([]byte(terminator), t.at); err != nil {
		return err
	}
	return t.file.Truncate(t.at + int64(len(terminator)))
}
