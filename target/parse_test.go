package target

import (
	"crypto/tls"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	tests := []struct {
		in   string
		want Target
		out  string // what String says
	}{
		{"localhost:5900", TCP{Address: "localhost:5900"}, "localhost:5900"},
		{"192.0.2.1:1", TCP{Address: "192.0.2.1:1"}, "192.0.2.1:1"},
		{"a_b.example.org.:65535", TCP{Address: "a_b.example.org.:65535"}, "a_b.example.org.:65535"},
		{"[::1]:5900", TCP{Address: "[::1]:5900"}, "[::1]:5900"},
		{"[2001:DB8:0::1]:05900", TCP{Address: "[2001:db8::1]:5900"}, "[2001:db8::1]:5900"},
		{"[fe80::1%eth0]:5900", TCP{Address: "[fe80::1%eth0]:5900"}, "[fe80::1%eth0]:5900"},
		{"::1:5900", TCP{Address: "[::1]:5900"}, "[::1]:5900"}, // the ancestor's spelling
		{"unix:5900", TCP{Address: "unix:5900"}, "unix:5900"},  // a host of that name
		{"unix:/run/x.sock", Unix{Path: "/run/x.sock"}, "unix:/run/x.sock"},
		{"unix_socket:/run/x.sock", Unix{Path: "/run/x.sock"}, "unix:/run/x.sock"},
		{"unix:/run/a b:5900", Unix{Path: "/run/a b:5900"}, "unix:/run/a b:5900"},
		{"unix:@/tmp/.X11-unix/X0", Unix{Path: "@/tmp/.X11-unix/X0"}, "unix:@/tmp/.X11-unix/X0"},
	}
	for _, tt := range tests {
		got, err := Parse(tt.in)
		if err != nil {
			t.Errorf("%s: %v", tt.in, err)
			continue
		}
		if diff := cmp.Diff(tt.want, got); diff != "" || got.String() != tt.out {
			t.Errorf("%s is %q (-want +got):\n%s", tt.in, got, diff)
		}
	}
}

// Every mistake gets told what it is and what to write.
func TestParseMistakes(t *testing.T) {
	tests := []struct{ in, want string }{
		{"", "the port is missing: write host:port"},
		{"localhost", "the port is missing"},
		{"localhost:", "the port is missing"},
		{":5900", "the host is missing: write localhost for this machine"},
		{"localhost:vnc", `port "vnc" is not a number`},
		{"localhost:-1", `port "-1" is not a number`},
		{"localhost:+1", `port "+1" is not a number`},
		{"localhost:5900 ", `port "5900 " is not a number`},
		{"localhost:0", "port 0 is out of range: it goes from 1 to 65535"},
		{"localhost:65536", "port 65536 is out of range"},
		{"localhost:99999999999999999999999", "is out of range"},
		{"::1", "an IPv6 address goes in brackets, before the port: write [2001:db8::1]:5900"},
		{"[::1]", "brackets enclose an IPv6 address"},
		{"[::1:5900", "brackets enclose an IPv6 address"},
		{"::1]:5900", "brackets enclose an IPv6 address"},
		{"[]:5900", "brackets enclose an IPv6 address"},
		{"[localhost]:5900", "brackets enclose an IPv6 address"},
		{"[127.0.0.1]:5900", "brackets enclose an IPv6 address"},
		{"[fe80::1%a\r\nb]:5900", "brackets enclose an IPv6 address"},
		{"http://localhost:5900", "a slash is in no host:port; a unix socket is written unix:/run/x.sock"},
		{"/run/x.sock", "the port is missing"},
		{"/run/x.sock:1", "a slash is in no host:port"},
		{"unix:x.sock", `port "x.sock" is not a number`},
		{"unix_socket:x.sock", "the path of a unix socket begins with /"},
		{"unix:/a\x00b", "has no NUL in it"},
		{"a b:5900", `"a b" is neither an IP address nor a host name`},
		{"user@host:5900", "is neither an IP address nor a host name"},
		{"a\r\nb:5900", "is neither an IP address nor a host name"},
		{"a\x00b:5900", "is neither an IP address nor a host name"},
		{"a\xffb:5900", "is neither an IP address nor a host name"},
		{strings.Repeat("a", 254) + ":5900", "is neither an IP address nor a host name"},
		{strings.Repeat("a", 1<<20) + ":5900", "target of 1048581 bytes: write host:port"},
	}
	for _, tt := range tests {
		got, err := Parse(tt.in)
		if err == nil {
			t.Errorf("%.50q is %v, want an error", tt.in, got)
			continue
		}
		if !strings.Contains(err.Error(), tt.want) || strings.ContainsAny(err.Error(), "\x00\r\n") || len(err.Error()) > 1000 {
			t.Errorf("%.50q: %q does not say %q in one short line", tt.in, err, tt.want)
		}
	}
}

// What targets share reaches each of them.
func TestOptionsParse(t *testing.T) {
	named := &tls.Config{ServerName: "a"}
	tests := []struct {
		options Options
		in      string
		want    string
	}{
		{Options{Timeout: time.Second}, "h:1", "h:1"},
		{Options{Timeout: time.Second, TLS: new(tls.Config)}, "h:1", "h:1 (TLS)"},
		{Options{Timeout: time.Second, TLS: named}, "unix:/s", "unix:/s (TLS)"},
		{Options{Timeout: time.Second, TLS: &tls.Config{InsecureSkipVerify: true}}, "unix:/s", "unix:/s (TLS)"},
	}
	for _, tt := range tests {
		got, err := tt.options.Parse(tt.in)
		if err != nil || got.String() != tt.want {
			t.Errorf("%s: %v, %v", tt.in, got, err)
			continue
		}
		inner, timeout := got, time.Duration(0)
		if secure, ok := got.(TLS); ok {
			inner, timeout = secure.Over, secure.Timeout
			if secure.Config != tt.options.TLS || timeout != time.Second {
				t.Errorf("%s: %+v", tt.in, secure)
			}
		}
		switch inner := inner.(type) {
		case TCP:
			timeout = inner.Timeout
		case Unix:
			timeout = inner.Timeout
		}
		if timeout != time.Second {
			t.Errorf("%s: the time is %v", tt.in, timeout)
		}
	}
	_, err := Options{TLS: new(tls.Config)}.Parse("unix:/s")
	if err == nil || !strings.Contains(err.Error(), "unix:/s has no host name: say which name its certificate has") {
		t.Errorf("TLS to a socket without a name: %v", err)
	}
}

// What Parse accepts, String must write in a form Parse accepts again.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"h:1", "[::1]:2", "::1:3", "[fe80::1%x]:5", "unix:/a", "unix_socket:/b", "unix:@c", "x:65536"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		one, err := Parse(s)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\x00\r\n") {
				t.Fatalf("Parse(%q): %q is not one line", s, err)
			}
			return
		}
		if again, err := Parse(one.String()); err != nil || again != one {
			t.Fatalf("Parse(%q) = %v, but Parse of that = %v, %v", s, one, again, err)
		}
	})
}
