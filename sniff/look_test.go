package sniff

import (
	"strings"
	"testing"
)

// hellos are first bytes and what they must be taken for.
var hellos = []struct {
	name string
	in   string
	kind Kind
	skip int
	more bool
}{
	{name: "nothing", in: "", more: true},
	{name: "request", in: "GET / HTTP/1.1\r\n", kind: HTTP},
	{name: "one letter", in: "G", kind: HTTP},
	{name: "blank line", in: "\r\nGET /", kind: HTTP, skip: 2},
	{name: "bare LF", in: "\nGET /", kind: HTTP, skip: 1},
	{name: "mixed blank lines", in: "\n\r\n\nGET /", kind: HTTP, skip: 4},
	{name: "four blank lines", in: "\r\n\r\n\r\n\r\nGET /", kind: HTTP, skip: 8},
	{name: "five blank lines", in: "\r\n\r\n\r\n\r\n\r\nGET /", kind: HTTP, skip: 8},
	{name: "five LF", in: "\n\n\n\n\nGET /", kind: HTTP, skip: 4},
	{name: "only a blank line", in: "\r\n", skip: 2, more: true},
	{name: "only four blank lines", in: "\n\n\n\n", skip: 4, more: true},
	{name: "half a blank line", in: "\r", more: true},
	{name: "half a second one", in: "\r\n\r", skip: 2, more: true},
	{name: "CR of a fifth line", in: "\n\n\n\n\r", kind: HTTP, skip: 4},
	{name: "CR before a letter", in: "\rGET /", kind: HTTP},
	{name: "ClientHello", in: "\x16\x03\x01\x02\x00\x01", kind: TLS},
	{name: "first byte of a ClientHello", in: "\x16", kind: TLS},
	{name: "ClientHello after a blank line", in: "\n\x16\x03\x01", kind: HTTP, skip: 1},
	{name: "SSLv2 hello", in: "\x80\x2e\x01\x00\x02", kind: SSLv2},
	{name: "flash", in: "<policy-file-request/>\x00", kind: FlashPolicy},
	{name: "flash and more", in: "<policy-file-request/>\x00abc", kind: FlashPolicy},
	{name: "flash without NUL", in: "<policy-file-request/>", more: true},
	{name: "flash with a newline for NUL", in: "<policy-file-request/>\n", kind: HTTP},
	{name: "other XML", in: "<policy-xyz", kind: HTTP},
	{name: "flash after a blank line", in: "\n<policy-file-request/>\x00", kind: HTTP, skip: 1},
	{name: "indented by spaces", in: "    GET / HTTP/1.1\r\n", kind: Indented},
	{name: "indented by a tab", in: "\tGET / HTTP/1.1\r\n", kind: Indented},
	{name: "indented after blank lines", in: "\n\r\n GET /", kind: Indented, skip: 3},
	{name: "binary", in: "\x00\x01\x02", kind: HTTP},
	{name: "SSH banner", in: "SSH-2.0-OpenSSH_9.2\r\n", kind: HTTP},
}

func TestLook(t *testing.T) {
	for _, tt := range hellos {
		t.Run(tt.name, func(t *testing.T) {
			kind, skip, more := Look([]byte(tt.in))
			if kind != tt.kind || skip != tt.skip || more != tt.more {
				t.Errorf("Look(%q) = %v, %d, %v; want %v, %d, %v",
					tt.in, kind, skip, more, tt.kind, tt.skip, tt.more)
			}
		})
	}
}

// A verdict, once given, must not change with the bytes that follow, and must
// not be put off for ever.
func FuzzLook(f *testing.F) {
	for _, tt := range hellos {
		f.Add([]byte(tt.in))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		kind, skip, more := Look(p)
		if more && len(p) >= len(flashRequest) {
			t.Fatalf("Look cannot tell %d bytes", len(p))
		}
		if lost := string(p[:skip]); strings.Trim(lost, "\r\n") != "" || strings.Count(lost, "\n") > maxBlankLines {
			t.Fatalf("Look(%q) drops %q", p, lost)
		}
		for i := range p {
			k, s, m := Look(p[:i])
			if !m && (more || k != kind || s != skip) {
				t.Fatalf("Look(%q) = %v, %d but Look(%q) = %v, %d, %v", p[:i], k, s, p, kind, skip, more)
			}
		}
	})
}

func TestKindString(t *testing.T) {
	want := []string{"http", "tls", "sslv2", "flash policy", "indented", "kind 5"}
	for k, name := range want {
		if got := Kind(k).String(); got != name {
			t.Errorf("Kind(%d) is called %q, want %q", k, got, name)
		}
	}
}

func TestPolicyFile(t *testing.T) {
	got := string(PolicyFile(6080))
	want := `<?xml version="1.0"?><cross-domain-policy>` +
		`<allow-access-from domain="*" to-ports="6080"/></cross-domain-policy>` + "\x00"
	if got != want {
		t.Errorf("PolicyFile(6080) = %q, want %q", got, want)
	}
}
