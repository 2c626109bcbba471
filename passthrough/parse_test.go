package passthrough

import (
	"cmp"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	tests := []struct{ text, want, err string }{
		{text: "passthrough+ws://127.0.0.1:5000"},
		{text: "passthrough+ws://localhost:5000/", want: "passthrough+ws://localhost:5000"},
		{text: "passthrough+ws://chat.example:80/base/x"},
		{text: "passthrough+wss://chat.example:443/base/", want: "passthrough+wss://chat.example:443/base"},
		{text: "passthrough+wss://[2001:DB8::1]:443", want: "passthrough+wss://[2001:db8::1]:443"},
		{text: "passthrough+unix:/run/chat.sock"},
		{text: "passthrough+unix:@chat"},
		{text: "passthrough+ws://localhost", err: "the port is missing"},
		{text: "passthrough+ws://:80", err: "the host is missing"},
		{text: "passthrough+ws://localhost:0", err: "out of range"},
		{text: "passthrough+ws://user@localhost:80", err: "neither an IP address nor a host name"},
		{text: "passthrough+ws://unix:@chat", err: "passthrough+unix:/run/x.sock"},
		{text: "passthrough+ws://localhost:80/x?y", err: "no query"},
		{text: "passthrough+ws://localhost:80/x\r\nX: y", err: "no blank"},
		{text: "passthrough+ws://" + strings.Repeat("x", 600) + ":80", err: "at most 512 bytes"},
		{text: strings.Repeat("x", 2000), err: "at most 1024"},
		{text: "passthrough+unix:run/chat.sock", err: "begins with /"},
		{text: "passthrough+unix:/run/\x00", err: "NUL"},
		{text: "passthrough+http://localhost:80", err: "passthrough+wss://host:port"},
		{text: "", err: "passthrough+wss://host:port"},
	}
	for _, test := range tests {
		to, err := Parse(test.text)
		switch {
		case test.err != "":
			if err == nil || !strings.Contains(err.Error(), test.err) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%.80q: error %v, want one line with %q", test.text, err, test.err)
			}
		case err != nil:
			t.Errorf("%q: %v", test.text, err)
		default:
			if want := cmp.Or(test.want, test.text); to.String() != want {
				t.Errorf("%q is read as %q, want %q", test.text, to, want)
			}
			if (to.TLS != nil) != strings.Contains(test.text, "wss:") {
				t.Errorf("%q: TLS %v", test.text, to.TLS)
			}
		}
	}
}

// Whatever is read can be written, and read again.
func FuzzParse(f *testing.F) {
	f.Add("passthrough+ws://127.0.0.1:5000/x")
	f.Add("passthrough+wss://[::1%eth0]:443//")
	f.Add("passthrough+unix:@a b")
	f.Fuzz(func(t *testing.T, s string) {
		to, err := Parse(s)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\r\n") {
				t.Errorf("%q: error of several lines: %q", s, err)
			}
			return
		}
		again, err := Parse(to.String())
		if err != nil || again.String() != to.String() {
			t.Errorf("%q is read as %q, and that as %v, %v", s, to, again, err)
		}
	})
}
