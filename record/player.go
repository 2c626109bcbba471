package record

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"sync/atomic"
	"time"
)

// Player is a target that says what a recorded one said.
type Player struct {
	File  string
	Speed float64 // times the speed of the recording; 0: as recorded; math.Inf(1): at once

	// LockStep holds the target's bytes back until the client has sent as
	// many as it had in the recording, for clients that take no answer before
	// their question. A client that falls silent is waited for once, for
	// LockStepWait. Without it what the client sends does not matter, as in
	// noVNC's own player: RFB clients take everything ahead of time.
	LockStep     bool
	LockStepWait time.Duration // default 10 s
}

const defaultLockStepWait = 10 * time.Second

// Dial opens the recording and plays it to the returned connection, from the
// beginning. Read gives the target's bytes in their time and meets the end
// where the recording does, or an error with file and line. Write takes
// everything and keeps nothing. CloseWrite ends the playing. The caller closes
// the connection.
func (p *Player) Dial(context.Context) (net.Conn, error) {
	if !(p.Speed >= 0) {
		return nil, fmt.Errorf("speed %v: it must be above 0", p.Speed)
	}
	file, err := os.Open(p.File)
	if err != nil {
		return nil, err
	}
	reader := NewReader(file, p.File)
	if err := reader.begin(); err != nil && err != ErrCut {
		file.Close()
		return nil, err
	}
	near, far := net.Pipe()
	c := &playback{Conn: near, far: far, file: file, reader: reader, player: *p, heard: make(chan struct{}, 1)}
	c.stopped, c.stop = context.WithCancel(context.Background())
	go c.play()
	return c, nil
}

// String names the target in a log.
func (p *Player) String() string { return "recording " + p.File }

// delay is when, after the beginning, what was recorded at is played.
func (p *Player) delay(at time.Duration) time.Duration {
	const long = 1000 * time.Hour // so that slow speeds do not overflow
	if p.Speed == 0 {
		return at
	}
	return time.Duration(min(float64(at)/p.Speed, float64(long)))
}

// playback is one playing. The bytes go through a pipe, for its deadlines.
type playback struct {
	net.Conn          // the caller's end
	far      net.Conn // the player's end
	file     io.Closer
	reader   *Reader
	player   Player

	stopped context.Context
	stop    context.CancelFunc
	written atomic.Int64  // bytes that the client sent
	heard   chan struct{} // has one: written has grown
	err     error         // why the playing ended early; set before far is closed
}

func (c *playback) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err == io.EOF && c.err != nil {
		err = c.err
	}
	return n, err
}

func (c *playback) Write(p []byte) (int, error) {
	c.written.Add(int64(len(p)))
	notify(c.heard)
	return len(p), nil
}

// CloseWrite says that the client is done.
func (c *playback) CloseWrite() error {
	c.stop()
	return nil
}

func (c *playback) Close() error {
	c.stop()
	return c.Conn.Close()
}

func (c *playback) play() {
	defer c.far.Close()
	defer c.file.Close()
	defer c.stop()
	c.err = c.frames()
}

// frames plays to the end of the recording or until the caller wants no more.
func (c *playback) frames() error {
	begun, expected := time.Now(), int64(0)
	for {
		f, err := c.reader.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		due := begun.Add(c.player.delay(f.At))
		if f.ToTarget {
			expected += int64(len(f.Data))
			begun = begun.Add(c.listen(expected, due))
			continue
		}
		if !c.sleep(due) {
			return nil
		}
		if _, err := c.far.Write(f.Data); err != nil {
			return nil // the caller has closed its end
		}
	}
}

// sleep waits until due; false: the playing is over.
func (c *playback) sleep(due time.Time) bool {
	timer := time.NewTimer(time.Until(due))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-c.stopped.Done():
	}
	return c.stopped.Err() == nil
}

// listen waits, in lock step, until the client has sent what it had sent when
// it was recorded, which is due then; or leaves the lock step. It returns by
// how much the client is late: what follows keeps its distance.
func (c *playback) listen(expected int64, due time.Time) (late time.Duration) {
	if !c.player.LockStep {
		return 0
	}
	timer := time.NewTimer(max(0, time.Until(due)) + cmp.Or(c.player.LockStepWait, defaultLockStepWait))
	defer timer.Stop()
	for c.player.LockStep && c.written.Load() < expected {
		select {
		case <-c.heard:
		case <-c.stopped.Done():
			return 0
		case <-timer.C:
			c.player.LockStep = false
		}
	}
	return max(0, time.Since(due))
}
