//go:build linux

package e2e

import (
	"crypto/tls"
	"os"
	"strings"
	"testing"
)

// TestPlainAndTLSOnOnePort: old and new clients use one port, each its way;
// with --ssl-only the plain one is turned away, and told why.
func TestPlainAndTLSOnOnePort(t *testing.T) {
	need(t, "openssl", "node", modules)
	cert, echoer := certify(t, t.TempDir(), "localhost"), target(t, echo)
	both := serve(t, echoer, cert.options()...)
	for _, scheme := range []string{"ws", "wss"} {
		client := connect(t, both.url(scheme))
		client.say("by " + scheme + "\n")
		client.await("by " + scheme)
	}
	strict := serve(t, echoer, append(cert.options(), "--ssl-only")...)
	connect(t, strict.url("ws")).await(`Unexpected server response: 400`)
	if page := get(strict.url("http")); !strings.Contains(page, "https://") {
		t.Errorf("a plain visitor reads %q, which does not say where to go", page)
	}
	client := connect(t, strict.url("wss"))
	client.say("only wss\n")
	client.await("only wss")
}

// TestCertificateRenewedUnderASession: the certificate's files are replaced.
// New clients see the new one; a broken one changes nothing; a session that
// was open all the time goes on.
func TestCertificateRenewedUnderASession(t *testing.T) {
	need(t, "openssl", "node", modules)
	dir := t.TempDir()
	used, renewed := certify(t, dir, "old"), certify(t, dir, "new")
	b := serve(t, target(t, echo), used.options()...)
	client := connect(t, b.url("wss"))
	client.say("before\n")
	client.await("before")
	if name := b.presents(t); name != "old" {
		t.Fatalf("the bridge presents %q", name)
	}

	rename(t, renewed.key, used.key)
	rename(t, renewed.cert, used.cert)
	eventually(t, "the new certificate is presented", func() bool { return b.presents(t) == "new" })
	write(t, dir, "old.crt", []byte("not a certificate"))
	eventually(t, "the broken file is complained of", func() bool {
		if name := b.presents(t); name != "new" {
			t.Fatalf("after a broken file the bridge presents %q", name)
		}
		return strings.Contains(b.out.String(), "the old one stays")
	})
	client.say("after\n")
	client.await("after")
}

// presents is the common name on the certificate that a new client is shown;
// empty when it is shown none.
func (b bridge) presents(t *testing.T) string {
	t.Helper()
	c, err := tls.Dial("tcp", b.address(), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Logf("dialling by TLS: %v", err)
		return ""
	}
	defer c.Close()
	return c.ConnectionState().PeerCertificates[0].Subject.CommonName
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}
