package target

import (
	"crypto/tls"
	"strings"
	"testing"
)

func TestParseWebSocket(t *testing.T) {
	tests := []struct{ url, over, host, path, text string }{
		{"ws://mill.example:8082/websocket?a=b%20c", "mill.example:8082", "mill.example:8082", "/websocket?a=b%20c", "ws://mill.example:8082/websocket"},
		{"ws://mill.example", "mill.example:80", "mill.example", "/", "ws://mill.example/"},
		{"WS://mill.example:080/", "mill.example:80", "mill.example", "/", "ws://mill.example/"},
		{"ws://mill.example:443?x", "mill.example:443", "mill.example:443", "/?x", "ws://mill.example:443/"},
		{"wss://mill.example", "mill.example:443 (TLS)", "mill.example", "/", "wss://mill.example/"},
		{"wss://[2001:db8::1]:7078/a//b", "[2001:db8::1]:7078 (TLS)", "[2001:db8::1]:7078", "/a//b", "wss://[2001:db8::1]:7078/a//b"},
		{"ws://[::1]", "[::1]:80", "[::1]", "/", "ws://[::1]/"},
		{"ws://[fe80::1%25eth0]:1/", "[fe80::1%eth0]:1", "[fe80::1%eth0]:1", "/", "ws://[fe80::1%eth0]:1/"},
		{"ws+unix:/run/x.sock:/p?q", "unix:/run/x.sock", "localhost", "/p?q", "ws+unix:/run/x.sock:/p"},
		{"ws+unix:///run/x.sock", "unix:/run/x.sock", "localhost", "", "ws+unix:/run/x.sock:/"},
		{"ws+unix:@x:/p", "unix:@x", "localhost", "/p", "ws+unix:@x:/p"},
	}
	for _, tt := range tests {
		w, err := ParseWebSocket(tt.url, Options{})
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		if w.Over.String() != tt.over || w.Host != tt.host || w.Path != tt.path || w.String() != tt.text {
			t.Errorf("%s: over %s, host %s, path %s, called %s", tt.url, w.Over, w.Host, w.Path, w)
		}
	}
}

func TestParseWebSocketMistakes(t *testing.T) {
	tests := []struct{ url, want string }{
		{"http://h/x", `URL "http://h/x": http is for pages: write ws://`},
		{"HTTPS://h", `https is for pages: write wss://`},
		{"localhost:8080/x", "the scheme is missing: write ws://host:port/path, or wss:// for TLS"},
		{"localhost", "the scheme is missing"},
		{"", `URL "": the scheme is missing`},
		{"ftp://h", "the scheme is not one of WebSocket: write ws://"},
		{"ws:/h", "the scheme is missing"},
		{"ws://", "the host is missing"},
		{"ws://:80/", "the host is missing"},
		{"ws://h:0/", "port 0 is out of range"},
		{"ws://h:65536/", "port 65536 is out of range"},
		{"ws://h:x/", `invalid port ":x" after host: write ws://host:port/path`},
		{"ws://h/%zz", `invalid URL escape "%zz": write ws://host:port/path`},
		{"ws://a b/", "write ws://host:port/path"},
		{"ws://h/#top", "a fragment is never sent: leave out # and what is behind it"},
		{"ws://ann:secret@h:0/?token=secret", `URL "ws://h:0": port 0`},
		{"ann:secret@h", `URL "h": the scheme is missing`},
		{"ws+unix:run/x.sock", "the path of the socket is missing: write ws+unix:/run/x.sock:/path"},
		{"ws+unix:/run/x.sock:path", "behind the socket stands a path: write ws+unix:/run/x.sock:/path"},
		{"ws://h/" + strings.Repeat("x", maxURL), "URL of 8199 bytes: write ws://host:port/path, in at most 8192 bytes"},
	}
	for _, tt := range tests {
		_, err := ParseWebSocket(tt.url, Options{})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%.40q: %v, want %q in it", tt.url, err, tt.want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%v tells the secret", err)
		}
	}
}

func TestParseWebSocketUser(t *testing.T) {
	w, err := ParseWebSocket("ws://ann:open%20sesame@h/x", Options{})
	check(t, err)
	if got, want := w.Header.Get("Authorization"), "Basic YW5uOm9wZW4gc2VzYW1l"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// wss has TLS whether options say how or not, and keeps what they say.
func TestParseWebSocketTLS(t *testing.T) {
	theirs := &tls.Config{ServerName: "other.example", MinVersion: tls.VersionTLS13}
	w, err := ParseWebSocket("wss://mill.example:1", Options{TLS: theirs})
	check(t, err)
	config := w.Over.(TLS).Config
	if config.ServerName != "other.example" || config.MinVersion != tls.VersionTLS13 || len(theirs.NextProtos) != 0 {
		t.Errorf("for %s, at least %x, theirs %v", config.ServerName, config.MinVersion, theirs.NextProtos)
	}
	w, err = ParseWebSocket("wss://mill.example:1", Options{})
	check(t, err)
	if config := w.Over.(TLS).Config; config.ServerName != "mill.example" || config.InsecureSkipVerify {
		t.Errorf("for %q, unverified: %t", config.ServerName, config.InsecureSkipVerify)
	}
}

// What is accepted can be asked for, and is called by a name that says where.
func FuzzParseWebSocket(f *testing.F) {
	for _, s := range []string{"ws://h:1/p?q", "wss://[::1]/", "ws+unix:/x:/y", "ws://u:p@h", "http://h", "ws://h/%zz", "ws://[fe80::1%25x]/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		w, err := ParseWebSocket(s, Options{})
		if err != nil {
			if strings.ContainsAny(err.Error(), "\x00\r\n") {
				t.Fatalf("ParseWebSocket(%q): %q is not one line", s, err)
			}
			return
		}
		request, err := w.request("key")
		if err != nil {
			t.Fatalf("%q cannot be asked for: %v", s, err)
		}
		var head strings.Builder
		if err := request.Write(&head); err != nil || strings.Count(head.String(), "\r\n\r\n") != 1 {
			t.Fatalf("%q asks %q, %v", s, head.String(), err)
		}
	})
}
