package policy

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/wsbridge/wsbridge/internal/freeport"
)

func TestParseRedis(t *testing.T) {
	tests := []struct {
		in   string
		want string // address db password namespace, or the error's beginning
	}{
		{"h", "h:6379 0  "},
		{"h:", "h:6379 0  "},
		{"h:7000:2:pass:ns", "h:7000 2 pass ns"},
		{"h::2", "h:6379 2  "},
		{"h:::pass", "h:6379 0 pass "},
		{"h::::ns", "h:6379 0  ns"},
		{`h:::"a:b c":"n:s"`, "h:6379 0 a:b c n:s"},
		{`"::1":7000`, "[::1]:7000 0  "},
		{" h : 7000 : 1 ", "h:7000 1  "},
		{"", "the host"},
		{":7000", "the host"},
		{"a b", "the host"},
		{"h:x", "the port"},
		{"h:0", "the port"},
		{"h:65536", "the port"},
		{"h:1:x", "the database"},
		{"h:1:-1", "the database"},
		{"h:1:1:secret:n:more", "there are more than five parts"},
		{`h:1:1:"secret`, "a quotation mark"},
	}
	for _, tt := range tests {
		o, namespace, err := parseRedis(tt.in)
		var got string
		if err != nil {
			got = err.Error()
			if strings.Contains(got, "secret") {
				t.Errorf("%q: the password is in %q", tt.in, got)
			}
		} else {
			got = fmt.Sprintf("%s %d %s %s", o.Addr, o.DB, o.Password, namespace)
		}
		if got != tt.want && (err == nil || !strings.HasPrefix(got, tt.want)) {
			t.Errorf("%q: %q, want %q", tt.in, got, tt.want)
		}
	}
}

// What is read as a source is said again by quoting its parts.
func FuzzParseRedis(f *testing.F) {
	f.Add("h:7000:2:pass:ns")
	f.Add(`h:::"a:b":"`)
	f.Fuzz(func(t *testing.T, s string) {
		o, namespace, err := parseRedis(s)
		if err != nil {
			return
		}
		host, port, err := net.SplitHostPort(o.Addr)
		if err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		again, namespace2, err := parseRedis(fmt.Sprintf(`"%s":%s:%d:"%s":"%s"`, host, port, o.DB, o.Password, namespace))
		if err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		if diff := cmp.Diff([]any{o.Addr, o.DB, o.Password, namespace}, []any{again.Addr, again.DB, again.Password, namespace2}); diff != "" {
			t.Errorf("%q: %s", s, diff)
		}
	})
}

// redisServer starts a real one with these settings and waits until it
// answers. It is skipped where there is none, but not in CI.
func redisServer(t *testing.T, address string, settings ...string) {
	t.Helper()
	program, err := exec.LookPath("redis-server")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("no redis-server: install Debian's redis-server")
		}
		t.Skip("no redis-server: ", err)
	}
	dir := t.TempDir()
	cmd := exec.Command(program, settings...)
	cmd.Args = append(cmd.Args, "--dir", dir, "--save", "", "--appendonly", "no", "--bind", "127.0.0.1")
	cmd.Stdout = os.Stderr
	if !testing.Verbose() {
		cmd.Stdout = nil
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	network := "tcp"
	if strings.HasPrefix(address, "/") {
		network = "unix"
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		conn, err := net.Dial(network, address)
		if err == nil {
			conn.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("redis-server does not answer:", err)
		}
	}
}

// fill stores what the tests look up.
func fill(t *testing.T, client redis.UniversalClient, prefix string) {
	t.Helper()
	defer client.Close()
	for key, value := range map[string]string{
		"good": "desk:5900", "json": `{"host": "desk:5901"}`, "six": " [::1]:5902\n", "sock": "unix_socket:/run/x",
		"nonsense-token": "nonsense-token", "empty": "", "é": "desk:5903",
	} {
		if err := client.Set(context.Background(), prefix+key, value, 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if err := client.LPush(context.Background(), prefix+"list-token", "desk:1").Err(); err != nil {
		t.Fatal(err)
	}
}

func (d *desk) expectFilled(t *testing.T) {
	t.Helper()
	for token, want := range map[string]string{
		"good": "desk:5900", "json": "desk:5901", "six": "[::1]:5902", "sock": "unix_socket:/run/x", "é": "desk:5903",
		"bad": unknown, "": "Forbidden: the token is missing",
	} {
		if got := d.ask(t, token); got != want {
			t.Errorf("%q: %s, want %s\n%s", token, got, want, d.log)
		}
	}
	d.expectTrouble(t, "nonsense-token", "list-token", "empty")
	d.refuseHostile(t)
}

// websockify's source, with password, database and namespace; and the same by
// URL, with a user of the ACL, and by a unix socket.
func TestRedis(t *testing.T) {
	port, socket := freeport.Port(t), filepath.Join(t.TempDir(), "redis")
	redisServer(t, socket, temp(t, "requirepass a:b\nuser reader on >secret ~ns:* +get\n"), "--port", port, "--unixsocket", socket)
	fill(t, redis.NewClient(&redis.Options{Network: "unix", Addr: socket, Password: "a:b", DB: 2}), "ns:")
	for _, source := range []string{
		`127.0.0.1:` + port + `:2:"a:b":ns`,
		`redis://:a%3Ab@127.0.0.1:` + port + `/2#namespace=ns`,
		`unix://:a%3Ab@` + socket + `?db=2#namespace=ns`,
	} {
		newDesk(t, "TokenRedis", source).expectFilled(t)
	}
	fill(t, redis.NewClient(&redis.Options{Network: "unix", Addr: socket, Password: "a:b"}), "ns:")
	newDesk(t, "TokenRedis", `redis://reader:secret@127.0.0.1:`+port+`#namespace=ns`).expectFilled(t)
	d := newDesk(t, "TokenRedis", `redis://reader:wrong-password@127.0.0.1:`+port)
	d.expectTrouble(t, "good")
	if log := d.log.String(); !strings.Contains(log, "WRONGPASS") || strings.Contains(log, "wrong-password") {
		t.Error(log)
	}
}

// A server that is silent, or not there, is waited for no longer than the
// lookup may last.
func TestRedisTroubles(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	d := newDesk(t, "TokenRedis", silent.Addr().String())
	d.Timeout = time.Second / 10
	d.expectTrouble(t, "secret-token")
	if !strings.Contains(d.log.String(), "there was no answer in time") {
		t.Error(d.log)
	}
	d = newDesk(t, "TokenRedis", freeport.Address(t))
	d.expectTrouble(t, "secret-token")
	if log := d.log.String(); !strings.Contains(log, "refused") {
		t.Error(log)
	}
}

func TestRedisTLS(t *testing.T) {
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	cert := temp(t, string(pemOf("CERTIFICATE", must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)))))
	keyFile := temp(t, string(pemOf("EC PRIVATE KEY", must(x509.MarshalECPrivateKey(key)))))
	port, socket := freeport.Port(t), filepath.Join(t.TempDir(), "redis")
	redisServer(t, socket, "--port", "0", "--unixsocket", socket, "--tls-port", port, "--tls-cert-file", cert, "--tls-key-file", keyFile, "--tls-auth-clients", "no")
	fill(t, redis.NewClient(&redis.Options{Network: "unix", Addr: socket}), "")
	newDesk(t, "TokenRedis", "rediss://127.0.0.1:"+port+"#ca="+cert).expectFilled(t)
	d := newDesk(t, "TokenRedis", "rediss://127.0.0.1:"+port)
	d.expectTrouble(t, "good")
	if !strings.Contains(d.log.String(), "certificate") {
		t.Error(d.log)
	}
	if _, err := OpenTokens("TokenRedis", "rediss://h#ca="+keyFile, nil); err == nil || !strings.Contains(err.Error(), "no PEM certificate") {
		t.Error(err)
	}
}

// By sentinels, the first of which is gone.
func TestRedisSentinel(t *testing.T) {
	port, sentinel := freeport.Port(t), freeport.Port(t)
	redisServer(t, "127.0.0.1:"+port, "--port", port)
	redisServer(t, "127.0.0.1:"+sentinel, temp(t, "sentinel monitor mine 127.0.0.1 "+port+" 1\n"), "--port", sentinel, "--sentinel")
	fill(t, redis.NewClient(&redis.Options{Addr: "127.0.0.1:" + port}), "")
	newDesk(t, "TokenRedis", "redis://127.0.0.1:"+freeport.Port(t)+"?master_name=mine&addr=127.0.0.1:"+sentinel).expectFilled(t)
}

// A cluster of one, by two addresses, the first of which is gone.
func TestRedisCluster(t *testing.T) {
	port := freeport.Port(t)
	redisServer(t, "127.0.0.1:"+port, "--port", port, "--cluster-enabled", "yes", "--cluster-port", freeport.Port(t))
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{"127.0.0.1:" + port}})
	single := redis.NewClient(&redis.Options{Addr: "127.0.0.1:" + port})
	defer single.Close()
	if err := single.ClusterAddSlotsRange(context.Background(), 0, 16383).Err(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		info, err := single.ClusterInfo(context.Background()).Result()
		if strings.Contains(info, "cluster_state:ok") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("no cluster:", info, err)
		}
	}
	fill(t, client, "")
	newDesk(t, "TokenRedis", "redis://127.0.0.1:"+freeport.Port(t)+"?addr=127.0.0.1:"+port).expectFilled(t)
}
