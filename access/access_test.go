package access

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// upgrade is a request to host with these Origin headers.
func upgrade(host string, origins ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "http://"+host+"/", nil)
	r.Header["Origin"] = origins
	return r
}

// refused wants a Refusal with that status and reason.
func refused(t *testing.T, err error, status int, reason string) *Refusal {
	t.Helper()
	var refusal *Refusal
	if !errors.As(err, &refusal) || refusal.Status != status || refusal.Reason != reason {
		t.Fatalf("got %v, want %d %s", err, status, reason)
	}
	return refusal
}

// wantError wants an error that says so.
func wantError(t *testing.T, what string, err error, says string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), says) {
		t.Errorf("%s: got %v, want %q", what, err, says)
	}
}

var (
	near = netip.MustParseAddr("10.0.0.1")
	far  = netip.MustParseAddr("192.0.2.1")
)

func TestOpenGate(t *testing.T) {
	var g Gate
	check(t, g.Enter(upgrade("desk.example", "https://evil.example"), far))
	for range 3 {
		_, err := g.Begin(far, "user", "target")
		check(t, err)
	}
}

// A client is asked by address and by page, as often as anybody wants to know.
func TestGate(t *testing.T) {
	clients, err := ParseRules([]string{"10.0.0.0/8"})
	check(t, err)
	g := Gate{Clients: clients, Origins: parseOrigins(t, "same-host"), Rate: &Rates{Rate: Rate{1, time.Hour, 1}, Whose: "from your address"}}
	for range 3 {
		refused(t, g.Enter(upgrade("desk.example", "http://desk.example"), far), 403, "your address is not allowed")
		refused(t, g.Enter(upgrade("desk.example", "http://evil.example"), near), 403, "the page's origin is not an allowed one")
		check(t, g.Enter(upgrade("desk.example", "http://desk.example"), near))
	}
	_, err = g.Begin(near, "", "")
	check(t, err)
	_, err = g.Begin(near, "", "")
	late := refused(t, err, 429, "too many new sessions from your address: try again later")
	if got := late.Header.Get("Retry-After"); got != "3600" {
		t.Errorf("Retry-After: %s", got)
	}
	_, err = g.Begin(netip.Addr{}, "", "") // by a unix socket
	check(t, err)
}

// What Begin refuses takes no place from anybody.
func TestGateTakesAllOrNothing(t *testing.T) {
	g := Gate{
		Users: &Counts{Max: 2, Whose: "of your user"}, Targets: &Counts{Max: 1, Whose: "to this target"},
		UserRate: &Rates{Rate: Rate{1, time.Hour, 2}, Whose: "of your user"},
	}
	begin := func(user, target string) (func(), error) { return g.Begin(near, user, target) }
	first, err := begin("ann", "vnc")
	check(t, err)
	_, err = begin("ann", "vnc")
	refused(t, err, 503, "too many sessions to this target")
	second, err := begin("ann", "ssh")
	check(t, err)
	_, err = begin("ann", "web")
	refused(t, err, 503, "too many sessions of your user")
	first()
	second()
	_, err = begin("ann", "vnc")
	refused(t, err, 429, "too many new sessions of your user: try again later")
	if len(g.Users.live) != 0 || len(g.Targets.live) != 0 {
		t.Errorf("places left: %v, %v", g.Users.live, g.Targets.live)
	}
}

func TestAddress(t *testing.T) {
	for remote, want := range map[string]string{
		"192.0.2.7:4711": "192.0.2.7", "[2001:db8::7]:4711": "2001:db8::7", "[fe80::1%eth0]:4711": "fe80::1%eth0",
		"[::ffff:192.0.2.7]:4711": "192.0.2.7", "192.0.2.7": "192.0.2.7",
		"": "invalid IP", "@": "invalid IP", "/run/client.sock": "invalid IP",
	} {
		if got := Address(remote).String(); got != want {
			t.Errorf("%q: got %s, want %s", remote, got, want)
		}
	}
}

// pipe is a target, and what the bridge has of it.
func pipe(t *testing.T) (bridge, service net.Conn) {
	bridge, service = net.Pipe()
	t.Cleanup(func() { bridge.Close(); service.Close() })
	return bridge, service
}

// tcpPair is the same with sockets.
func tcpPair(t *testing.T) (bridge, service *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer l.Close()
	dialled, err := net.Dial("tcp", l.Addr().String())
	check(t, err)
	accepted, err := l.Accept()
	check(t, err)
	t.Cleanup(func() { dialled.Close(); accepted.Close() })
	return dialled.(*net.TCPConn), accepted.(*net.TCPConn)
}
