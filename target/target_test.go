package target

import (
	"bytes"
	"context"
	"errors"
	"net"
	"syscall"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func listen(t *testing.T, address string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// A name has several addresses; the target may live on any of them.
func TestEveryAddressIsTried(t *testing.T) {
	resolver := nameServer(t, "127.0.0.2", "127.0.0.1", "::1")
	for _, address := range []string{"127.0.0.1:0", "127.0.0.2:0", "[::1]:0"} {
		l := listen(t, address)
		_, port, _ := net.SplitHostPort(l.Addr().String())
		c, err := TCP{Address: "many.example:" + port, Resolver: resolver}.Dial(t.Context())
		if err != nil {
			t.Errorf("served at %s: %v", l.Addr(), err)
			continue
		}
		if c.RemoteAddr().String() != l.Addr().String() {
			t.Errorf("served at %s, connected to %s", l.Addr(), c.RemoteAddr())
		}
		c.Close()
	}
}

// nameServer is a resolver whose DNS server gives these addresses to any name.
func nameServer(t *testing.T, addresses ...string) *net.Resolver {
	t.Helper()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	go func() {
		query := make([]byte, 512)
		for {
			n, from, err := server.ReadFrom(query)
			if err != nil {
				return
			}
			server.WriteTo(dnsAnswer(query[:n], addresses), from)
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", server.LocalAddr().String())
	}}
}

// dnsAnswer answers a query's one question (RFC 1035, 4.1) with the addresses
// of the kind it asks for.
func dnsAnswer(query []byte, addresses []string) []byte {
	end := 12 + bytes.IndexByte(query[12:], 0) + 5 // name, type, class
	kind := query[end-3]
	answer := append(bytes.Clone(query[:2]), 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0)
	answer = append(answer, query[12:end]...)
	for _, address := range addresses {
		ip, record := net.ParseIP(address).To4(), byte(1)
		if ip == nil {
			ip, record = net.ParseIP(address), 28
		}
		if record == kind {
			answer[7]++
			answer = append(answer, 0xc0, 12, 0, record, 0, 1, 0, 0, 0, 60, 0, byte(len(ip)))
			answer = append(answer, ip...)
		}
	}
	return answer
}

func TestRefused(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	l.Close()
	_, err := TCP{Address: l.Addr().String()}.Dial(t.Context())
	if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("%v", err)
	}
}

func TestUnknownName(t *testing.T) {
	_, err := TCP{Address: "no-such-name.invalid:80"}.Dial(t.Context())
	var dns *net.DNSError
	if !errors.As(err, &dns) {
		t.Errorf("%v", err)
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (TCP{Address: "127.0.0.1:1"}).Dial(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
