package demo

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	maxLine    = 1024             // bytes a visitor may send in one line, newline included
	queueLines = 64               // lines others said that wait for a visitor to read
	writeLimit = 30 * time.Second // for one write to a visitor
	readLimit  = 30 * time.Minute // for one line from a visitor
	clockTicks = 5
)

var errLongLine = fmt.Errorf("it is longer than %d bytes", maxLine)

// visitor is one connection. Its reader goroutine obeys commands, its hear
// goroutine passes on what comes from elsewhere; both write through say.
type visitor struct {
	conn    net.Conn
	in      *bufio.Reader
	name    string        // written by the reader under Hall.mu
	leaving bool          // the reader's own: said bye
	heard   chan string   // what others said; closed by Hall.leave
	wind    chan struct{} // starts the clock
	slow    atomic.Bool   // dropped for not reading

	mu sync.Mutex // one write at a time
}

func newVisitor(conn net.Conn, name string) *visitor {
	return &visitor{
		conn:  conn,
		in:    bufio.NewReaderSize(conn, maxLine),
		name:  name,
		heard: make(chan string, queueLines),
		wind:  make(chan struct{}, 1),
	}
}

// readLine returns the next line, cleaned. An unfinished last line comes
// together with io.EOF; a line too long is skipped and is errLongLine.
func (v *visitor) readLine() (string, error) {
	v.conn.SetReadDeadline(time.Now().Add(readLimit))
	raw, err := v.in.ReadSlice('\n')
	if !errors.Is(err, bufio.ErrBufferFull) {
		return clean(raw), err
	}
	for errors.Is(err, bufio.ErrBufferFull) {
		_, err = v.in.ReadSlice('\n')
	}
	if err == nil {
		err = errLongLine
	}
	return "", err
}

// hear passes on what others say, and the clock's ticks, until heard is closed.
func (v *visitor) hear() {
	clock := time.NewTicker(time.Second)
	clock.Stop()
	defer clock.Stop()
	left := 0
	for {
		select {
		case line, open := <-v.heard:
			if !open {
				return
			}
			v.say(line)
		case <-v.wind:
			left = clockTicks
			clock.Reset(time.Second)
		case now := <-clock.C:
			v.say(now.Format(time.TimeOnly))
			if left--; left == 0 {
				clock.Stop()
			}
		}
	}
}

// say writes one line; see write.
func (v *visitor) say(line string) { v.write(line + "\n") }

// write waits until the visitor has taken text, and hangs up on one who does
// not. The reader learns of that from its next read.
func (v *visitor) write(text string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.writeLocked(text)
}

// show writes the lines of text at a pace that can be watched. What the
// visitor hears meanwhile comes after it.
func (v *visitor) show(text string, pace time.Duration) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for line := range strings.Lines(text) {
		if !v.writeLocked(line) {
			return
		}
		time.Sleep(pace)
	}
}

func (v *visitor) writeLocked(text string) bool {
	v.conn.SetWriteDeadline(time.Now().Add(writeLimit))
	_, err := io.WriteString(v.conn, text)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		v.slow.Store(true)
	}
	if err != nil {
		v.conn.Close()
	}
	return err == nil
}

// dropSlow hangs up on a visitor who does not read. It waits for nothing.
func (v *visitor) dropSlow() {
	v.slow.Store(true)
	v.conn.Close()
}

// why is the end of the sentence "... left".
func (v *visitor) why() string {
	if v.slow.Load() {
		return ": too slow to listen"
	}
	return ""
}
