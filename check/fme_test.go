package check

import (
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// hub is a scripted FME message hub.
type hub struct {
	mu      sync.Mutex
	members map[net.Conn][]string // and the streams each has open
	numbers string                // instead of a right answer to getnumchannels()
	info    string                // the same for getchannelinfo()
	deaf    bool                  // relays nothing
	refuses string                // opening any stream
	errors  []string              // what it did not understand
}

func (h *hub) serve(c net.Conn) {
	defer h.leave(c)
	manners{data: h.take}.serve(c)
}

func (h *hub) leave(c net.Conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.members, c)
}

func (h *hub) take(c net.Conn, f ws.Frame) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var request struct {
		Op      string   `json:"ws_op"`
		Streams []string `json:"ws_stream_ids"`
		Message string   `json:"ws_msg"`
	}
	if err := json.Unmarshal(f.Payload, &request); err != nil {
		h.errors = append(h.errors, err.Error())
	}
	switch request.Op {
	case "open":
		if h.refuses != "" {
			say(c, h.refuses)
			return
		}
		h.members[c] = request.Streams
	case "send":
		h.relay(c, request.Message)
	case "close":
		delete(h.members, c)
	case "admin":
		say(c, map[string]string{"getnumchannels()": h.numbers, "getchannelinfo()": h.info}[request.Message])
	default:
		h.errors = append(h.errors, fmt.Sprintf("unknown: %s", f.Payload))
	}
}

// relay sends to all that have a stream in common with c.
func (h *hub) relay(c net.Conn, message string) {
	for other, streams := range h.members {
		for _, stream := range h.members[c] {
			if other != c && !h.deaf && strings.Contains(strings.Join(streams, "\n"), stream) {
				say(other, message)
			}
		}
	}
}

func say(c net.Conn, text string) { ws.WriteFrame(c, ws.NewTextFrame([]byte(text))) }

const (
	twoChannels = `{"numchannels":"2","streams":[{"stream":"a","numchannels":"1"},{"stream":"b","numchannels":"1"}]}`
	oneTold     = `{"numchannels":"1","channels":[{"port":"51544","stream":"a","host":"10.0.0.7","writable":"true"}]}`
)

func TestFMEHub(t *testing.T) {
	h := &hub{members: map[net.Conn][]string{}, numbers: twoChannels, info: oneTold}
	r, steps := run(t, Check{Server: at(start(t, h.serve), "ws://127.0.0.1:PORT/websocket", nil), FME: "sd_plane", FMEAdmin: true})
	if s := steps["app"]; r.Exit != 0 || s.Detail != "stream sd_plane was opened, and a message went over a private one; 2 channels, 1 described" {
		t.Errorf("exit status %d: %+v", r.Exit, s)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.members) != 0 || len(h.errors) != 0 {
		t.Errorf("left behind: %v; not understood: %q", h.members, h.errors)
	}
}

// Nobody on a live stream is told anything by a check.
func TestFMEDisturbsNobody(t *testing.T) {
	h := &hub{members: map[net.Conn][]string{}}
	listener, ours := net.Pipe()
	defer listener.Close()
	h.members[ours] = []string{"live"}
	heard := make(chan string, 1)
	go func() {
		buf := make([]byte, 1024)
		n, _ := listener.Read(buf)
		heard <- string(buf[:n])
	}()
	if r, steps := run(t, Check{Server: at(start(t, h.serve), "ws://127.0.0.1:PORT/", nil), FME: "live"}); r.Exit != 0 {
		t.Errorf("%+v", steps["app"])
	}
	listener.Close()
	if text := <-heard; text != "" {
		t.Errorf("the listener heard %q", text)
	}
}

// Servers that are no hubs, or bad ones.
func TestFMEFailures(t *testing.T) {
	tests := []struct {
		name   string
		serve  func(net.Conn)
		check  Check
		detail string
	}{
		{"echo", manners{}.serve, Check{FME: "s"}, "this is an echo server, not an FME hub"},
		{"echo admin", manners{}.serve, Check{FMEAdmin: true}, "this is an echo server, not an FME hub"},
		{"deaf", (&hub{members: map[net.Conn][]string{}, deaf: true}).serve, Check{FME: "s", Timeout: 5 * time.Second}, "it did not arrive"},
		{"forbidden", (&hub{members: map[net.Conn][]string{}, refuses: `{"ws_op":"error","ws_code":"forbidden","ws_msg":"not you"}`}).serve, Check{FME: "s"}, "forbidden: not you"},
		{"silent", manners{data: nothing}.serve, Check{FMEAdmin: true, Timeout: 5 * time.Second}, "no answer: this is no FME hub"},
		{"numbers", (&hub{members: map[net.Conn][]string{}, numbers: `{"numchannels":2,"streams":[]}`}).serve, Check{FMEAdmin: true}, "getnumchannels(): the answer is not of this shape"},
		{"info", (&hub{members: map[net.Conn][]string{}, numbers: twoChannels, info: twoChannels}).serve, Check{FMEAdmin: true}, "getchannelinfo(): the answer has no channels"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.check.Server = at(start(t, tt.serve), "ws://127.0.0.1:PORT/", nil)
			r, steps := run(t, tt.check)
			if s := steps["app"]; r.Exit != ExitApp || !strings.Contains(s.Detail, tt.detail) {
				t.Errorf("exit status %d: %+v, want %q in it", r.Exit, s, tt.detail)
			}
		})
	}
}

func TestReadChannels(t *testing.T) {
	tests := []struct {
		text string
		fits func(channels) error
		want string // "": fine
	}{
		{`{"numchannels":"0","streams":[]}`, sumsUp, ""},
		{`{"numchannels":"0","channels":[]}`, allTold, ""},
		{twoChannels, sumsUp, ""},
		{oneTold, allTold, ""},
		{`{"numchannels":"9","channels":[],"truncated":"true"}`, allTold, ""},
		{`{"numchannels":"9","streams":[],"partial":"true"}`, sumsUp, ""},
		{`{"numchannels":"3","streams":[{"stream":"a","numchannels":"1"}]}`, sumsUp, "numchannels is 3, and there are 1"},
		{`{"numchannels":"1","streams":[{"numchannels":"1"}]}`, sumsUp, "a part of the answer has no stream"},
		{`{"numchannels":"1","streams":[{"stream":"a"}]}`, sumsUp, "the answer has no numchannels of a stream"},
		{`{"numchannels":"-1","streams":[]}`, sumsUp, `numchannels is "-1", not a number`},
		{`{"streams":[]}`, sumsUp, "the answer has no numchannels"},
		{`{"numchannels":"1","channels":[{"port":"99999","stream":"a","host":"h","writable":"true"}]}`, allTold, "port 99999"},
		{`{"numchannels":"1","channels":[{"port":"1","stream":"a","host":"h","writable":"yes"}]}`, allTold, `writable "yes"`},
		{`{"numchannels":"1","channels":[{"port":"1","stream":"a","writable":"true"}]}`, allTold, "has no host"},
		{`[]`, sumsUp, "not of this shape"},
	}
	for _, tt := range tests {
		_, err := readChannels([]byte(tt.text), tt.fits)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want %q", tt.text, err, tt.want)
		}
	}
}

// Whatever a server answers, it is read or refused.
func FuzzReadChannels(f *testing.F) {
	for _, s := range []string{twoChannels, oneTold, "{}", "[", `{"numchannels":"x"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, fits := range []func(channels) error{sumsUp, allTold} {
			if number, err := readChannels(text, fits); err == nil && number == "" {
				t.Fatalf("%q is fine, and has no number", text)
			}
		}
	})
}
