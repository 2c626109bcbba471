package listen

import (
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	tests := []struct {
		in   string
		want Address
		out  string // what String says
	}{
		{"6080", Address{Host: "", Port: 6080}, ":6080"},
		{":6080", Address{Host: "", Port: 6080}, ":6080"},
		{"0", Address{Host: "", Port: 0}, ":0"},
		{"65535", Address{Host: "", Port: 65535}, ":65535"},
		{"127.0.0.1:6080", Address{Host: "127.0.0.1", Port: 6080}, "127.0.0.1:6080"},
		{"0.0.0.0:6080", Address{Host: "0.0.0.0", Port: 6080}, "0.0.0.0:6080"},
		{"[::1]:6080", Address{Host: "::1", Port: 6080}, "[::1]:6080"},
		{"[::]:6080", Address{Host: "::", Port: 6080}, "[::]:6080"},
		{"[2001:DB8:0::1]:6080", Address{Host: "2001:db8::1", Port: 6080}, "[2001:db8::1]:6080"},
		{"[fe80::1%eth0]:6080", Address{Host: "fe80::1%eth0", Port: 6080}, "[fe80::1%eth0]:6080"},
		{"::1:6080", Address{Host: "::1", Port: 6080}, "[::1]:6080"}, // the ancestor's spelling
		{"localhost:6080", Address{Host: "localhost", Port: 6080}, "localhost:6080"},
		{"my-host.example.org:80", Address{Host: "my-host.example.org", Port: 80}, "my-host.example.org:80"},
	}
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			got, err := Parse(tt.in)
			if err != nil || got != tt.want {
				t.Fatalf("Parse = %+v, %v; want %+v", got, err, tt.want)
			}
			if got.String() != tt.out {
				t.Errorf("String = %q, want %q", got.String(), tt.out)
			}
		})
	}
}

// Every mistake gets told what it is and what to write.
func TestParseMistakes(t *testing.T) {
	tests := []struct{ in, want string }{
		{"", "the port is missing: write 6080"},
		{":", "the port is missing"},
		{"localhost:", "the port is missing"},
		{"localhost", `port "localhost" is not a number`},
		{"127.0.0.1", `port "127.0.0.1" is not a number`},
		{"6080x", `port "6080x" is not a number`},
		{"-1", `port "-1" is not a number`},
		{"+80", `port "+80" is not a number`},
		{" 80", `port " 80" is not a number`},
		{"65536", "port 65536 is out of range: it goes from 0 to 65535"},
		{"127.0.0.1:70000", "port 70000 is out of range"},
		{"99999999999999999999", "is out of range"},
		{"::1", "an IPv6 address goes in brackets: write [::1]:6080"},
		{"[::1]", "a port follows: write [::1]:6080"},
		{"[::1:6080", "a port follows: write [::1]:6080"},
		{"::1]:6080", "a port follows: write [::1]:6080"},
		{"[localhost]:6080", `"localhost" is not an IPv6 address`},
		{"[127.0.0.1]:6080", `"127.0.0.1" is not an IPv6 address`},
		{"[fe80::1%a\r\nb]:6080", `is not an IPv6 address`},
		{"fe80::1%a\nb:6080", "an IPv6 address goes in brackets"},
		{"*:6080", "leave the address out: write :6080"},
		{"http://localhost:6080", "a URL or a path is not an address"},
		{"/run/x.sock:6080", "a URL or a path is not an address"},
		{"my host:6080", `"my host" is neither an IP address nor a host name`},
		{"user@host:6080", "is neither an IP address nor a host name"},
		{"a\x00b:6080", "is neither an IP address nor a host name"},
	}
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			got, err := Parse(tt.in)
			if err == nil {
				t.Fatalf("Parse = %+v, want an error", got)
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Parse: %q does not say %q", err, tt.want)
			}
			if strings.ContainsAny(err.Error(), "\x00\n") {
				t.Errorf("Parse: %q is not one clean line", err)
			}
		})
	}
}

// What Parse accepts, String must write in a form Parse accepts again.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"6080", ":0", "127.0.0.1:1", "[::1]:2", "::1:3", "h:4", "[fe80::1%x]:5", "*:6"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := Parse(s)
		if err != nil {
			return
		}
		if a.Port < 0 || a.Port > 65535 {
			t.Fatalf("Parse(%q) = %+v", s, a)
		}
		if again, err := Parse(a.String()); err != nil || again != a {
			t.Fatalf("Parse(%q) = %+v, but Parse(%q) = %+v, %v", s, a, a.String(), again, err)
		}
	})
}
