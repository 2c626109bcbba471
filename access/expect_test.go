package access

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// past is a deadline that is over.
var past = time.Unix(1, 0)

func expect(t *testing.T, text string) *Expect {
	t.Helper()
	e, err := ParseExpect(text)
	check(t, err)
	return e
}

// dialled is Expect.Dial's for a connection that is there.
func dialled(c net.Conn) func(context.Context) (net.Conn, error) {
	return func(context.Context) (net.Conn, error) { return c, nil }
}

// Targets and what is expected of them; what they say comes in pieces of every
// size, and goes on after it.
func TestExpect(t *testing.T) {
	const none = ""
	for _, tt := range []struct{ expect, says, reason string }{
		{"rfb", "RFB 003.008\n", none},
		{"rfb", "RFB 003.889\nand more", none},
		{"rfb", "RFB 005.000\n", none},
		{"rfb", "SSH-2.0-OpenSSH_9.9\r\n", "target does not speak RFB"},
		{"rfb", "RFB 1", "target does not speak RFB"},
		{"rfb", " RFB 003.008\n", "target does not speak RFB"},
		{"rfb", "RFB", "target does not speak RFB"}, // and closes
		{"rfb", "", "target does not speak RFB"},
		{"ssh", "SSH-2.0-OpenSSH_9.9\r\n", none},
		{"ssh", "RFB 003.008\n", "target does not speak SSH"},
		{"regex:220[ -]", "220 mail.example ESMTP\r\n", none},
		{"regex:220[ -]", "554 no\r\n", "target does not speak as expected"},
		{"regex:220|5..", "220", none},
		{"regex:^220 ", "220 mail", none},
		{"regex:(?i)hello\n.world", "HELLO\n\nWORLD", none},
		{`regex:\xff[\xfb-\xfe].`, "\xff\xfd\x18\xff\xfd\x20", none},
		{`regex:\xff[\xfb-\xfe].`, "\xff\xf0", "target does not speak as expected"},
		{`regex:.\x00\x00\x00\x0a8\.`, "J\x00\x00\x00\x0a8.4.0\x00", none}, // MySQL
		{"regex:.{255}x", strings.Repeat("y", 255) + "x", none},
		{"regex:.{256}x", strings.Repeat("y", 256) + "x", "target does not speak as expected"},
		{"regex:a+b", strings.Repeat("a", 1000) + "b", "target does not speak as expected"},
	} {
		for _, step := range []int{1, 3, 1 << 10} {
			synctest.Test(t, func(t *testing.T) { saysInPieces(t, tt.expect, tt.says, step, tt.reason) })
		}
	}
}

func saysInPieces(t *testing.T, expected, says string, step int, reason string) {
	bridge, service := pipe(t)
	go func() {
		defer service.Close()
		for rest := says; rest != ""; rest = rest[min(step, len(rest)):] {
			if _, err := service.Write([]byte(rest[:min(step, len(rest))])); err != nil {
				return
			}
		}
	}()
	began := time.Now()
	conn, err := expect(t, expected).Dial(t.Context(), dialled(bridge))
	if time.Since(began) != 0 {
		t.Errorf("%s waited for more than %q", expected, says)
	}
	if reason != "" {
		wantReason(t, err, reason)
		if _, err := bridge.Read(make([]byte, 1)); conn != nil || err != io.ErrClosedPipe {
			t.Errorf("%s, %q: a refused target is open: %v", expected, says, err)
		}
		return
	}
	check(t, err)
	if got, err := io.ReadAll(conn); string(got) != says || err != nil {
		t.Errorf("%s: got %q, %v, want %q", expected, got, err, says)
	}
}

// A target that says too little has its time, and no more.
func TestExpectSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, says := range []string{"", "RFB 0"} {
			bridge, service := pipe(t)
			go service.Write([]byte(says))
			began := time.Now()
			_, err := expect(t, "rfb").Dial(t.Context(), dialled(bridge))
			wantReason(t, err, "target does not speak RFB")
			if took := time.Since(began); took != 10*time.Second {
				t.Errorf("after %v", took)
			}
			wantError(t, says, err, `it said "`+says+`", and then: `)
			service.Close()
		}
	})
}

// A session that ends while its target is listened to leaves nothing open, and
// a dial that fails is told as it is.
func TestExpectEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bridge, _ := pipe(t)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() {
			_, err := expect(t, "rfb").Dial(ctx, dialled(bridge))
			ended <- err
		}()
		synctest.Wait()
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if _, err := bridge.Write([]byte("x")); err != io.ErrClosedPipe {
			t.Errorf("left open: %v", err)
		}
		for _, e := range []*Expect{nil, expect(t, "ssh")} {
			_, err := e.Dial(t.Context(), func(context.Context) (net.Conn, error) { return nil, io.ErrNoProgress })
			if err != io.ErrNoProgress {
				t.Errorf("got %v", err)
			}
		}
	})
}

// After it a session has no deadline left, can speak, and can end one side.
func TestExpectLeavesTheRestAlone(t *testing.T) {
	for _, pieces := range []int{1, 2} {
		bridge, service := tcpPair(t)
		greeting := []byte("RFB 003.008\n")
		sent := make(chan struct{})
		go func() {
			defer service.Close()
			if pieces == 2 {
				service.Write(greeting[:5])
				<-sent
				service.Write(greeting[5:])
			} else {
				service.Write(greeting)
			}
			all, _ := io.ReadAll(service)
			service.Write(all)
		}()
		e := expect(t, "rfb")
		if pieces == 2 {
			close(sent)
		}
		conn, err := e.Dial(t.Context(), dialled(bridge))
		check(t, err)
		data := noise(1 << 20)
		_, err = conn.Write(data)
		check(t, err)
		check(t, conn.(interface{ CloseWrite() error }).CloseWrite())
		if got, err := io.ReadAll(conn); !bytes.Equal(got, append(greeting, data...)) || err != nil {
			t.Errorf("%d bytes, %v", len(got), err)
		}
	}
}

// A socket whose greeting comes in one piece is handed on as it is, for an event
// loop to take.
func TestExpectKeepsSockets(t *testing.T) {
	bridge, service := tcpPair(t)
	_, err := service.Write([]byte("RFB 003.008\n"))
	check(t, err)
	conn, err := expect(t, "rfb").Dial(t.Context(), dialled(bridge))
	check(t, err)
	if _, same := conn.(*net.TCPConn); same != canPeek {
		t.Errorf("got %T", conn)
	}
	got := make([]byte, 12)
	if _, err := io.ReadFull(conn, got); string(got) != "RFB 003.008\n" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if e := expect(t, ""); e != nil {
		t.Errorf("nothing is %+v", e)
	}
	if conn, err := (*Expect)(nil).Dial(t.Context(), dialled(bridge)); conn != bridge || err != nil {
		t.Errorf("nothing expected: got %T, %v", conn, err)
	}
}

func TestExpectMistakes(t *testing.T) {
	for text, says := range map[string]string{
		"http":          "in this protocol the client speaks first",
		"HTTP":          "in this protocol the client speaks first",
		"mqtt":          "leave it out",
		"rdp":           "leave it out",
		"smtp":          "write rfb, ssh or regex:PATTERN",
		"RFB":           "write rfb, ssh or regex:PATTERN",
		"rfb,ssh":       "write rfb, ssh or regex:PATTERN",
		"regex":         "write rfb, ssh or regex:PATTERN",
		"regex:":        "nothing at all is like it too",
		"regex:a*":      "nothing at all is like it too",
		"regex:a|":      "nothing at all is like it too",
		"regex:(":       "missing closing )",
		"regex:a)":      "unexpected )",
		"regex:220$":    "leave out $",
		`regex:a\z`:     "leave out $",
		"regex:a{9999}": "invalid repeat count",
	} {
		_, err := ParseExpect(text)
		wantError(t, text, err, says)
	}
}

// Whatever is expected, and however what is said is cut, the verdict is that on
// the whole, and no earlier one is taken back.
func FuzzExpect(f *testing.F) {
	f.Add("rfb", []byte("RFB 003.008\n"))
	f.Add("regex:220[ -]", []byte("220 mail"))
	f.Add(`regex:\xff[\xfb-\xfe]\b.`, []byte("\xff\xfd\x18"))
	f.Fuzz(func(t *testing.T, text string, said []byte) {
		e, err := ParseExpect(text)
		if err != nil || e == nil || len(said) > maxFirst {
			return
		}
		whole, _ := e.like(said)
		for n := range said {
			like, over := e.like(said[:n])
			if over && whole {
				t.Fatalf("%q: given up after %q of %q", text, said[:n], said)
			}
			if like && !whole && !strings.ContainsAny(text, `\`) { // \b looks behind what is there
				t.Fatalf("%q: taken after %q, but not %q", text, said[:n], said)
			}
		}
	})
}
