package passthrough

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestParseHiawatha(t *testing.T) {
	tests := []struct {
		line   string
		target string
		paths  string // with blanks between
		idle   time.Duration
		err    string
	}{
		{line: "ws://127.0.0.1:5000 /chat", target: "passthrough+ws://127.0.0.1:5000", paths: "/chat", idle: 10 * time.Minute},
		{line: "wss://127.0.0.1:5000\t/chat,/x/y  15", target: "passthrough+wss://127.0.0.1:5000", paths: "/chat /x/y", idle: 15 * time.Minute},
		{line: "WebSocket = ws://[::1]:80 * 0", target: "passthrough+ws://[::1]:80", paths: "*"},
		{line: "websocket=/run/chat.sock /=,/", target: "passthrough+unix:/run/chat.sock", paths: "/= /", idle: 10 * time.Minute},
		{line: "unix:/run/chat.sock /,* 1", target: "passthrough+unix:/run/chat.sock", paths: "/ *", idle: time.Minute},
		{line: "ws://chat.example:80/base /chat 10080", target: "passthrough+ws://chat.example:80/base", paths: "/chat", idle: 7 * 24 * time.Hour},
		{line: "", err: "write a target, paths"},
		{line: "ws://127.0.0.1:5000", err: "write a target, paths"},
		{line: "ws://127.0.0.1:5000 /a, /b 5", err: "no blanks between"},
		{line: "127.0.0.1:5000 /chat", err: "write ws://host:port"},
		{line: "http://127.0.0.1:5000 /chat", err: "write ws://host:port"},
		{line: "ws://127.0.0.1 /chat", err: "the port is missing"},
		{line: "ws://127.0.0.1:5000 chat", err: `path "chat" does not begin with /`},
		{line: "ws://127.0.0.1:5000 /a,,/b", err: `path "" does not begin with /`},
		{line: "ws://127.0.0.1:5000 /a?b", err: "the query is no part of it"},
		{line: "ws://127.0.0.1:5000 /a/*", err: "a * stands alone"},
		{line: "ws://127.0.0.1:5000 /chat 1h", err: "a number of minutes"},
		{line: "ws://127.0.0.1:5000 /chat -1", err: "a number of minutes"},
		{line: "ws://127.0.0.1:5000 /chat 99999999", err: "a number of minutes"},
		{line: strings.Repeat("x", 5000), err: "at most 4096"},
	}
	for _, test := range tests {
		target, paths, idle, err := ParseHiawatha(test.line)
		if test.err != "" {
			if err == nil || !strings.Contains(err.Error(), test.err) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%.80q: error %v, want one line with %q", test.line, err, test.err)
			}
			continue
		}
		if err != nil || target != test.target || !slices.Equal(paths, strings.Fields(test.paths)) || idle != test.idle {
			t.Errorf("%q is read as %q, %q, %v, %v", test.line, target, paths, idle, err)
		}
	}
}

// Whatever is read leads to a target and to paths, and to no endless wait.
func FuzzParseHiawatha(f *testing.F) {
	f.Add("ws://127.0.0.1:5000 /chat,/x 15")
	f.Add("WebSocket = /run/x.sock *")
	f.Fuzz(func(t *testing.T, line string) {
		target, paths, idle, err := ParseHiawatha(line)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\r\n") || target != "" || paths != nil {
				t.Errorf("%q: %q, %q with error %q", line, target, paths, err)
			}
			return
		}
		if to, err := Parse(target); err != nil || to.String() != target {
			t.Errorf("%q leads to %q: %v", line, target, err)
		}
		for _, path := range paths {
			if path != "*" && !strings.HasPrefix(path, "/") {
				t.Errorf("%q leads to the path %q", line, path)
			}
		}
		if len(paths) == 0 || idle < 0 || idle%time.Minute != 0 || idle > 7*24*time.Hour {
			t.Errorf("%q leads to %q, %v", line, paths, idle)
		}
	})
}
