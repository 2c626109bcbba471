package target

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

// Headers as proxy-protocol.txt has them.
func TestProxyHeaders(t *testing.T) {
	v4, v4local := netip.MustParseAddrPort("203.0.113.7:55555"), netip.MustParseAddrPort("198.51.100.1:443")
	v6, v6local := netip.MustParseAddrPort("[2001:db8::7]:55555"), netip.MustParseAddrPort("[2001:db8::1]:443")
	mapped, zoned := netip.MustParseAddrPort("[::ffff:203.0.113.7]:55555"), netip.MustParseAddrPort("[fe80::7%eth0]:55555")
	nobody := netip.AddrPort{}
	const signature = "\r\n\r\n\x00\r\nQUIT\n"
	const bytes6, bytes6local = "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x07", "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01"
	const ports = "\xd9\x03\x01\xbb"
	ends4 := "\xcb\x00\x71\x07\xc6\x33\x64\x01" + ports
	secure := &tls.ConnectionState{Version: tls.VersionTLS13, CipherSuite: tls.TLS_AES_128_GCM_SHA256, NegotiatedProtocol: "http/1.1", ServerName: "desk.example"}
	known := &tls.ConnectionState{Version: tls.VersionTLS12, CipherSuite: tls.TLS_AES_128_GCM_SHA256,
		PeerCertificates: []*x509.Certificate{{Subject: pkix.Name{CommonName: "anna"}}}, VerifiedChains: [][]*x509.Certificate{{}}}
	resumed, unverified, long := *known, *known, *secure
	resumed.DidResume, unverified.VerifiedChains, long.ServerName = true, nil, strings.Repeat("x", 256)
	const cipher = "\x23\x00\x16TLS_AES_128_GCM_SHA256"
	tests := []struct {
		name   string
		header ProxyHeader
		want   string
	}{
		{"1, IPv4", ProxyHeader{1, v4, v4local, secure}, "PROXY TCP4 203.0.113.7 198.51.100.1 55555 443\r\n"},
		{"1, IPv6", ProxyHeader{1, v6, v6local, nil}, "PROXY TCP6 2001:db8::7 2001:db8::1 55555 443\r\n"},
		{"1, both", ProxyHeader{1, v4, v6local, nil}, "PROXY TCP6 ::ffff:203.0.113.7 2001:db8::1 55555 443\r\n"},
		{"1, IPv4 in IPv6", ProxyHeader{1, mapped, v4local, nil}, "PROXY TCP4 203.0.113.7 198.51.100.1 55555 443\r\n"},
		{"1, a zone", ProxyHeader{1, zoned, v6local, nil}, "PROXY TCP6 fe80::7 2001:db8::1 55555 443\r\n"},
		{"1, destination not known", ProxyHeader{1, v4, nobody, nil}, "PROXY TCP4 203.0.113.7 0.0.0.0 55555 0\r\n"},
		{"1, nothing known", ProxyHeader{1, nobody, v4local, nil}, "PROXY UNKNOWN\r\n"},
		{"2, IPv4", ProxyHeader{2, v4, v4local, nil}, signature + "\x21\x11\x00\x0c" + ends4},
		{"2, IPv6", ProxyHeader{2, v6, v6local, nil}, signature + "\x21\x21\x00\x24" + bytes6 + bytes6local + ports},
		{"2, both", ProxyHeader{2, v4, v6local, nil}, signature + "\x21\x21\x00\x24" + strings.Repeat("\x00", 10) + "\xff\xff\xcb\x00\x71\x07" + bytes6local + ports},
		{"2, destination not known", ProxyHeader{2, v6, nobody, nil}, signature + "\x21\x21\x00\x24" + bytes6 + strings.Repeat("\x00", 16) + "\xd9\x03\x00\x00"},
		{"2, nothing known", ProxyHeader{2, nobody, nobody, secure}, signature + "\x20\x00\x00\x00"},
		{"2, by TLS", ProxyHeader{2, v4, v4local, secure}, signature + "\x21\x11\x00\x51" + ends4 +
			"\x01\x00\x08http/1.1" + "\x02\x00\x0cdesk.example" + "\x20\x00\x28\x01\x00\x00\x00\x01" + "\x21\x00\x07TLSv1.3" + cipher},
		{"2, a name too long to tell", ProxyHeader{2, v4, v4local, &long}, signature + "\x21\x11\x00\x42" + ends4 +
			"\x01\x00\x08http/1.1" + "\x20\x00\x28\x01\x00\x00\x00\x01" + "\x21\x00\x07TLSv1.3" + cipher},
		{"2, with a certificate", ProxyHeader{2, v4, v4local, known}, signature + "\x21\x11\x00\x3e" + ends4 +
			"\x20\x00\x2f\x07\x00\x00\x00\x00" + "\x21\x00\x07TLSv1.2" + "\x22\x00\x04anna" + cipher},
		{"2, with a certificate of before", ProxyHeader{2, v4, v4local, &resumed}, signature + "\x21\x11\x00\x3e" + ends4 +
			"\x20\x00\x2f\x05\x00\x00\x00\x00" + "\x21\x00\x07TLSv1.2" + "\x22\x00\x04anna" + cipher},
		{"2, with a certificate nobody vouches for", ProxyHeader{2, v4, v4local, &unverified}, signature + "\x21\x11\x00\x3e" + ends4 +
			"\x20\x00\x2f\x07\x00\x00\x00\x01" + "\x21\x00\x07TLSv1.2" + "\x22\x00\x04anna" + cipher},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := string(tt.header.AppendTo([]byte("before"))); got != "before"+tt.want {
				t.Errorf("got  %q\nwant %q", got, "before"+tt.want)
			}
		})
	}
}

// A session's client is the one of its request.
func TestProxyHeaderOfARequest(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.RemoteAddr = "203.0.113.7:55555"
	if got := string(ProxyHeaderFor(r, 1).AppendTo(nil)); got != "PROXY TCP4 203.0.113.7 0.0.0.0 55555 0\r\n" {
		t.Errorf("without a local address: %q", got)
	}
	local := &net.TCPAddr{IP: net.IPv4(198, 51, 100, 1), Port: 443}
	r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, local))
	if got := string(ProxyHeaderFor(r, 1).AppendTo(nil)); got != "PROXY TCP4 203.0.113.7 198.51.100.1 55555 443\r\n" {
		t.Errorf("got %q", got)
	}
	r.RemoteAddr = "@"
	if got := string(ProxyHeaderFor(r, 1).AppendTo(nil)); got != "PROXY UNKNOWN\r\n" {
		t.Errorf("by unix socket: %q", got)
	}
}

// The header comes first, whatever the target speaks; behind it the target's
// certificate is verified as ever.
func TestHeaderComesFirst(t *testing.T) {
	header := ProxyHeader{Version: 1, Source: netip.MustParseAddrPort("203.0.113.7:55555")}
	line := string(header.AppendTo(nil))
	plain := start(t, func(c net.Conn) { sayHeader(c, c, len(line)) })
	ours, other := issue(t, "localhost", nil, nextYear()), issue(t, "localhost", nil, nextYear())
	config := &tls.Config{Certificates: []tls.Certificate{ours.pair()}}
	secure := start(t, func(c net.Conn) { sayHeader(c, tls.Server(c, config), len(line)) })
	for _, to := range []Target{TCP{Address: plain}, TLS{Over: at("localhost", secure), Config: &tls.Config{RootCAs: ours.pool()}}} {
		conn, err := header.Before(to).Dial(t.Context())
		check(t, err)
		if got, err := io.ReadAll(conn); string(got) != line || err != nil {
			t.Errorf("%s got %q, %v, want %q", to, got, err, line)
		}
		conn.Close()
		if got := header.Before(to).String(); got != to.String() {
			t.Errorf("its name is %q", got)
		}
	}
	_, err := header.Before(TLS{Over: at("localhost", secure), Config: &tls.Config{RootCAs: other.pool()}}).Dial(t.Context())
	if err == nil || !strings.Contains(err.Error(), "not trusted") {
		t.Errorf("somebody else's certificate: %v", err)
	}
}

// sayHeader reads a header of n bytes from raw and says it back on conn.
func sayHeader(raw, conn net.Conn, n int) {
	header := make([]byte, n)
	if _, err := io.ReadFull(raw, header); err == nil {
		conn.Write(header)
		conn.Close()
	}
}

// A target that takes no header leaves no connection behind.
func TestHeaderThatCannotBeSent(t *testing.T) {
	near, far := net.Pipe()
	far.Close()
	if _, err := (ProxyHeader{Version: 2}).Before(given{near}).Dial(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "send PROXY header: ") {
		t.Errorf("got %v", err)
	}
	if _, err := near.Read(nil); err != io.ErrClosedPipe {
		t.Errorf("the connection is left open: %v", err)
	}
}

// given is a target that is connected already.
type given struct{ conn net.Conn }

func (g given) Dial(context.Context) (net.Conn, error) { return g.conn, nil }
func (g given) String() string                         { return "given" }
