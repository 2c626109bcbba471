package target

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// serve gives every connection to handle, and closes it after.
func serve(l net.Listener, handle func(net.Conn)) {
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		wg.Go(func() {
			defer c.Close()
			handle(c)
		})
	}
}

func echo(c net.Conn) { io.Copy(c, c) }

// answerLate sends everything back, but not before the other side is done.
func answerLate(c net.Conn) {
	if all, err := io.ReadAll(c); err == nil {
		c.Write(all)
	}
}

// start serves until the test ends.
func start(t *testing.T, handle func(net.Conn)) (address string) {
	l := listen(t, "127.0.0.1:0")
	go serve(l, handle)
	return l.Addr().String()
}

// startTLS is a target with config's certificate.
func startTLS(t *testing.T, config *tls.Config, handle func(net.Conn)) (address string) {
	return start(t, func(c net.Conn) { handleTLS(tls.Server(c, config), handle) })
}

func handleTLS(c *tls.Conn, handle func(net.Conn)) {
	defer c.Close() // says close_notify
	if c.Handshake() == nil {
		handle(c)
	}
}

// exchange speaks first, says when it is done, and wants its words back.
func exchange(t *testing.T, c net.Conn, text string) {
	t.Helper()
	defer c.Close()
	_, err := io.WriteString(c, text)
	check(t, err)
	check(t, c.(interface{ CloseWrite() error }).CloseWrite())
	if got, err := io.ReadAll(c); string(got) != text || err != nil {
		t.Errorf("got %q, %v back, want %q", got, err, text)
	}
}

var versions = []uint16{tls.VersionTLS12, tls.VersionTLS13}

// port of an address, to be reached by another name.
func at(name, address string) TCP {
	_, port, _ := net.SplitHostPort(address)
	return TCP{Address: net.JoinHostPort(name, port)}
}

// Whom a target has to be, by the options, to be believed.
func TestTLSVerification(t *testing.T) {
	ours := issue(t, "localhost", nil, nextYear())
	expired := issue(t, "localhost", nil, time.Now().Add(-time.Hour))
	caFile, _ := ours.files(t)
	expiredFile, _ := expired.files(t)
	other, _ := issue(t, "localhost", nil, nextYear()).files(t)
	tests := []struct {
		name    string
		shows   *issued
		host    string
		options TLSOptions
		want    string // the reason of the failure; "": none
	}{
		{"its CA", ours, "localhost", TLSOptions{CAFile: caFile}, ""},
		{"its address", ours, "127.0.0.1", TLSOptions{CAFile: caFile}, ""},
		{"the system's CAs", ours, "localhost", TLSOptions{}, "target certificate is not trusted"},
		{"another CA", ours, "localhost", TLSOptions{CAFile: other}, "target certificate is not trusted"},
		{"another name", ours, "localhost", TLSOptions{CAFile: caFile, Name: "example.org"}, "target certificate is for another name"},
		{"its name, said", ours, "127.0.0.1", TLSOptions{CAFile: caFile, Name: "localhost"}, ""},
		{"expired", expired, "localhost", TLSOptions{CAFile: expiredFile}, "target certificate has expired or is not valid yet"},
		{"expired, anyone believed", expired, "localhost", TLSOptions{Insecure: true}, ""},
		{"another name, anyone believed", ours, "localhost", TLSOptions{Insecure: true, Name: "example.org"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			config, err := tt.options.Load()
			check(t, err)
			address := startTLS(t, &tls.Config{Certificates: []tls.Certificate{tt.shows.pair()}}, echo)
			c, err := TLS{Over: at(tt.host, address), Config: config}.Dial(t.Context())
			if tt.want != "" {
				hasReason(t, err, tt.want)
				return
			}
			check(t, err)
			exchange(t, c, "hello")
		})
	}
	address := startTLS(t, &tls.Config{Certificates: []tls.Certificate{ours.pair()}}, echo)
	_, err := TLS{Over: at("localhost", address)}.Dial(t.Context())
	hasReason(t, err, "target certificate is not trusted")
}

// The name goes out as SNI, so that a target with many certificates can choose.
func TestTLSServerName(t *testing.T) {
	ours := issue(t, "localhost", nil, nextYear())
	names := make(chan string, 1)
	address := startTLS(t, &tls.Config{GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		names <- hello.ServerName
		pair := ours.pair()
		return &pair, nil
	}}, echo)
	for _, tt := range []struct{ host, name, want string }{
		{"localhost", "", "localhost"},
		{"127.0.0.1", "", ""},
		{"127.0.0.1", "other.example", "other.example"},
	} {
		c, err := TLS{Over: at(tt.host, address), Config: &tls.Config{InsecureSkipVerify: true, ServerName: tt.name}}.Dial(t.Context())
		check(t, err)
		c.Close()
		if got := <-names; got != tt.want {
			t.Errorf("%+v: the target was told %q", tt, got)
		}
	}
	if got := hostOf(TCP{Address: "[fe80::1%eth0]:1"}); got != "fe80::1" {
		t.Errorf("the name of an address with a zone is %q", got)
	}
}

// The client speaks first, which a session ticket must not delay (TLS 1.3),
// and a half-close leaves the other half alone.
func TestTLSStream(t *testing.T) {
	ours := issue(t, "localhost", nil, nextYear())
	for _, version := range versions {
		for name, handle := range map[string]func(net.Conn){"echo": echo, "answer late": answerLate} {
			server := &tls.Config{Certificates: []tls.Certificate{ours.pair()}, MinVersion: version, MaxVersion: version}
			secure := TLS{Over: at("localhost", startTLS(t, server, handle)), Config: &tls.Config{RootCAs: ours.pool()}}
			c, err := secure.Dial(t.Context())
			check(t, err)
			t.Logf("%s, %s", tls.VersionName(version), name)
			exchange(t, c, strings.Repeat("many words ", 10_000))
		}
	}
}

func TestTLSTooOld(t *testing.T) {
	ours := issue(t, "localhost", nil, nextYear())
	address := startTLS(t, &tls.Config{
		Certificates: []tls.Certificate{ours.pair()}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11,
	}, echo)
	_, err := TLS{Over: at("localhost", address), Config: &tls.Config{RootCAs: ours.pool(), MinVersion: tls.VersionTLS12}}.Dial(t.Context())
	hasReason(t, err, "target refused TLS")
}

func TestTLSOverUnix(t *testing.T) {
	ours := issue(t, "desk", nil, nextYear())
	l, path := listenUnix(t)
	server := &tls.Config{Certificates: []tls.Certificate{ours.pair()}}
	go serve(l, func(c net.Conn) { handleTLS(tls.Server(c, server), echo) })
	c, err := TLS{Over: Unix{Path: path}, Config: &tls.Config{RootCAs: ours.pool(), ServerName: "desk"}}.Dial(t.Context())
	check(t, err)
	exchange(t, c, "hello")
	_, err = TLS{Over: Unix{Path: path}}.Dial(t.Context())
	hasReason(t, err, "target certificate cannot be verified")
}

// Targets that are no TLS servers, or bad ones.
func TestTLSBroken(t *testing.T) {
	ours := issue(t, "localhost", nil, nextYear())
	server := &tls.Config{Certificates: []tls.Certificate{ours.pair()}}
	client := &tls.Config{RootCAs: ours.pool()}
	tests := []struct {
		name    string
		handle  func(net.Conn)
		onDial  string
		onReads string
	}{
		{"a VNC server", func(c net.Conn) { io.WriteString(c, "RFB 003.008\n"); io.Copy(io.Discard, c) }, "target does not speak TLS", ""},
		{"leaves at once", func(c net.Conn) { c.Read(make([]byte, 4096)) }, "TLS handshake with target failed", ""},
		{"leaves in the middle", func(c net.Conn) { c.Read(make([]byte, 4096)); c.Write([]byte("\x16\x03\x03")) }, "target broke off TLS", ""},
		{"leaves in a record", func(c net.Conn) {
			tls.Server(c, server).Write([]byte("hello"))
			c.Write([]byte("\x17\x03\x03\x00\x50half"))
		}, "", "target broke off TLS"},
		{"leaves without close_notify", func(c net.Conn) { tls.Server(c, server).Write([]byte("hello")) }, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := TLS{Over: at("localhost", start(t, tt.handle)), Config: client}.Dial(t.Context())
			if tt.onDial != "" {
				hasReason(t, err, tt.onDial)
				return
			}
			check(t, err)
			defer c.Close()
			got, err := io.ReadAll(c)
			if string(got) != "hello" {
				t.Errorf("got %q", got)
			}
			if tt.onReads != "" {
				hasReason(t, err, tt.onReads)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

// A target that takes the connection and says nothing uses up the time of the
// dial, which is a timeout like any.
func TestTLSSilent(t *testing.T) {
	address := start(t, func(c net.Conn) { io.Copy(io.Discard, c) })
	_, err := TLS{Over: TCP{Address: address}, Timeout: time.Millisecond}.Dial(t.Context())
	var timeout net.Error
	if !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("%v", err)
	}
	var reasoned *Error
	if errors.As(err, &reasoned) {
		t.Errorf("%v hides that time ran out", err)
	}
}

// A session that ends while its target shakes hands leaves nothing open.
func TestTLSCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	closed := make(chan struct{})
	address := start(t, func(c net.Conn) {
		c.Read(make([]byte, 1))
		cancel()
		io.Copy(io.Discard, c)
		close(closed)
	})
	if _, err := (TLS{Over: TCP{Address: address}}).Dial(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	<-closed
}

// A target that wants to know its client is shown the certificate; one that
// gets none, or a strange one, is quoted.
func TestTLSClientCertificate(t *testing.T) {
	ours := issue(t, "localhost", nil, nextYear())
	caFile, _ := ours.files(t)
	cert, key := issue(t, "client", ours, nextYear()).files(t)
	strange, strangeKey := issue(t, "stranger", nil, nextYear()).files(t)
	for _, version := range versions {
		address := startTLS(t, &tls.Config{
			Certificates: []tls.Certificate{ours.pair()}, ClientCAs: ours.pool(), ClientAuth: tls.RequireAndVerifyClientCert,
			MinVersion: version, MaxVersion: version,
		}, echo)
		for _, tt := range []struct {
			options TLSOptions
			want    map[uint16]string
		}{
			{TLSOptions{CertFile: cert, KeyFile: key}, nil},
			{TLSOptions{CertFile: strange, KeyFile: strangeKey}, map[uint16]string{
				tls.VersionTLS12: "target refused the client certificate",
				tls.VersionTLS13: "target refused the client certificate",
			}},
			{TLSOptions{}, map[uint16]string{
				tls.VersionTLS12: "target refused TLS", // its alert says no more
				tls.VersionTLS13: "target wants a client certificate",
			}},
		} {
			tt.options.CAFile = caFile
			config, err := tt.options.Load()
			check(t, err)
			c, err := TLS{Over: at("localhost", address), Config: config}.Dial(t.Context())
			if tt.want == nil {
				check(t, err)
				exchange(t, c, "hello")
				continue
			}
			if err == nil { // TLS 1.3 tells after the handshake
				_, err = io.ReadAll(c)
				c.Close()
			}
			hasReason(t, err, tt.want[version])
		}
	}
}

func TestTLSOptionsMistakes(t *testing.T) {
	d := t.TempDir()
	cert, key := issue(t, "a", nil, nextYear()).files(t)
	_, otherKey := issue(t, "b", nil, nextYear()).files(t)
	garbage := write(t, filepath.Join(d, "g.pem"), &pem.Block{Type: "CERTIFICATE", Bytes: []byte("nonsense")})
	locked := write(t, filepath.Join(d, "l.key"), &pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte("nonsense")})
	tests := []struct {
		options TLSOptions
		want    string
	}{
		{TLSOptions{CAFile: filepath.Join(d, "none")}, "target CA file: open "},
		{TLSOptions{CAFile: key}, "k.pem holds no PEM block BEGIN CERTIFICATE"},
		{TLSOptions{CAFile: garbage}, "g.pem: certificate 1: "},
		{TLSOptions{CAFile: cert, Insecure: true}, "is of no use when anyone is believed: leave out one of the two"},
		{TLSOptions{KeyFile: key}, "has no certificate to belong to"},
		{TLSOptions{CertFile: cert}, "target certificate " + cert + " with key " + cert},
		{TLSOptions{CertFile: cert, KeyFile: otherKey}, "private key does not match"},
		{TLSOptions{CertFile: cert, KeyFile: locked}, "l.key is encrypted: decrypt it with openssl pkey -in "},
		{TLSOptions{CertFile: cert, KeyFile: filepath.Join(d, "none")}, "no such file"},
	}
	for _, tt := range tests {
		if c, err := tt.options.Load(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: %v, %v; want %q", tt.options, c, err, tt.want)
		}
	}
}
