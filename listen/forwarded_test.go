package listen

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// asked is a request from peer with header lines.
func asked(peer string, lines ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.RemoteAddr, r.Host = peer, "inner.example"
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	return r
}

// Proxies of 10.0.0.0/8 are trusted, and who comes by a unix socket. What their
// headers say ends where their own word ends.
func TestWhoIsBehindProxies(t *testing.T) {
	from, err := ParsePeers("10.0.0.0/8", "2001:db8:ffff::/48", "unix")
	check(t, err)
	const proxy = "10.0.0.1:40000"
	say := func(client, proto, host string) Origin {
		return Origin{Client: addrPort(client), Proto: proto, Host: host}
	}
	note := func(text string) Origin { return Origin{Client: addrPort(proxy), Note: text} }
	tests := []struct {
		name, peer string
		lines      []string
		want       Origin // nothing: the peer is the client
	}{
		{"a stranger's word", "203.0.113.7:1", []string{"X-Forwarded-For: 10.0.0.9", "X-Forwarded-Host: bank.example"}, Origin{}},
		{"a stranger's word on itself", "203.0.113.7:1", []string{"Forwarded: for=10.0.0.9"}, Origin{}},
		{"no word", proxy, nil, Origin{}},
		{"an empty word", proxy, []string{"X-Forwarded-For: , ,"}, Origin{}},
		{"one proxy", proxy, []string{"X-Forwarded-For: 203.0.113.7"}, say("203.0.113.7:0", "", "")},
		{"by unix socket", "@", []string{"X-Forwarded-For: 203.0.113.7"}, say("203.0.113.7:0", "", "")},
		{"IPv6's clothes", "[::ffff:10.0.0.1]:1", []string{"X-Forwarded-For: ::ffff:203.0.113.7"}, say("203.0.113.7:0", "", "")},
		{"with a port", proxy, []string{"X-Forwarded-For: 203.0.113.7:4711"}, say("203.0.113.7:4711", "", "")},
		{"IPv6", proxy, []string{"X-Forwarded-For: 2001:db8::7"}, say("[2001:db8::7]:0", "", "")},
		{"IPv6 in brackets", proxy, []string{"X-Forwarded-For: [2001:db8::7]"}, say("[2001:db8::7]:0", "", "")},
		{"IPv6 with a port", proxy, []string{"X-Forwarded-For: [2001:db8::7]:4711"}, say("[2001:db8::7]:4711", "", "")},
		{"two proxies", proxy, []string{"X-Forwarded-For: 203.0.113.7, 10.0.0.2"}, say("203.0.113.7:0", "", "")},
		{"two proxies, two lines", proxy, []string{"X-Forwarded-For: 203.0.113.7", "X-Forwarded-For: 10.0.0.2"}, say("203.0.113.7:0", "", "")},
		{"the client lies", proxy, []string{"X-Forwarded-For: 10.9.9.9, 198.51.100.1, 203.0.113.7"}, say("203.0.113.7:0", "", "")},
		{"the client talks nonsense", proxy, []string{`X-Forwarded-For: "`, "X-Forwarded-For: <script>, 203.0.113.7"}, say("203.0.113.7:0", "", "")},
		{"nobody but proxies", proxy, []string{"X-Forwarded-For: 10.0.0.3, 10.0.0.2"}, say("10.0.0.3:0", "", "")},
		{"a proxy talks nonsense", proxy, []string{"X-Forwarded-For: 203.0.113.7, example.com"}, note(`"example.com" is not an address`)},
		{"a proxy does not know", proxy, []string{"X-Forwarded-For: unknown"}, note(`the proxy hides its client behind "unknown"`)},
		{"a wrong port", proxy, []string{"X-Forwarded-For: 203.0.113.7:70000"}, note(`"203.0.113.7:70000" has a wrong port`)},
		{"a zone", proxy, []string{"X-Forwarded-For: fe80::1%eth0"}, note(`"fe80::1%eth0" is not an address`)},
		{"as many proxies as are believed", proxy, []string{"X-Forwarded-For: 203.0.113.7" + strings.Repeat(", 10.0.0.2", maxHops-1)}, say("203.0.113.7:0", "", "")},
		{"a loop of proxies", proxy, []string{"X-Forwarded-For: 203.0.113.7" + strings.Repeat(", 10.0.0.2", maxHops)}, note("more than 32 trusted proxies one behind the other")},

		{"scheme and host", proxy, []string{"X-Forwarded-For: 203.0.113.7", "X-Forwarded-Proto: HTTPS", "X-Forwarded-Host: desk.example:8443"}, say("203.0.113.7:0", "https", "desk.example:8443")},
		{"scheme of WebSocket", proxy, []string{"X-Forwarded-For: 203.0.113.7", "X-Forwarded-Proto: wss"}, say("203.0.113.7:0", "https", "")},
		{"scheme and host alone", proxy, []string{"X-Forwarded-Proto: https", "X-Forwarded-Host: desk.example"}, Origin{}},
		{"no scheme, no host", proxy, []string{"X-Forwarded-For: 203.0.113.7", "X-Forwarded-Proto: gopher", "X-Forwarded-Host: a/b"}, say("203.0.113.7:0", "", "")},
		{"every proxy adds its own", proxy, []string{"X-Forwarded-For: 1.2.3.4, 203.0.113.7, 10.0.0.2", "X-Forwarded-Proto: http, https, http", "X-Forwarded-Host: lie, desk.example, inner"}, say("203.0.113.7:0", "https", "desk.example")},
		{"the last one says it", proxy, []string{"X-Forwarded-For: 203.0.113.7, 10.0.0.2", "X-Forwarded-Proto: https"}, say("203.0.113.7:0", "https", "")},
		{"the last one of more", proxy, []string{"X-Forwarded-For: 203.0.113.7", "X-Forwarded-Proto: https, http"}, say("203.0.113.7:0", "http", "")},
		{"the other kind of header", proxy, []string{"Forwarded: for=198.51.100.1", "X-Forwarded-For: 203.0.113.7"}, say("203.0.113.7:0", "", "")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { wants(t, Forwarded{From: from}, asked(tt.peer, tt.lines...), tt.want) })
	}

	standard := []struct {
		name  string
		lines []string
		want  Origin
	}{
		{"RFC 7239, IPv4", []string{"Forwarded: for=203.0.113.7"}, say("203.0.113.7:0", "", "")},
		{"RFC 7239, all of it", []string{`Forwarded: for="203.0.113.7:4711";proto=https;by=10.0.0.1;host="desk.example:8443"`}, say("203.0.113.7:4711", "https", "desk.example:8443")},
		{"RFC 7239, IPv6", []string{`Forwarded: For="[2001:db8::7]:4711"; Proto=HTTP`}, say("[2001:db8::7]:4711", "http", "")},
		{"RFC 7239, an obfuscated port", []string{`Forwarded: for="[2001:db8::7]:_x1"`}, say("[2001:db8::7]:0", "", "")},
		{"RFC 7239, an obfuscated client", []string{`Forwarded: for=_hidden, for=10.0.0.2`}, note(`the proxy hides its client behind "_hidden"`)},
		{"RFC 7239, an unknown client", []string{`Forwarded: for=unknown;proto=https`}, note(`the proxy hides its client behind "unknown"`)},
		{"RFC 7239, two proxies", []string{`Forwarded: for=198.51.100.1;proto=http, for="203.0.113.7";proto=https`, `Forwarded: for="[2001:db8:ffff::1]";proto=http`}, say("203.0.113.7:0", "https", "")},
		{"RFC 7239, nobody but proxies", []string{`Forwarded: for=10.0.0.3;proto=https, for=10.0.0.2;proto=http`}, say("10.0.0.3:0", "https", "")},
		{"RFC 7239, the client opens a quote", []string{`Forwarded: for="`, `Forwarded: for="[2001:db8::7]"`}, say("[2001:db8::7]:0", "", "")},
		{"RFC 7239, the client opens a quote and escapes", []string{`Forwarded: for="a\", for="[2001:db8::7]"`}, say("[2001:db8::7]:0", "", "")},
		{"RFC 7239, separators in quotes", []string{`Forwarded: for=203.0.113.7;ext="a,b;for=1.2.3.4,\",";proto=https`}, say("203.0.113.7:0", "https", "")},
		{"RFC 7239, for nobody", []string{`Forwarded: proto=https`}, note("a proxy does not say for whom it asks")},
		{"RFC 7239, the other kind", []string{`X-Forwarded-For: 203.0.113.7`}, Origin{}},
	}
	for _, tt := range standard {
		t.Run(tt.name, func(t *testing.T) {
			wants(t, Forwarded{From: from, RFC7239: true}, asked(proxy, tt.lines...), tt.want)
		})
	}
}

func wants(t *testing.T, f Forwarded, r *http.Request, want Origin) {
	t.Helper()
	got, said := f.Origin(r)
	if diff := cmp.Diff(want, got, sameAddress); diff != "" {
		t.Error(diff)
	}
	if said != (want != Origin{}) {
		t.Errorf("said: %v", said)
	}
}

// By default nobody is believed, whatever they say.
func TestNoProxyIsTrustedUnasked(t *testing.T) {
	for _, peer := range []string{"127.0.0.1:1", "[::1]:1", "@", ""} {
		for _, f := range []Forwarded{{}, {RFC7239: true}} {
			wants(t, f, asked(peer, "X-Forwarded-For: 203.0.113.7", "Forwarded: for=203.0.113.7"), Origin{})
		}
	}
}

// A request is known by its client from then on, and still says how the client
// came; the proxy's own stays what it was.
func TestIdentifiedRequest(t *testing.T) {
	from, err := ParsePeers("10.0.0.0/8", "unix")
	check(t, err)
	f := Forwarded{From: from}
	r := asked("10.0.0.1:40000", "X-Forwarded-For: 203.0.113.7", "X-Forwarded-Proto: https", "X-Forwarded-Host: desk.example")
	type key struct{}
	r = r.WithContext(context.WithValue(r.Context(), key{}, "kept"))
	got, note := f.Identify(r)
	if got.RemoteAddr != "203.0.113.7:0" || r.RemoteAddr != "10.0.0.1:40000" || got.Context().Value(key{}) != "kept" || note != "" {
		t.Errorf("%q, was %q, note %q", got.RemoteAddr, r.RemoteAddr, note)
	}
	want := Origin{Client: addrPort("203.0.113.7:0"), Proto: "https", Host: "desk.example"}
	if diff := cmp.Diff(want, OriginOf(got), sameAddress); diff != "" {
		t.Error(diff)
	}

	plain, note := f.Identify(asked("203.0.113.9:1", "X-Forwarded-For: 203.0.113.7"))
	want = Origin{Client: addrPort("203.0.113.9:1"), Proto: "http", Host: "inner.example"}
	if diff := cmp.Diff(want, OriginOf(plain), sameAddress); diff != "" || note != "" {
		t.Error(note, diff)
	}

	odd, note := f.Identify(asked("@", "X-Forwarded-For: unknown"))
	if odd.RemoteAddr != "@" || !strings.Contains(note, "hides its client") {
		t.Errorf("%q, note %q", odd.RemoteAddr, note)
	}
}

// Whatever comes before what a trusted proxy writes, the proxy's word is what
// counts.
func FuzzForwarded(f *testing.F) {
	from, err := ParsePeers("10.0.0.0/8")
	if err != nil {
		f.Fatal(err)
	}
	for _, text := range []string{"", "1.2.3.4", `for="`, `for="a\`, `for=";,", "`, "[::1", "10.0.0.1,10.0.0.1"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, before string) {
		for rfc7239, line := range map[bool]string{false: "X-Forwarded-For: ", true: "Forwarded: "} {
			word := map[bool]string{false: "[2001:db8::7]:9", true: `for="[2001:db8::7]:9";proto=https;host=x`}[rfc7239]
			got, _ := Forwarded{From: from, RFC7239: rfc7239}.Origin(asked("10.0.0.1:1", line+before, line+word+",,", line+" "))
			if got.Client != addrPort("[2001:db8::7]:9") {
				t.Fatalf("%s%q: %+v", line, before, got)
			}
		}
	})
}

// sameAddress lets cmp see addresses, whose fields are their own.
var sameAddress = cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })
