package deflate

import (
	"strings"
	"testing"
)

// A browser, a library or a stranger offers, and is answered.
func TestAccept(t *testing.T) {
	const none, malformed = "", "malformed"
	for _, tc := range []struct {
		offer  string // lines, by newlines
		answer string
	}{
		{"permessage-deflate", "permessage-deflate"},
		{"permessage-deflate; client_max_window_bits", "permessage-deflate"}, // Chromium, Firefox
		{"x-webkit-deflate-frame", none},                                     // old Safari
		{none, none},
		{"permessage-deflate; server_no_context_takeover; client_no_context_takeover", "permessage-deflate; server_no_context_takeover; client_no_context_takeover"},
		{"permessage-deflate; server_max_window_bits=10", "permessage-deflate; server_max_window_bits=10"},
		{"permessage-deflate; client_max_window_bits=9; server_max_window_bits=8", "permessage-deflate; server_max_window_bits=8; client_max_window_bits=9"},
		{`permessage-deflate; server_max_window_bits="12"`, "permessage-deflate; server_max_window_bits=12"},
		{`permessage-deflate; server_max_window_bits="1\2"`, "permessage-deflate; server_max_window_bits=12"},
		{"  permessage-deflate \t;\tserver_max_window_bits = 15 , ", "permessage-deflate; server_max_window_bits=15"},
		{",, ,permessage-deflate,", "permessage-deflate"},

		// One is declined, and the next is looked at (RFC 7692, 5.1).
		{"permessage-deflate; server_max_window_bits=7, permessage-deflate; server_max_window_bits=11", "permessage-deflate; server_max_window_bits=11"},
		{"permessage-bzip2; level=9, permessage-deflate", "permessage-deflate"},
		{"permessage-bzip2\npermessage-deflate; x=1\npermessage-deflate; client_no_context_takeover", "permessage-deflate; client_no_context_takeover"},
		{"permessage-deflate; server_max_window_bits=9, permessage-deflate", "permessage-deflate; server_max_window_bits=9"},

		// RFC 7692, 7.1: each of these declines.
		{"permessage-deflate; unheard_of", none},
		{"permessage-deflate; server_no_context_takeover=true", none},
		{`permessage-deflate; client_no_context_takeover="1"`, none},
		{"permessage-deflate; server_no_context_takeover; server_no_context_takeover", none},
		{"permessage-deflate; client_max_window_bits; client_max_window_bits=10", none},
		{"permessage-deflate; server_max_window_bits", none},
		{"permessage-deflate; server_max_window_bits=16", none},
		{"permessage-deflate; server_max_window_bits=08", none},
		{"permessage-deflate; server_max_window_bits=+9", none},
		{"permessage-deflate; client_max_window_bits=7", none},
		{"permessage-deflate; client_max_window_bits=1e1", none},
		{"permessage-deflate; client_max_window_bits=99999999999999999999", none},
		{"Permessage-Deflate", none},

		// RFC 6455, 9.1: no header at all.
		{"permessage-deflate; ", malformed},
		{"permessage-deflate;; client_max_window_bits", malformed},
		{"permessage-deflate; =1", malformed},
		{"permessage-deflate; server_max_window_bits=", malformed},
		{`permessage-deflate; server_max_window_bits="10`, malformed},
		{`permessage-deflate; server_max_window_bits=""`, malformed},
		{`permessage-deflate; server_max_window_bits="1 0"`, malformed},
		{`permessage-deflate; server_max_window_bits="10\`, malformed},
		{"permessage-deflate server_max_window_bits=10", malformed},
		{"permessage-deflate, permessage/bzip2", malformed},
		{"permessage-deflate\n(", malformed},
		{"; server_max_window_bits=10", malformed},
		{"permessage-deflate; a=\x00", malformed},
	} {
		var lines []string
		if tc.offer != "" {
			lines = strings.Split(tc.offer, "\n")
		}
		p, ok, err := Accept(lines)
		got := none
		switch {
		case err != nil:
			got = malformed
		case ok:
			got = p.String()
		}
		if got != tc.answer {
			t.Errorf("%q: answered %q (%v), want %q", tc.offer, got, err, tc.answer)
		}
	}
}

// FuzzAccept: whatever is offered, the answer asks for nothing that RFC 7692
// forbids, and is itself an offer that is taken as it stands.
func FuzzAccept(f *testing.F) {
	for _, seed := range []string{
		"permessage-deflate; client_max_window_bits, permessage-deflate", `permessage-deflate; server_max_window_bits="1\0"`,
		"permessage-deflate; server_no_context_takeover; client_max_window_bits=8", "a;b=c,\t,permessage-deflate;", "\x00\"\\",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		p, ok, err := Accept([]string{line})
		if !ok || err != nil {
			return
		}
		if !strings.Contains(line, Name) {
			t.Errorf("%q does not offer it", line)
		}
		if p.ClientBits != 0 && !strings.Contains(line, "client_max_window_bits") {
			t.Errorf("%q is answered with client_max_window_bits (RFC 7692, 7.1.2.2)", line)
		}
		if again, ok, err := Accept([]string{p.String()}); again != p || !ok || err != nil {
			t.Errorf("%q: answer %q reads as %+v %v %v", line, p, again, ok, err)
		}
		new(Pool).Codec(p)
	})
}
