package listen

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// header2 is a header of version 2: command and family by their bytes.
func header2(command, family byte, rest ...string) string {
	body := strings.Join(rest, "")
	return signature2 + string([]byte{0x20 | command, family, byte(len(body) >> 8), byte(len(body))}) + body
}

const (
	ends4 = "\xcb\x00\x71\x07\xc6\x33\x64\x01\xd9\x03\x01\xbb" // 203.0.113.7:55555, 198.51.100.1:443
	ends6 = "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x07" +
		"\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01" + "\xd9\x03\x01\xbb"
)

// checked is a header whose checksum is right.
func checked(header string) string {
	b := []byte(header)
	i := bytes.Index(b, []byte("\x03\x00\x04CRC?")) + 3
	binary.BigEndian.PutUint32(b[i:], checksum(b, i))
	return string(b)
}

// What a trusted peer may say, and what is made of it.
func TestProxyHeaders(t *testing.T) {
	const seven, one = "203.0.113.7:55555", "198.51.100.1:443"
	const seven6, one6 = "[2001:db8::7]:55555", "[2001:db8::1]:443"
	tests := []struct{ name, header, client, local string }{
		{"version 1, IPv4", "PROXY TCP4 203.0.113.7 198.51.100.1 55555 443\r\n", seven, one},
		{"version 1, IPv6", "PROXY TCP6 2001:db8::7 2001:db8::1 55555 443\r\n", seven6, one6},
		{"version 1, the longest", "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
			"[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535", "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"},
		{"version 1, IPv4 in IPv6", "PROXY TCP6 ::ffff:203.0.113.7 ::ffff:198.51.100.1 55555 443\r\n", seven, one},
		{"version 1, not known", "PROXY UNKNOWN\r\n", "", ""},
		{"version 1, not known but said", "PROXY UNKNOWN 2001:db8::7 2001:db8::1 55555 443\r\n", "", ""},
		{"version 2, IPv4", header2(1, 0x11, ends4), seven, one},
		{"version 2, IPv6", header2(1, 0x21, ends6), seven6, one6},
		{"version 2, TLVs", header2(1, 0x11, ends4, "\x02\x00\x03abc", "\x04\x00\x00"), seven, one},
		{"version 2, checksum", checked(header2(1, 0x11, ends4, "\x04\x00\x01x", "\x03\x00\x04CRC?", "\x04\x00\x01y")), seven, one},
		{"version 2, the longest", header2(1, 0x11, ends4, "\x04\x0f\xf1"+strings.Repeat("x", 4096-15)), seven, one},
		{"version 2, by unix socket", header2(1, 0x31, strings.Repeat("\x00", 216)), "", ""},
		{"version 2, not said", header2(1, 0x00), "", ""},
		{"version 2, the proxy itself", header2(0, 0x00), "", ""},
		{"version 2, the proxy itself, addresses said", header2(0, 0x11, ends4), "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, cut := range []func(io.Reader) io.Reader{func(r io.Reader) io.Reader { return r }, iotest.OneByteReader} {
				rest := strings.NewReader(tt.header + "GET / HTTP/1.1\r\n")
				client, local, err := readProxyHeader(cut(rest))
				if err != nil || client != addrPort(tt.client) || local != addrPort(tt.local) {
					t.Errorf("%v, %v, %v", client, local, err)
				}
				if left, _ := io.ReadAll(rest); string(left) != "GET / HTTP/1.1\r\n" {
					t.Errorf("left for others: %q", left)
				}
			}
		})
	}
}

// addrPort is not valid for "".
func addrPort(s string) netip.AddrPort {
	a, _ := netip.ParseAddrPort(s)
	return a
}

// What is no header is refused, with a word on what is wrong, once it can be told.
func TestBadProxyHeaders(t *testing.T) {
	tests := []struct{ name, header, want string }{
		{"no header", "GET / HTTP/1.1\r\nHost: x\r\n", `the connection begins with "GET / HTTP/1"`},
		{"TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 0123456789", "the connection begins with"},
		{"left in the middle", "PROXY TCP4 203.0.113.7 ", "it ends after 23 bytes"},
		{"left in the middle of version 2", header2(1, 0x11, ends4)[:20], "it ends after 20 bytes"},
		{"short line", "PROXY TCP4\r\nGET /", "its line is too short"},
		{"no CR", "PROXY TCP4 203.0.113.7 198.51.100.1 55555 443\n", "without CR"},
		{"no end", "PROXY UNKNOWN " + strings.Repeat("x", 200), "no end of line within 107 bytes"},
		{"unknown family", "PROXY UDP4 203.0.113.7 198.51.100.1 55555 443\r\n", "not PROXY TCP4 or TCP6"},
		{"two spaces", "PROXY TCP4 203.0.113.7  198.51.100.1 55555 443\r\n", "not PROXY TCP4 or TCP6"},
		{"missing port", "PROXY TCP4 203.0.113.7 198.51.100.1 55555\r\n", "not PROXY TCP4 or TCP6"},
		{"other family", "PROXY TCP4 2001:db8::7 2001:db8::1 55555 443\r\n", `address "2001:db8::7" is none of its family`},
		{"name", "PROXY TCP4 example.com 198.51.100.1 55555 443\r\n", `address "example.com"`},
		{"zone", "PROXY TCP6 fe80::1%eth0 fe80::2 55555 443\r\n", `address "fe80::1%eth0"`},
		{"large port", "PROXY TCP4 203.0.113.7 198.51.100.1 65536 443\r\n", `port "65536"`},
		{"padded port", "PROXY TCP4 203.0.113.7 198.51.100.1 55555 0443\r\n", `port "0443"`},
		{"version 3", signature2 + "\x31\x11\x00\x0c" + ends4, "version 3"},
		{"command 2", header2(2, 0x11, ends4), "command 2"},
		{"datagrams", header2(1, 0x12, ends4), "0x12"},
		{"too long", signature2 + "\x21\x11\x10\x01" + ends4, "4097 bytes more"},
		{"short addresses", header2(1, 0x21, ends4), "12 bytes are too few"},
		{"TLV without length", header2(1, 0x11, ends4, "\x04\x00"), "TLV is cut off"},
		{"TLV too long", header2(1, 0x11, ends4, "\x04\x00\x02x"), "TLV is cut off"},
		{"checksum wrong", header2(1, 0x11, ends4, "\x03\x00\x04CRC?"), "checksum is wrong"},
		{"checksum short", header2(1, 0x11, ends4, "\x03\x00\x02CR"), "checksum is wrong"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			client, _, err := readProxyHeader(strings.NewReader(tt.header))
			if err == nil || !strings.Contains(err.Error(), tt.want) || client.IsValid() {
				t.Errorf("got %v, %v, want %q", client, err, tt.want)
			}
		})
	}
}

// A header counts from a trusted peer alone; what anybody else sends is left
// where it is.
func TestOnlyTrustedPeersAreRead(t *testing.T) {
	const header = "PROXY TCP4 203.0.113.7 198.51.100.1 55555 443\r\n"
	for _, tt := range []struct {
		trusted string
		client  string
	}{{"127.0.0.0/8", "203.0.113.7:55555"}, {"10.0.0.0/8,unix", ""}, {"", ""}} {
		from, err := ParsePeers(tt.trusted)
		check(t, err)
		peer, conn := pair(t)
		io.WriteString(peer, header+"rest")
		client, _, err := ProxyProtocol{From: from}.Read(conn, time.Now().Add(time.Minute))
		if err != nil || client != addrPort(tt.client) {
			t.Errorf("trusting %q: %v, %v", tt.trusted, client, err)
		}
		want := header + "rest"
		if tt.client != "" {
			want = "rest"
		}
		got := make([]byte, len(want))
		if _, err := io.ReadFull(conn, got); err != nil || string(got) != want {
			t.Errorf("trusting %q: left %q, %v", tt.trusted, got, err)
		}
	}
}

// pair is a connection of loopback, by TCP.
func pair(t *testing.T) (peer, conn net.Conn) {
	t.Helper()
	l, _ := open(t, "127.0.0.1:0")
	peer, err := net.Dial("tcp", l.Addr().String())
	check(t, err)
	conn, err = l.Accept()
	check(t, err)
	t.Cleanup(func() { peer.Close(); conn.Close() })
	return peer, conn
}

// A trusted peer that says nothing, or half of it, is not waited for; one that
// leaves at once is told from one that says the wrong thing.
func TestProxyHeaderThatDoesNotCome(t *testing.T) {
	loopback, err := ParsePeers("127.0.0.1")
	check(t, err)
	for _, half := range []string{"", "PROXY TCP4 203.0."} {
		peer, conn := pair(t)
		io.WriteString(peer, half)
		_, _, err := ProxyProtocol{From: loopback}.Read(conn, time.Now().Add(10*time.Millisecond))
		if err == nil || err.Error() != "bad PROXY header: it did not come in time" {
			t.Errorf("after %q: %v", half, err)
		}
	}
	peer, conn := pair(t)
	peer.Close()
	if _, _, err := (ProxyProtocol{From: loopback}).Read(conn, time.Now().Add(time.Minute)); err != io.EOF {
		t.Errorf("after nothing at all: %v", err)
	}
}

// What is trusted is said as people say it.
func TestParsePeers(t *testing.T) {
	peers, err := ParsePeers("192.0.2.1, 10.0.0.0/8", "2001:db8::/32", "::ffff:198.51.100.0/120,fe80::/10")
	check(t, err)
	for ip, want := range map[string]bool{
		"192.0.2.1": true, "192.0.2.2": false, "10.9.8.7": true, "11.0.0.0": false, "::ffff:10.1.1.1": true,
		"2001:db8::1": true, "2001:db9::1": false, "198.51.100.9": true, "fe80::1%eth0": true, "::1": false,
	} {
		if got := peers.HasIP(netip.MustParseAddr(ip)); got != want {
			t.Errorf("%s: %v", ip, got)
		}
	}
	if peers.Has(&net.UnixAddr{Name: "@", Net: "unix"}) {
		t.Error("unix sockets are trusted unasked")
	}
	if unix, err := ParsePeers("unix"); err != nil || !unix.Has(&net.UnixAddr{}) || unix.HasIP(netip.MustParseAddr("127.0.0.1")) {
		t.Errorf("unix: %+v, %v", unix, err)
	}
	if none, err := ParsePeers(); err != nil || !none.None() || none.Has(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}) {
		t.Errorf("nobody: %+v, %v", none, err)
	}
	for _, wrong := range []string{"localhost", "10.0.0.0/33", "10.0.0", "fe80::1%eth0", "unix:/run/x"} {
		if _, err := ParsePeers(wrong); err == nil || !strings.Contains(err.Error(), wrong) {
			t.Errorf("%q: %v", wrong, err)
		}
	}
}

// However a header is cut, it is the same header, and no byte behind it is
// asked for.
func FuzzProxyHeader(f *testing.F) {
	for _, header := range []string{
		"PROXY TCP4 203.0.113.7 198.51.100.1 55555 443\r\nGET", "PROXY UNKNOWN\r\n", header2(0, 0), header2(1, 0x21, ends6) + "GET",
		checked(header2(1, 0x11, ends4, "\x03\x00\x04CRC?")), "GET / HTTP/1.1\r\n\r\n",
	} {
		f.Add([]byte(header))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		whole, slow := bytes.NewReader(b), bytes.NewReader(b)
		client, local, err := readProxyHeader(whole)
		client2, local2, err2 := readProxyHeader(iotest.OneByteReader(slow))
		if client != client2 || local != local2 || (err == nil) != (err2 == nil) || whole.Len() != slow.Len() {
			t.Fatalf("%v %v %v %d, byte by byte %v %v %v %d", client, local, err, whole.Len(), client2, local2, err2, slow.Len())
		}
		if err != nil {
			return
		}
		used := b[:len(b)-whole.Len()]
		for n := range used {
			if _, more, err := parseProxyHeader(used[:n]); more == 0 || more > len(used)-n || err != nil {
				t.Fatalf("after %d of %d bytes: %d more, %v", n, len(used), more, err)
			}
		}
	})
}
