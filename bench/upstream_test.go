//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// The upstream speaks to another implementation: each message comes back as it was,
// of the same kind, and the Close too.
func TestUpstreamEchoes(t *testing.T) {
	up, err := newUpstream(newPattern())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(up.close)
	conn, _, _, err := ws.Dial(context.Background(), "ws://"+up.address()+"/")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, n := range []int{0, 1, 125, 126, messageSize, 65535} {
		for _, kind := range []ws.OpCode{ws.OpText, ws.OpBinary} {
			sent := bytes.Repeat([]byte("a"), n)
			if err := wsutil.WriteClientMessage(conn, kind, sent); err != nil {
				t.Fatal(err)
			}
			got, op, err := wsutil.ReadServerData(conn)
			if err != nil || op != kind || !bytes.Equal(got, sent) {
				t.Fatalf("%d bytes of kind %d: %d of kind %d, error %v", n, kind, len(got), op, err)
			}
		}
	}
	ws.WriteFrame(conn, ws.MaskFrame(ws.NewCloseFrame(ws.NewCloseFrameBody(4000, "bye"))))
	f, err := readFrame(conn)
	if err != nil || string(f.Payload) != "\x0f\xa0bye" {
		t.Errorf("after a Close: %+v, error %v", f, err)
	}
	if _, err := conn.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("after its answer: %v, want the end", err)
	}
}

func TestUpstreamEndsBadSessions(t *testing.T) {
	for name, wire := range map[string]string{
		"no HTTP":             "hello\r\n\r\n",
		"a frame without key": "GET / HTTP/1.1\r\nHost: a\r\n\r\n\x82\x01a",
		"a frame too large":   "GET / HTTP/1.1\r\nHost: a\r\n\r\n\x82\xff\x00\x00\x00\x00\x00\x01\x00\x00",
	} {
		var out bytes.Buffer
		r := bufio.NewReader(strings.NewReader(wire))
		err := answerHandshake(&out, r)
		if err == nil {
			err = echoMessages(&out, r)
		}
		if err == nil || err == io.EOF {
			t.Errorf("%s: error %v, want what is wrong", name, err)
		}
	}
}

// A member takes the stream's messages in order, and no others.
func TestMemberHears(t *testing.T) {
	for name, c := range map[string]struct{ messages, says string }{
		"in order":          {"00 000000000004 00000000000000000001" + filler + "|00 000000000005 00000000000000000002" + filler, ""},
		"one twice":         {"00 000000000004 00000000000000000001" + filler + "|00 000000000004 00000000000000000001" + filler, "want message 5"},
		"another stream's":  {"01 000000000004 00000000000000000001" + filler, "want message 4"},
		"with another text": {"00 000000000004 00000000000000000001 and more", "want message 4"},
		"no time":           {"00 000000000004 x" + filler, "invalid syntax"},
		"an error":          {`{"ws_op":"error"}`, "want message 4"},
		"too few":           {"00 000000000004 00000000000000000001" + filler, "after 1 of 2"},
	} {
		var wire bytes.Buffer
		for _, text := range strings.Split(c.messages, "|") {
			ws.WriteFrame(&wire, ws.NewTextFrame([]byte(text)))
		}
		m := &member{session: &session{in: &frameSource{r: &wire, buf: make([]byte, memberReadSize)}}}
		if err := m.hear(4, 2); (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: error %v, want %q", name, err, c.says)
		}
	}
}

// What a member tells is what another hears.
func TestMemberTells(t *testing.T) {
	mine, theirs := net.Pipe()
	defer mine.Close()
	told := make(chan string, 1)
	go func() {
		f, _ := readFrame(theirs)
		told <- string(ws.UnmaskFrame(f).Payload)
		theirs.Close()
	}()
	m := &member{session: &session{conn: mine}, stream: 42}
	if err := m.tell(7); err != nil {
		t.Fatal(err)
	}
	text, begun := strings.CutPrefix(<-told, `{"ws_op":"send","ws_msg":"`)
	text, ended := strings.CutSuffix(text, `"}`)
	if m.text = []byte(text); !begun || !ended || len(text) != 100 || m.check(7) != nil {
		t.Errorf("told %d bytes %q: %v", len(text), text, m.check(7))
	}
}
