package logs

import (
	"strings"
	"testing"
)

func TestParseAddress(t *testing.T) {
	tests := []struct {
		in   string
		want Address
		out  string // what String says
	}{
		{"/dev/log", Address{Network: "unix", Name: "/dev/log"}, "/dev/log"},
		{"./log", Address{Network: "unix", Name: "./log"}, "./log"},
		{"run/log:514", Address{Network: "unix", Name: "run/log:514"}, "run/log:514"},
		{"localhost:514", Address{Network: "udp", Name: "localhost:514"}, "udp://localhost:514"},
		{"127.0.0.1:0514", Address{Network: "udp", Name: "127.0.0.1:514"}, "udp://127.0.0.1:514"},
		{"::1:514", Address{Network: "udp", Name: "[::1]:514"}, "udp://[::1]:514"},
		{"[::1]:514", Address{Network: "udp", Name: "[::1]:514"}, "udp://[::1]:514"},
		{"udp://log.example.org:5514", Address{Network: "udp", Name: "log.example.org:5514"}, "udp://log.example.org:5514"},
		{"tcp://localhost:514/", Address{Network: "tcp", Name: "localhost:514"}, "tcp://localhost:514"},
		{"TCP://[::1]:514", Address{Network: "tcp", Name: "[::1]:514"}, "tcp://[::1]:514"},
		{"tls://log.example.org:6514", Address{Network: "tls", Name: "log.example.org:6514"}, "tls://log.example.org:6514"},
		{"tls://[fe80::1%25eth0]:6514", Address{Network: "tls", Name: "[fe80::1%eth0]:6514"}, "tls://[fe80::1%25eth0]:6514"},
		{"tls://localhost:6514?ca=/etc/ssl/a b.pem", Address{"tls", "localhost:6514", "/etc/ssl/a b.pem"}, "tls://localhost:6514?ca=%2Fetc%2Fssl%2Fa+b.pem"},
	}
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			got, err := ParseAddress(tt.in)
			if err != nil || got != tt.want {
				t.Fatalf("ParseAddress = %+v, %v; want %+v", got, err, tt.want)
			}
			if got.String() != tt.out {
				t.Errorf("String = %q, want %q", got, tt.out)
			}
		})
	}
}

// Every mistake gets told what it is and what to write.
func TestParseAddressMistakes(t *testing.T) {
	tests := []struct{ in, want string }{
		{"", "there is no server: write /dev/log, localhost:514"},
		{"localhost", "the port is missing: write /dev/log, localhost:514"},
		{"log.sock", "the path of a socket has a slash in it, as in ./log.sock"},
		{":514", "the host is missing"},
		{"localhost:", `port "" is not a number from 1 to 65535`},
		{"localhost:x", `port "x" is not a number`},
		{"localhost:0", `port "0" is not a number`},
		{"localhost:65536", `port "65536" is not a number`},
		{"localhost:-1", `port "-1" is not a number`},
		{"two words:514", `"two words" is neither a host name nor an IP address`},
		{"[localhost]:514", `"[localhost]" is neither`},
		{"[127.0.0.1]:514", `"[127.0.0.1]" is neither`},
		{"a:b:514", `"a:b" is neither`},
		{"line\nbreak:514", `"line\nbreak" is neither`},
		{"/dev/log\x00", "no path has a NUL in it"},
		{"/" + strings.Repeat("long", 50), "the path of a socket has at most"},
		{"http://localhost:514", "http:// is none of udp://, tcp:// and tls://"},
		{"unix:///dev/log", "unix:// is none of udp://, tcp:// and tls://: write /dev/log"},
		{"tcp://localhost", "the port is missing"},
		{"tcp://me@localhost:514", "only host:port goes after tcp://"},
		{"tcp://localhost:514/path", "only host:port goes after tcp://"},
		{"tcp://localhost:514#x", "only host:port goes after tcp://"},
		{"tcp://local host:514", "invalid character"},
		{"tcp://localhost:514?ca=x", "only tls://host:port takes a question mark"},
		{"tls://localhost:6514?ca=", "one ca=FILE"},
		{"tls://localhost:6514?ca=a&ca=b", "one ca=FILE"},
		{"tls://localhost:6514?key=a", "one ca=FILE"},
		{"tls://localhost:6514?ca=%zz", "invalid URL escape"},
	}
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			got, err := ParseAddress(tt.in)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("ParseAddress = %+v, %v; want %q", got, err, tt.want)
			}
			if strings.ContainsAny(err.Error(), "\n\x00") {
				t.Errorf("the error is not one line: %q", err)
			}
		})
	}
}

// An address is one that String can say again, or refused.
func FuzzParseAddress(f *testing.F) {
	for _, s := range []string{"/dev/log", "localhost:514", "::1:514", "tls://[::1]:6514?ca=x", "udp://a:1", "tcp:a://b", "a://", "tls://x:1?ca=%00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := ParseAddress(s)
		if err != nil {
			if a != (Address{}) {
				t.Errorf("an error, and %+v", a)
			}
			return
		}
		if again, err := ParseAddress(a.String()); err != nil || again != a {
			t.Errorf("%q is %+v, which says %q, which is %+v, %v", s, a, a, again, err)
		}
	})
}
