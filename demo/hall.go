// Package demo is the target built into "wsbridge demo": a small hall spoken
// to in lines of text over TCP, where everyone connected hears the others.
// It needs no browser: nc will do.
package demo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	maxVisitors  = 64
	acceptPause  = 100 * time.Millisecond // after an Accept that failed
	refusalLimit = time.Second            // to write a refusal
	partingLimit = 2 * time.Second        // for a visitor who was told goodbye to hang up
)

// Hall is the service. The zero value works; set the fields before Serve and
// leave them alone after it.
type Hall struct {
	// Visitors bounds those connected at once through one Serve; 0: 64.
	Visitors int
	// Roll returns a number from 0 to n-1 and is called from many goroutines;
	// nil: math/rand/v2.
	Roll func(n int) int

	mu     sync.Mutex
	here   []*visitor // in order of arrival
	secret int        // the number to guess; 0: none thought of yet
	tries  int        // guesses at secret so far
}

// Serve welcomes visitors from l until ctx ends and then returns nil, or until
// l is closed by another hand and then returns Accept's error. Either way it
// closes l and every visit, and waits for them.
func (h *Hall) Serve(ctx context.Context, l net.Listener) error {
	var visits sync.WaitGroup
	defer visits.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer l.Close()
	defer context.AfterFunc(ctx, func() { l.Close() })()

	slots := make(chan struct{}, cmp.Or(h.Visitors, maxVisitors))
	for {
		conn, err := accept(ctx, l)
		if ctx.Err() != nil {
			closeIfOpen(conn)
			return nil
		}
		if err != nil {
			return err
		}
		select {
		case slots <- struct{}{}:
			visits.Go(func() { h.visit(ctx, conn); <-slots })
		default:
			turnAway(conn, cap(slots))
		}
	}
}

// accept waits out errors that pass, such as too many open files.
func accept(ctx context.Context, l net.Listener) (net.Conn, error) {
	for {
		conn, err := l.Accept()
		if err == nil || errors.Is(err, net.ErrClosed) {
			return conn, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(acceptPause):
		}
	}
}

func closeIfOpen(conn net.Conn) {
	if conn != nil {
		conn.Close()
	}
}

func turnAway(conn net.Conn, limit int) {
	conn.SetWriteDeadline(time.Now().Add(refusalLimit))
	fmt.Fprintf(conn, "The hall is full: it holds no more than %d. Please come back later.\n", limit)
	conn.Close()
}

// visit is one visitor from the welcome to the end of the connection.
func (h *Hall) visit(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()

	v := h.join(conn)
	h.welcome(v)
	var hearing sync.WaitGroup
	hearing.Go(v.hear)
	h.converse(v)
	h.leave(v)
	hearing.Wait()
	v.say("Goodbye, " + v.name + ".")
	part(conn)
}

// join gives the newcomer a name that is free and tells the others.
func (h *Hall) join(conn net.Conn) *visitor {
	h.mu.Lock()
	defer h.mu.Unlock()
	v := newVisitor(conn, h.freeName())
	h.here = append(h.here, v)
	h.tellLocked(v, "* "+v.name+" came in.")
	return v
}

func (h *Hall) welcome(v *visitor) {
	v.say("Welcome to the hall at the far end of the bridge.")
	v.say("You are " + v.name + ". " + h.company())
	v.say("Type help for what there is to do, or just talk.")
}

// converse obeys the visitor line by line until either has had enough.
func (h *Hall) converse(v *visitor) {
	for !v.leaving {
		line, err := v.readLine()
		if errors.Is(err, errLongLine) {
			v.say("That line was not used: " + err.Error() + ".")
			continue
		}
		if line != "" {
			h.obey(v, line)
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			v.say(fmt.Sprintf("You have been silent for %v.", readLimit))
		}
		if err != nil {
			return
		}
	}
}

// leave takes v out of the hall. Nothing is put into its queue after this.
func (h *Hall) leave(v *visitor) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.here = slices.DeleteFunc(h.here, func(o *visitor) bool { return o == v })
	close(v.heard)
	h.tellLocked(v, "* "+v.name+" left"+v.why()+".")
}

// tell puts line into the queue of everyone but from and says how many there
// were. It never waits: a visitor whose queue is full is dropped.
func (h *Hall) tell(from *visitor, line string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.tellLocked(from, line)
}

func (h *Hall) tellLocked(from *visitor, line string) (told int) {
	for _, v := range h.here {
		if v == from {
			continue
		}
		told++
		select {
		case v.heard <- line:
		default:
			v.dropSlow()
		}
	}
	return told
}

// company says in one sentence who is in the hall.
func (h *Hall) company() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	names := make([]string, len(h.here))
	for i, v := range h.here {
		names[i] = v.name
	}
	if len(names) == 1 {
		return "Nobody else is here: connect a second time to meet yourself."
	}
	return fmt.Sprintf("%d are here: %s.", len(names), strings.Join(names, ", "))
}

// freeName picks a name nobody here has. The caller holds h.mu.
func (h *Hall) freeName() string {
	base := birds[h.roll(len(birds))]
	name := base
	for n := 2; h.takenLocked(name); n++ {
		name = fmt.Sprintf("%s-%d", base, n)
	}
	return name
}

func (h *Hall) takenLocked(name string) bool {
	return slices.ContainsFunc(h.here, func(v *visitor) bool { return strings.EqualFold(v.name, name) })
}

func (h *Hall) roll(n int) int {
	if h.Roll != nil {
		return h.Roll(n)
	}
	return rand.IntN(n)
}

// part ends a visit without a reset: closing over bytes not yet read would
// turn the goodbye into one.
func part(conn net.Conn) {
	half, ok := conn.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	conn.SetReadDeadline(time.Now().Add(partingLimit))
	io.Copy(io.Discard, conn)
}
