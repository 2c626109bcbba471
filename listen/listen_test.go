package listen

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		os.Exit(serveInherited())
	}
	goleak.VerifyTestMain(m)
}

// open listens on s until the test ends and returns the port.
func open(t *testing.T, s string) (net.Listener, int) {
	t.Helper()
	a, err := Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	l, err := a.Listen(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l, l.Addr().(*net.TCPAddr).Port
}

// connect dials host:port and returns both ends.
func connect(t *testing.T, l net.Listener, address string) (client, server *net.TCPConn) {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return c.(*net.TCPConn), s.(*net.TCPConn)
}

func hasIPv6(t *testing.T) bool {
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Logf("IPv6 left out: %v", err)
		return false
	}
	l.Close()
	return true
}

func TestListenOnAllAddresses(t *testing.T) {
	l, port := open(t, "0")
	if port == 0 {
		t.Fatal("the listener does not tell the real port")
	}
	connect(t, l, fmt.Sprintf("127.0.0.1:%d", port))
	if hasIPv6(t) {
		connect(t, l, fmt.Sprintf("[::1]:%d", port))
	}
}

func TestListenOnOneAddress(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "localhost"} {
		l, port := open(t, host+":0")
		connect(t, l, fmt.Sprintf("%s:%d", host, port))
		if !l.Addr().(*net.TCPAddr).IP.IsLoopback() {
			t.Errorf("%s: listens on %v", host, l.Addr())
		}
	}
	if hasIPv6(t) {
		l, port := open(t, "[::1]:0")
		connect(t, l, fmt.Sprintf("[::1]:%d", port))
	}
}

// Whoever writes 0.0.0.0 means IPv4 and nothing else.
func TestListenOnIPv4Alone(t *testing.T) {
	l, _ := open(t, "0.0.0.0:0")
	if ip := l.Addr().(*net.TCPAddr).IP; ip.To4() == nil {
		t.Errorf("0.0.0.0 listens on %v", ip)
	}
}

func TestListenMistakes(t *testing.T) {
	_, taken := open(t, "127.0.0.1:0")
	tests := []struct {
		a     Address
		want  string
		cause error
	}{
		{Address{Host: "127.0.0.1", Port: taken}, fmt.Sprintf("port %d is already in use", taken), errInUse},
		// TEST-NET-1 of RFC 5737 is on no machine.
		{Address{Host: "192.0.2.1", Port: 0}, "cannot bind 192.0.2.1: not an address of this machine", errNotHere},
	}
	for _, tt := range tests {
		l, err := tt.a.Listen(context.Background())
		if err == nil {
			l.Close()
			t.Errorf("%v: no error, want %q", tt.a, tt.want)
			continue
		}
		if err.Error() != tt.want || !errors.Is(err, tt.cause) {
			t.Errorf("%v: %q, want %q with its cause", tt.a, err, tt.want)
		}
	}
}

// What a machine cannot be brought to refuse at will is tested by its words.
func TestExplain(t *testing.T) {
	bind := func(err error) error { return &net.OpError{Op: "listen", Net: "tcp", Err: err} }
	tests := []struct {
		a    Address
		err  error
		want string
	}{
		{Address{Host: "", Port: 80}, bind(errNotAllowed), "port 80 needs root or CAP_NET_BIND_SERVICE"},
		{Address{Host: "", Port: 6080}, bind(errNotAllowed), "cannot listen on :6080: "},
		{Address{Host: "no.invalid", Port: 80}, bind(&net.DNSError{Err: "no such host"}), "cannot resolve no.invalid: no such host"},
		{Address{Host: "", Port: 80}, context.Canceled, "cannot listen on :80: context canceled"},
	}
	for _, tt := range tests {
		if got := tt.a.explain(tt.err); !strings.HasPrefix(got, tt.want) {
			t.Errorf("%v: %q, want %q", tt.a, got, tt.want)
		}
	}
}

// A name that has both kinds of addresses is listened on by the kind that is
// preferred; one that has only IPv4, by that all the same.
func TestPreferIPv6(t *testing.T) {
	answerDNS(t, map[string][]string{
		"both.example.": {"127.0.0.1", "::1"},
		"old.example.":  {"127.0.0.1"},
	})
	tests := []struct {
		host   string
		prefer bool
		want   string
	}{
		{"both.example", false, "127.0.0.1"},
		{"both.example", true, "::1"},
		{"old.example", true, "127.0.0.1"},
		{"127.0.0.1", true, "127.0.0.1"},
		{"", true, "::"},
	}
	for _, tt := range tests {
		if strings.Contains(tt.want, ":") && !hasIPv6(t) {
			continue
		}
		l, err := Address{Host: tt.host, PreferIPv6: tt.prefer}.Listen(t.Context())
		if err != nil {
			t.Errorf("%q: %v", tt.host, err)
			continue
		}
		if got := l.Addr().(*net.TCPAddr).IP.String(); got != tt.want {
			t.Errorf("%q, prefer %v: listens on %s, want %s", tt.host, tt.prefer, got, tt.want)
		}
		if tt.host == "" {
			connect(t, l, fmt.Sprintf("127.0.0.1:%d", l.Addr().(*net.TCPAddr).Port))
		}
		l.Close()
	}
	_, err := Address{Host: "none.example", PreferIPv6: true}.Listen(t.Context())
	if err == nil || !strings.HasPrefix(err.Error(), "cannot resolve none.example: ") {
		t.Errorf("unknown name: %v", err)
	}
}
