package policy

import (
	"strings"
	"testing"
)

func TestParseEndpoint(t *testing.T) {
	tests := []struct {
		in   string
		want string // String, or the error's beginning
	}{
		{"desk:5900", "desk:5900"},
		{"192.0.2.1:1", "192.0.2.1:1"},
		{"[2001:db8::1]:5900", "[2001:db8::1]:5900"},
		{"::1:5900", "[::1]:5900"}, // websockify's only spelling
		{"[fe80::1%eth0]:22", "[fe80::1%eth0]:22"},
		{"desk:05900", "desk:5900"},
		{"unix_socket:/run/desk.sock", "unix_socket:/run/desk.sock"},
		{"unix:/run/a:b", "unix_socket:/run/a:b"},
		{"", "the target has no port"},
		{"desk", "the target has no port"},
		{"desk:", "the target's port"},
		{":5900", "the target has no host"},
		{"desk:0", "the target's port"},
		{"desk:65536", "the target's port"},
		{"desk:-1", "the target's port"},
		{"desk: 5900", "the target's port"},
		{"de sk:5900", "the target's host"},
		{"desk\x00:5900", "the target's host"},
		{"desk\r\n:5900", "the target's host"},
		{"user@desk:5900", "the target's host"},
		{"http://desk:5900", "the target's host"},
		{"[desk]:5900", "the target's host is no IPv6"},
		{"[::1:5900", "the target's host is no IPv6"},
		{"::1]:5900", "the target's host is no IPv6"},
		{"[192.0.2.1]:1", "the target's host is no IPv6"},
		{"a:b:1", "the target's host is no IPv6"},
		{"unix_socket:run/desk.sock", "the socket's path is not absolute"},
		{"unix_socket:", "the socket's path is not absolute"},
		{"unix_socket:/run/\x00", "the socket's path has a control"},
	}
	for _, tt := range tests {
		e, err := ParseEndpoint(tt.in)
		got := e.String()
		if err != nil {
			got = err.Error()
		}
		if got != tt.want && (err == nil || !strings.HasPrefix(got, tt.want)) {
			t.Errorf("%q: %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestParseAnswer(t *testing.T) {
	tests := []struct{ in, want string }{
		{"desk:5900\n", "desk:5900"},
		{`{"host":"desk","port":5900}`, "desk:5900"},
		{`{"host":"desk","port":"5900"}`, "desk:5900"},
		{`{"host":"::1","port":5900}`, "[::1]:5900"},
		{`{"host":"[::1]","port":5900}`, "[::1]:5900"},
		{`{"host":"desk:5900"}`, "desk:5900"},
		{`{"target":"unix_socket:/run/s"}`, "unix_socket:/run/s"},
		{`{"host":"unix_socket","port":"/run/s"}`, "unix_socket:/run/s"},
		{` {"target":"[::1]:1","more":[1,2]} `, "[::1]:1"},
		{`{"host":"desk"}`, "error"},
		{`{"host":"desk","port":5900.5}`, "error"},
		{`{"host":"desk","port":1e3}`, "error"},
		{`{"host":"desk","port":null}`, "error"},
		{`{"host":"desk","port":{}}`, "error"},
		{`{"host":"desk/x","port":1}`, "error"},
		{`{"port":5900}`, "error"},
		{`{}`, "error"},
		{`{"host":"desk:1"} trailing`, "error"},
		{`null`, "error"},
		{``, "error"},
	}
	for _, tt := range tests {
		e, err := parseAnswer([]byte(tt.in))
		got := e.String()
		if err != nil {
			got = "error"
		}
		if got != tt.want {
			t.Errorf("%s: %q (%v), want %q", tt.in, got, err, tt.want)
		}
	}
}

// What is read as a target is one that can be said, read again, and dialled.
func FuzzParseEndpoint(f *testing.F) {
	for _, s := range []string{"desk:5900", "[::1]:5900", "::1:1", "unix_socket:/x", "[::ffff:1.2.3.4%a]:9", "a:b:c", `{"host":"h:1"}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e, err := ParseEndpoint(s)
		if err != nil {
			return
		}
		again, err := ParseEndpoint(e.String())
		if err != nil || again != e {
			t.Errorf("%q is %+v, said %q, and that is %+v, %v", s, e, e, again, err)
		}
		if strings.ContainsFunc(e.Address, isControl) || e.Network != "tcp" && e.Network != "unix" {
			t.Errorf("%q is %+v", s, e)
		}
	})
}
