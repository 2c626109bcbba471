//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/google/go-cmp/cmp"
)

// patience is how long a test waits for what must come.
const patience = 30 * time.Second

// An attack is what its row says, and no more than that.
func TestAttacks(t *testing.T) {
	for name, tc := range map[string]struct {
		strikes int
		want    map[string]int
	}{
		"halfopen": {1, map[string]int{"connection": 4, "head without end": 1, "part of a hello": 1}},
		"hellos":   {2, map[string]int{"connection": 2, "hello": 2}},
		"pings":    {1, map[string]int{"connection": 10, "frame 9 of 125": 200}},
		"bytes":    {1, map[string]int{"connection": 10, "frame 2 of 9": 10, "frame 2 of 1": 200}},
		"heads":    {3, map[string]int{"connection": 10, "head without end": 10}},
	} {
		t.Run(name, func(t *testing.T) {
			v := beVictim(t)
			next, _, err := prepareAttack([]string{name, v.Addr().String(), "3"})
			for range tc.strikes {
				if err == nil {
					_, err = next()
				}
			}
			if err != nil {
				t.Fatal(err)
			}
			v.requireHeard(t, tc.want)
		})
	}
}

// A victim tells what its clients do.
type victim struct {
	net.Listener
	heard chan string
}

func beVictim(t *testing.T) *victim {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	v := &victim{ln, make(chan string, 1000)}
	listening, stop := context.WithCancel(context.Background())
	t.Cleanup(func() { stop(); ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			context.AfterFunc(listening, func() { conn.Close() })
			v.heard <- "connection"
			go v.hear(conn)
		}
	}()
	return v
}

// hear tells what a client says first or, of a WebSocket client, all its frames.
func (v *victim) hear(conn net.Conn) {
	b := make([]byte, 16<<10)
	n, _ := conn.Read(b)
	switch b = b[:n]; {
	case bytes.HasPrefix(b, []byte("\x16\x03\x01")):
		what := "part of a hello"
		if n == 5+(int(b[3])<<8|int(b[4])) {
			what = "hello"
		}
		v.heard <- what
	case bytes.HasSuffix(b, []byte("\r\n\r\n")):
		v.frames(conn, b)
	case bytes.HasPrefix(b, []byte("GET / HTTP/1.1\r\n")):
		v.heard <- "head without end"
	case n > 0:
		v.heard <- fmt.Sprintf("%q", b)
	}
}

func (v *victim) frames(conn net.Conn, head []byte) {
	said := struct {
		io.Reader
		io.Writer
	}{io.MultiReader(bytes.NewReader(head), conn), conn}
	upgrader := ws.Upgrader{Protocol: func([]byte) bool { return true }}
	if _, err := upgrader.Upgrade(said); err != nil {
		v.heard <- err.Error()
		return
	}
	for {
		f, err := readFrame(conn)
		if err != nil {
			return
		}
		v.heard <- fmt.Sprintf("frame %d of %d", f.Header.OpCode, f.Header.Length)
	}
}

// requireHeard waits until as much was heard as is wanted.
func (v *victim) requireHeard(t *testing.T, want map[string]int) {
	t.Helper()
	left := 0
	for _, n := range want {
		left += n
	}
	got, late := map[string]int{}, time.After(patience)
	for ; left > 0; left-- {
		select {
		case what := <-v.heard:
			got[what]++
		case <-late:
			left = 0
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// An attacker that cannot attack says why, and the row has that.
func TestAttackThatFails(t *testing.T) {
	address, err := freeAddress()
	if err != nil {
		t.Fatal(err)
	}
	for name, says := range map[string]string{"hellos": "connection refused", "frogs": `no attack is called "frogs"`} {
		if _, err := besiege(t.Context(), name, address, 1); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", name, err, says)
		}
	}
}
