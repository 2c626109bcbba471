package access

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// guarded is what becomes of a target that is reached at address, "" for that
// of the target itself.
func guarded(rules *TargetRules, to, address string) error {
	if address == "" {
		address = to
	}
	return rules.Guard(to)(context.Background(), "tcp", address, nil)
}

func targetRules(t *testing.T, list string) *TargetRules {
	t.Helper()
	rules, err := ParseTargetRules(split(list))
	check(t, err)
	return rules
}

// What nobody may reach by a token or a request, whatever the rules let in that
// do not name it.
func TestSpecialTargets(t *testing.T) {
	for _, list := range []string{"", "allow all", "allow *,allow 0.0.0.0/0,allow ::/0", "allow 126.0.0.0/7,allow 168.0.0.0/5", "allow evil.example", "deny 192.0.2.1"} {
		rules := targetRules(t, list)
		for _, address := range []string{
			"127.0.0.1:22", "127.255.255.254:22", "[::1]:22", "[::ffff:127.0.0.1]:22",
			"0.0.0.0:22", "0.1.2.3:22", "[::]:22", "[::ffff:0.0.0.0]:22", "[::127.0.0.1]:22",
			"169.254.1.1:80", "169.254.169.254:80", "[::ffff:169.254.169.254]:80", "[fe80::1]:22", "[fe80::1%eth0]:22",
			"[fd00:ec2::254]:80", "100.100.100.200:80", "168.63.129.16:80", "192.0.0.192:80", "169.254.170.2:80", "[fd20:ce::254]:80",
			"224.0.0.1:80", "239.255.255.250:1900", "[ff02::1]:80", "255.255.255.255:80",
			"[64:ff9b::127.0.0.1]:22", "[64:ff9b::a9fe:a9fe]:80", "[2002:7f00:1::1]:22",
		} {
			wantReason(t, guarded(rules, address, ""), "target refused by the rules")
			wantReason(t, guarded(rules, "evil.example:"+address[strings.LastIndexByte(address, ':')+1:], address), "target refused by the rules")
		}
	}
	for _, address := range []string{"192.0.2.1:22", "10.0.0.1:22", "126.255.255.255:22", "128.0.0.1:22", "[2001:db8::1]:22", "[fd00::1]:22", "[64:ff9b::10.0.0.1]:22", "100.100.100.201:80"} {
		check(t, guarded(&TargetRules{}, address, ""))
	}
}

// What may be dialled, by the rules. A target that came to another address has
// it behind =.
func TestTargetRules(t *testing.T) {
	for _, tt := range []struct{ rules, in, out string }{
		{"127.0.0.1:5900-5999", "127.0.0.1:5900 127.0.0.1:5999 [::ffff:127.0.0.1]:5901 desk.lan:5901=127.0.0.1:5901", "127.0.0.1:5899 127.0.0.1:6000 127.0.0.2:5900 [::1]:5900 192.0.2.1:5900"},
		{"127.0.0.0/8,all", "127.0.0.2:22 192.0.2.1:22", "[::1]:22"},
		{"localhost:5900", "localhost:5900=127.0.0.1:5900 LOCALHOST.:5900=[::1]:5900", "localhost:22=127.0.0.1:22 evil.example:5900=127.0.0.1:5900 localhost:5900=169.254.169.254:5900 127.0.0.1:5900"},
		{"169.254.0.0/16", "169.254.1.1:80", "169.254.169.254:80"},
		{"169.254.169.254:80", "169.254.169.254:80 [::ffff:169.254.169.254]:80", "169.254.169.254:81"},
		{"::1", "[::1]:22", "127.0.0.1:22"},
		{"[fe80::/10]:22", "[fe80::1%eth0]:22", "[fe80::1%eth0]:23"},
		{"fe80::1%eth0", "[fe80::1%eth0]:22", "[fe80::1%eth1]:22"},
		{"64:ff9b::7f00:1", "[64:ff9b::127.0.0.1]:22", "[64:ff9b::127.0.0.2]:22"},
		{"deny 10.0.0.0/8", "192.0.2.1:22", "10.1.2.3:22 desk.lan:22=10.1.2.3:22 [::ffff:10.1.2.3]:22"},
		{"deny 10.0.0.66,10.0.0.0/8:22", "10.0.0.65:22", "10.0.0.66:22 10.0.0.65:23 192.0.2.1:22"},
		{"*.lan:22", "a.lan:22=10.0.0.1:22 A.B.LAN.:22=10.0.0.1:22", "lan:22=10.0.0.1:22 alan:22=10.0.0.1:22 a.lan:23=10.0.0.1:23 a.lan.evil:22=10.0.0.1:22 10.0.0.1:22 a.lan:22=127.0.0.1:22"},
		{"desk.lan", "desk.lan:1=10.0.0.1:1 Desk.lan:65535=[2001:db8::1]:65535", "desk.lan:22=[::1]:22 a.desk.lan:22=10.0.0.1:22"},
		{"deny desk.lan,allow all", "10.0.0.1:22 other.lan:22=10.0.0.1:22", "desk.lan:22=10.0.0.1:22"},
		{"all:443", "10.0.0.1:443 desk.lan:443=[2001:db8::1]:443", "10.0.0.1:22"},
		{"*:443", "10.0.0.1:443", "10.0.0.1:22"},
		{"[2001:db8::1]:22,2001:db8::2,[2001:db8:1::/48]", "[2001:db8::1]:22 [2001:db8::2]:23 [2001:db8:1::9]:1", "[2001:db8::1]:23 [2001:db8:2::]:22"},
		{"deny all", "", "10.0.0.1:22 desk.lan:22=10.0.0.1:22"},
		{"unix:/run/vnc/", "", "10.0.0.1:22"},
	} {
		rules := targetRules(t, tt.rules)
		for _, target := range strings.Fields(tt.in) {
			to, address, _ := strings.Cut(target, "=")
			if err := guarded(rules, to, address); err != nil {
				t.Errorf("%q: %s: %v", tt.rules, target, err)
			}
		}
		for _, target := range strings.Fields(tt.out) {
			to, address, _ := strings.Cut(target, "=")
			if err := guarded(rules, to, address); err == nil {
				t.Errorf("%q lets %s be dialled", tt.rules, target)
			}
		}
	}
}

// The log has the whole story; the client hears nothing of addresses.
func TestRefusedTargetInWords(t *testing.T) {
	for _, tt := range []struct{ rules, to, address, want string }{
		{"", "127.0.0.1:22", "", "target 127.0.0.1:22 is refused by the rules: loopback needs a rule that allows it by its address"},
		{"", "desk.lan:80", "169.254.169.254:80", "target desk.lan:80 (169.254.169.254) is refused by the rules: a cloud's metadata address needs a rule that allows it by its address"},
		{"deny 10.0.0.0/8:22", "10.0.0.1:22", "", `target 10.0.0.1:22 is refused by the rules: rule "deny 10.0.0.0/8:22"`},
		{"192.0.2.1", "10.0.0.1:22", "", "target 10.0.0.1:22 is refused by the rules: no rule allows it"},
	} {
		rules := targetRules(t, tt.rules)
		err := guarded(rules, tt.to, tt.address)
		wantReason(t, err, "target refused by the rules")
		if err.Error() != tt.want {
			t.Errorf("got %q, want %q", err, tt.want)
		}
	}
}

// A target written as an address is judged before the handshake is answered; of
// a name nothing is known yet.
func TestCheckBeforeDialling(t *testing.T) {
	rules := targetRules(t, "deny 10.0.0.0/8")
	for _, to := range []string{"127.0.0.1:22", "[::ffff:127.0.0.1]:22", "10.0.0.1:22"} {
		wantReason(t, rules.Check(to), "target refused by the rules")
	}
	for _, to := range []string{"192.0.2.1:22", "localhost:22", "desk.lan:22", "nonsense"} {
		check(t, rules.Check(to))
	}
}

// A name server that tells one address to who asks first, and another to who
// asks again, cannot lead anywhere: who is asked once is dialled.
func TestRebinding(t *testing.T) {
	inside, outside := service(t, "127.0.0.1:0"), service(t, "127.0.0.2:"+"0")
	_, port, _ := net.SplitHostPort(outside.Addr().String())
	rules := targetRules(t, "127.0.0.2:"+port) // as any address may be
	resolver := &turncoat{first: "127.0.0.2", then: "127.0.0.1"}
	to := net.JoinHostPort("evil.example", port)
	dialer := net.Dialer{Resolver: resolver.start(t), ControlContext: rules.Guard(to)}

	conn, err := dialer.DialContext(t.Context(), "tcp", to)
	check(t, err)
	if got := conn.RemoteAddr().String(); got != outside.Addr().String() {
		t.Errorf("connected to %s", got)
	}
	conn.Close()
	if n := resolver.asked(); n != 1 {
		t.Errorf("%d addresses were asked for", n)
	}

	_, port, _ = net.SplitHostPort(inside.Addr().String())
	to = net.JoinHostPort("evil.example", port)
	dialer.ControlContext = rules.Guard(to)
	_, err = dialer.DialContext(t.Context(), "tcp", to)
	wantReason(t, err, "target refused by the rules")
	inside.(*net.TCPListener).SetDeadline(past)
	if _, err := inside.Accept(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the refused target was connected to: %v", err)
	}
}

// Of several addresses the ones that are allowed are dialled.
func TestOneOfManyAddresses(t *testing.T) {
	l := service(t, "127.0.0.2:0")
	rules := targetRules(t, "127.0.0.2")
	resolver := &turncoat{first: "127.0.0.1 127.0.0.2 ::1", then: "127.0.0.1 127.0.0.2 ::1"}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	to := net.JoinHostPort("many.example", port)
	conn, err := (&net.Dialer{Resolver: resolver.start(t), ControlContext: rules.Guard(to)}).DialContext(t.Context(), "tcp", to)
	check(t, err)
	conn.Close()
}

func service(t *testing.T, address string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", address)
	check(t, err)
	t.Cleanup(func() { l.Close() })
	return l
}

// turncoat is a name server that changes its mind.
type turncoat struct {
	first, then string // addresses, with spaces
	mu          sync.Mutex
	n           int // questions for IPv4 addresses
}

func (s *turncoat) asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.n
}

func (s *turncoat) start(t *testing.T) *net.Resolver {
	t.Helper()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	check(t, err)
	var done sync.WaitGroup
	t.Cleanup(func() { server.Close(); done.Wait() })
	done.Go(func() {
		for query := make([]byte, 512); ; {
			n, from, err := server.ReadFrom(query)
			if err != nil {
				return
			}
			server.WriteTo(s.answer(query[:n]), from)
		}
	})
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", server.LocalAddr().String())
	}}
}

// answer is that to a query's one question (RFC 1035, 4.1).
func (s *turncoat) answer(query []byte) []byte {
	const typeA = 1
	end := 12 + bytes.IndexByte(query[12:], 0) + 5 // name, type, class
	kind := query[end-3]
	s.mu.Lock()
	defer s.mu.Unlock()
	if kind == typeA {
		s.n++
	}
	addresses := s.first
	if s.n > 1 {
		addresses = s.then
	}
	answer := append(bytes.Clone(query[:2]), 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0)
	answer = append(answer, query[12:end]...)
	for _, text := range strings.Fields(addresses) {
		if ip := netip.MustParseAddr(text); ip.Is4() == (kind == typeA) {
			answer[7]++
			answer = append(answer, 0xc0, 12, 0, kind, 0, 1, 0, 0, 0, 0, 0, byte(ip.BitLen()/8))
			answer = append(answer, ip.AsSlice()...)
		}
	}
	return answer
}

// Sockets in a directory that a rule names, and nothing that a link there leads
// to.
func TestUnixTargets(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("left out: paths are others")
	}
	d, err := filepath.EvalSymlinks(t.TempDir())
	check(t, err)
	for _, name := range []string{"vnc/a", "vnc/deep/b", "vnc/admin", "vncx/c", "docker"} {
		check(t, os.MkdirAll(filepath.Dir(filepath.Join(d, name)), 0o700))
		check(t, os.WriteFile(filepath.Join(d, name), nil, 0o600))
	}
	for link, to := range map[string]string{"vnc/out": "../docker", "vnc/in": "a", "vnc/boss": "admin", "var": "vnc"} {
		check(t, os.Symlink(to, filepath.Join(d, link)))
	}
	for _, tt := range []struct{ rules, path, want string }{
		{"", "/vnc/a", ""},
		{"allow all", "/vnc/a", ""},
		{"unix:D/vnc/", "/vnc/a", "/vnc/a"},
		{"unix:D/vnc/", "/vnc/deep/b", "/vnc/deep/b"},
		{"unix:D/vnc/", "/vnc/./deep/../a", "/vnc/a"},
		{"unix:D/vnc/", "/vnc/in", "/vnc/a"},
		{"unix:D/vnc/", "/vnc/out", ""},
		{"unix:D/vnc/", "/vnc/../docker", ""},
		{"unix:D/vnc/", "/vncx/c", ""},
		{"unix:D/vnc/", "/vnc", ""},
		{"unix:D/vnc/a", "/vnc/a", "/vnc/a"},
		{"unix:D/vnc/a", "/vnc/admin", ""},
		{"unix:D/var/", "/var/a", "/vnc/a"}, // as /var/run is a link to /run
		{"unix:D/var/", "/var/out", ""},
		{"deny unix:D/vnc/admin,unix:D/vnc/", "/vnc/admin", ""},
		{"deny unix:D/vnc/admin,unix:D/vnc/", "/vnc/boss", ""},
		{"unix:/", "/docker", "/docker"},
	} {
		rules := targetRules(t, strings.ReplaceAll(tt.rules, "D", d))
		got, err := rules.Unix(d + tt.path)
		if tt.want == "" {
			wantReason(t, err, "target refused by the rules")
		} else if got != d+tt.want || err != nil {
			t.Errorf("%q: %s: got %q, %v", tt.rules, tt.path, got, err)
		}
	}
	rules := targetRules(t, "unix:"+d+"/vnc/,unix:@desk")
	_, err = rules.Unix(d + "/vnc/none")
	wantReason(t, err, "target socket not found")
	_, err = rules.Unix("vnc/a")
	wantReason(t, err, "target refused by the rules")
	_, err = rules.Unix("@other")
	wantReason(t, err, "target refused by the rules")
	if got, err := rules.Unix("@desk"); got != "@desk" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestTargetRuleMistakes(t *testing.T) {
	for rule, says := range map[string]string{
		"":                               `target rule "" is empty: write allow 10.0.0.0/8:5900`,
		"forbid 10.0.0.1":                "begins with neither allow nor deny",
		"allow":                          "whom is missing",
		"10.0.0.1:0":                     "ports go from 1 to 65535: write :5900 or :5900-5999",
		"10.0.0.1:65536":                 "ports go from 1 to 65535",
		"10.0.0.1:99-22":                 "ports go from 1 to 65535",
		"10.0.0.1:ssh":                   "ports go from 1 to 65535",
		"10.0.0.1:22-":                   "ports go from 1 to 65535",
		"10.1.2.3/8:22":                  "write 10.0.0.0/8",
		"[2001:db8::1:22":                "brackets enclose an IPv6 address or network",
		"[2001:db8::1]22":                "brackets enclose an IPv6 address or network",
		"[desk.lan]:22":                  "it is no IP address",
		"2001:db8::1:22:x":               "it is no IP address",
		"a.*.lan:22":                     "write 10.0.0.0/8, desk.lan or *.lan",
		"*lan":                           "write 10.0.0.0/8, desk.lan or *.lan",
		"10.0.0:22":                      "write 10.0.0.0/8, desk.lan or *.lan",
		"2130706433:22":                  "write 10.0.0.0/8, desk.lan or *.lan",
		":22":                            "write 10.0.0.0/8, desk.lan or *.lan",
		"http://desk.lan/":               "ports go from 1 to 65535",
		"desk.lan/24":                    "it is no IP address",
		"desk lan":                       "begins with neither allow nor deny",
		"unix:run/vnc":                   "the path is not absolute: write unix:/run/vnc/",
		"unix:":                          "the path is not absolute",
		"unix:@":                         "the path is not absolute",
		"unix:/run/*":                    "there are no wildcards in paths",
		strings.Repeat("x.", 1000) + "*": "...",
	} {
		_, err := ParseTargetRules([]string{rule})
		wantError(t, rule, err, says)
		wantError(t, rule, err, "target rule")
	}
}

// No text makes a rule that a special address gets through without being named,
// nor one that Guard fails by.
func FuzzTargetRule(f *testing.F) {
	for _, s := range []string{"127.0.0.1:5900-5999", "deny *.lan:22", "unix:/run/vnc/", "[2001:db8::/32]:22", "all:443", "64:ff9b::/96", "localhost"} {
		f.Add(s, "evil.example", "127.0.0.1:22")
	}
	f.Fuzz(func(t *testing.T, rule, host, address string) {
		rules, err := ParseTargetRules([]string{rule})
		if err != nil {
			return
		}
		text := rules.rules[0].text
		if again, err := ParseTargetRules([]string{text}); err != nil || again.rules[0] != rules.rules[0] {
			t.Errorf("%q is read as %q, and that as %+v, %v", rule, text, again, err)
		}
		dialled, err := netip.ParseAddrPort(address)
		if guarded(rules, host+":22", address) != nil || err != nil {
			return
		}
		named := rules.rules[0].network
		if what, _ := special(dialled.Addr()); what != "" && (named.Bits() < 4 || !named.Contains(dialled.Addr().Unmap().WithZone(""))) && nameOf(host) != "localhost" {
			t.Errorf("rule %q lets %s as %s be dialled", rule, address, host)
		}
	})
}
