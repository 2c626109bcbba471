//go:build linux

package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wsbridge/wsbridge/internal/freeport"
)

// tools is where ci/pebble.sh puts the ACME server of these tests.
const tools = "../bin/tools/"

// authority is a real pebble, whose names all lead to this machine.
type authority struct {
	*process
	options []string // of a bridge that is to use it
	cache   string
}

// pebble starts one that finds bridges at port of each name. It wants an
// account's key where there is one.
func pebble(t *testing.T, port string, accounts map[string]string) authority {
	t.Helper()
	need(t, tools+"pebble", tools+"pebble-challtestsrv", "openssl")
	dir := t.TempDir()
	cert, names, door := certify(t, dir, "localhost"), freeport.Address(t), freeport.Address(t)
	start(t, nil, tools+"pebble-challtestsrv", "-dnsserver", names, "-defaultIPv6", "", "-management", freeport.Address(t),
		"-http01", "", "-https01", "", "-tlsalpn01", "", "-doh", "")
	eventually(t, "its name server listens", func() bool { return answers(names) })
	config, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": door, "certificate": cert.cert, "privateKey": cert.key, "tlsPort": json.Number(port), "keyAlgorithm": "ecdsa",
		"externalAccountBindingRequired": accounts != nil, "externalAccountMACKeys": accounts,
		"retryAfter": map[string]int{"authz": 1, "order": 1},
	}})
	if err != nil {
		t.Fatal(err)
	}
	a := authority{cache: filepath.Join(dir, "cache")}
	a.process = start(t, func(c *exec.Cmd) { c.Env = append(os.Environ(), "PEBBLE_VA_NOSLEEP=1") },
		tools+"pebble", "-strict", "-config", write(t, dir, "pebble.json", config), "-dnsserver", names)
	eventually(t, "pebble listens", func() bool { return answers(door) })
	_, doorPort, _ := net.SplitHostPort(door)
	a.options = []string{"--acme-directory", "https://localhost:" + doorPort + "/dir", "--acme-ca", cert.cert, "--acme-cache", a.cache}
	return a
}

// serveAt is serve on a port that is known before.
func serveAt(t *testing.T, port string, options ...string) bridge {
	t.Helper()
	p := start(t, nil, os.Getenv("E2E_WSBRIDGE"), append(options, "127.0.0.1:"+port, target(t, echo))...)
	t.Cleanup(p.sound)
	p.await(`Listen on 127\.0\.0\.1:` + port)
	return bridge{p, port}
}

// TestCertificatesByACME: a bridge with no certificate obtains one for each of
// its names on its own port, beside plain clients, and shows it again at once
// after a restart, without the authority. Other names are refused.
func TestCertificatesByACME(t *testing.T) {
	port := quietPort(t)
	a := pebble(t, port, nil)
	options := append(a.options, "--acme", "desk.example,wall.example", "--acme-email", "admin@desk.example")
	b := serveAt(t, port, options...)
	for _, name := range []string{"desk.example", "wall.example"} {
		b.await(`certificate obtained.*name=` + name)
		eventually(t, name+" is served", func() bool { return issuerOf(b, name) != "" })
		if issuer := issuerOf(b, name); !strings.Contains(issuer, "Pebble") {
			t.Errorf("the certificate of %s is by %q", name, issuer)
		}
	}
	if issuer := issuerOf(b, "other.example"); issuer != "" {
		t.Errorf("a certificate of another name is by %q", issuer)
	}
	if page := get(b.url("http")); page == "" {
		t.Error("a plain client is not served beside")
	}
	if said := b.out.String(); strings.Contains(said, "acme-tls") || strings.Contains(said, "level=ERROR") {
		t.Errorf("the authority's look at the port is logged:\n%s", said)
	}
	before := leafOf(b, "desk.example")
	b.signal(syscall.SIGTERM)
	b.wait()
	a.signal(syscall.SIGTERM)
	a.wait()
	b = serveAt(t, port, options...)
	if after := leafOf(b, "desk.example"); after == nil || !after.Equal(before) {
		t.Error("after a restart the certificate is another, or none")
	}
}

// TestRenewalByACME: a certificate that has little of its time left is served,
// and renewed without a client's doing.
func TestRenewalByACME(t *testing.T) {
	port := quietPort(t)
	a := pebble(t, port, nil)
	keep(t, a.cache, "desk.example", 24*time.Hour)
	b := serveAt(t, port, append(a.options, "--acme", "desk.example", "--log-file", filepath.Join(t.TempDir(), "log"))...)
	b.await(`certificate obtained.*name=desk\.example`)
	b.signal(syscall.SIGHUP)
	b.await(`msg=reloaded`)
	eventually(t, "the new certificate is served", func() bool { return strings.Contains(issuerOf(b, "desk.example"), "Pebble") })
}

// TestAccountOfACME: an authority that wants to know its customers is shown the
// key it gave; without it the log says what it wants.
func TestAccountOfACME(t *testing.T) {
	port, key := quietPort(t), base64.RawURLEncoding.EncodeToString(noise(32))
	a := pebble(t, port, map[string]string{"customer": key})
	stranger := serveAt(t, port, append(a.options, "--acme", "desk.example")...)
	stranger.await(`certificate not obtained.*externalAccountRequired`)
	stranger.signal(syscall.SIGTERM)
	stranger.wait()
	keyFile := filepath.Join(t.TempDir(), "key")
	put(t, keyFile, key)
	customer := serveAt(t, port, append(a.options, "--acme", "desk.example", "--acme-key-id", "customer", "--acme-key-file", keyFile)...)
	customer.await(`certificate obtained.*name=desk\.example`)
}

// leafOf is what a client is shown that asks for name; nil: nothing.
func leafOf(b bridge, name string) *x509.Certificate {
	c, err := tls.Dial("tcp", b.address(), &tls.Config{ServerName: name, InsecureSkipVerify: true})
	if err != nil {
		return nil
	}
	defer c.Close()
	return c.ConnectionState().PeerCertificates[0]
}

func issuerOf(b bridge, name string) string {
	leaf := leafOf(b, name)
	if leaf == nil {
		return ""
	}
	return leaf.Issuer.CommonName
}

// keep puts a certificate into a cache, as one that was obtained long ago.
func keep(t *testing.T, cache, name string, left time.Duration) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{name}, NotBefore: time.Now().AddDate(0, 0, -89), NotAfter: time.Now().Add(left),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(cache, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, cache, name, append(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER}), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...))
}
