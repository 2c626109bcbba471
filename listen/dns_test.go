package listen

import (
	"bytes"
	"context"
	"net"
	"testing"
)

// answerDNS makes the names known to the default resolver until the test ends.
func answerDNS(t *testing.T, names map[string][]string) {
	t.Helper()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	check(t, err)
	real := net.DefaultResolver
	t.Cleanup(func() {
		net.DefaultResolver = real
		server.Close()
	})
	go serveDNS(server, names)
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", server.LocalAddr().String())
	}}
}

func serveDNS(server net.PacketConn, names map[string][]string) {
	query := make([]byte, 512)
	for {
		n, from, err := server.ReadFrom(query)
		if err != nil {
			return
		}
		server.WriteTo(answer(query[:n], names), from)
	}
}

// answer answers a query's one question (RFC 1035, 4.1).
func answer(query []byte, names map[string][]string) []byte {
	name, at := "", 12
	for ; query[at] > 0; at += 1 + int(query[at]) {
		name += string(query[at+1:at+1+int(query[at])]) + "."
	}
	addresses, known := names[name]
	end, kind := at+5, query[at+2]
	out := append(bytes.Clone(query[:2]), 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0)
	if !known {
		out[3] |= 3 // NXDOMAIN
	}
	out = append(out, query[12:end]...)
	for _, address := range addresses {
		ip, record := net.ParseIP(address).To4(), byte(1)
		if ip == nil {
			ip, record = net.ParseIP(address), 28
		}
		if record == kind {
			out[7]++
			out = append(out, 0xc0, 12, 0, record, 0, 1, 0, 0, 0, 60, 0, byte(len(ip)))
			out = append(out, ip...)
		}
	}
	return out
}
