package check

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/wsbridge/wsbridge/target"
)

// Certificates that clients refuse, and why.
func TestCertificates(t *testing.T) {
	root := issue(t, "Root", nil, authority)
	between := issue(t, "Between", root, authority)
	rooted := func(name string, change func(*x509.Certificate)) *issued { return issue(t, name, root, change) }
	tests := []struct {
		name   string
		config *tls.Config
		detail string
	}{
		{"CN only", rooted("localhost", nil).serving(), "the certificate has no SAN, only CN=localhost: Go and browsers refuse it, Node and openssl s_client accept it"},
		{"CN of another", rooted("mill", nil).serving(), `the certificate has no SAN, and its CN is "mill", not localhost`},
		{"wrong name", rooted("x", names("mill.example", "www.mill.example")).serving(), "the certificate is for mill.example, www.mill.example, not for localhost"},
		{"expired", rooted("x", func(c *x509.Certificate) { c.DNSNames = []string{"localhost"}; c.NotAfter = yesterday() }).serving(), "has expired on " + yesterday().UTC().Format(time.DateOnly)},
		{"not yet", rooted("x", func(c *x509.Certificate) {
			c.DNSNames = []string{"localhost"}
			c.NotBefore = time.Now().Add(time.Hour)
		}).serving(), "is this machine's clock right?"},
		{"no intermediate", issue(t, "x", between, names("localhost")).serving(), `"CN=Between", who signed "CN=x", is neither sent nor known here: the server leaves out an intermediate certificate`},
		{"self-signed", issue(t, "x", nil, names("localhost")).serving(), "the certificate is self-signed, and nobody here vouches for it: name it with --ca FILE"},
		{"other authority", otherAuthority(t), `the authority "CN=Other" is not known here: name it with --ca FILE`},
		{"all wrong", issue(t, "x", nil, func(c *x509.Certificate) { c.NotAfter = yesterday() }).serving(), `self-signed, and nobody here vouches for it: name it with --ca FILE, or do not check with -n; the certificate has no SAN, and its CN is "x", not localhost; the certificate of "CN=x" has expired`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			address := startTLS(t, tt.config, manners{}.serve)
			r, steps := run(t, Check{Server: at(address, "wss://localhost:PORT/", &tls.Config{RootCAs: root.pool()})})
			if s := steps["trust"]; s.Status != Fail || !strings.Contains(s.Detail, tt.detail) || r.Exit != ExitCertificate || r.Secure {
				t.Errorf("%s with exit status %d: %q, want %q in it", s.Status, r.Exit, s.Detail, tt.detail)
			}
			if s := steps["close"]; s.Status != OK {
				t.Errorf("later steps were not taken: %+v", s)
			}
			r, steps = run(t, Check{Server: at(address, "wss://localhost:PORT/", &tls.Config{InsecureSkipVerify: true})})
			if s := steps["trust"]; s.Status != Skip || r.Exit != 0 || r.Secure {
				t.Errorf("without checking: %s, exit status %d: %q", s.Status, r.Exit, s.Detail)
			}
		})
	}
}

func yesterday() time.Time { return time.Now().AddDate(0, 0, -1) }

func otherAuthority(t *testing.T) *tls.Config {
	other := issue(t, "Other", nil, authority)
	return issue(t, "x", other, names("localhost")).serving(other)
}

// A server that wants to know its client says so only after the handshake.
func TestClientCertificateWanted(t *testing.T) {
	ours := issue(t, "x", nil, names("localhost"))
	config := ours.serving()
	config.ClientAuth = tls.RequireAnyClientCert
	r, steps := run(t, Check{Server: at(startTLS(t, config, manners{}.serve), "wss://localhost:PORT/", &tls.Config{RootCAs: ours.pool()})})
	if s := steps["tls"]; r.Exit != ExitTLS || s.Detail != "the server wants a client certificate: --cert FILE --key FILE" {
		t.Errorf("exit status %d: %+v", r.Exit, s)
	}
}

func TestTLSTooOld(t *testing.T) {
	config := issue(t, "x", nil, names("localhost")).serving()
	config.MinVersion, config.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	r, steps := run(t, Check{Server: at(startTLS(t, config, manners{}.serve), "wss://localhost:PORT/", nil)})
	if s := steps["tls"]; r.Exit != ExitTLS || !strings.Contains(s.Detail, "no TLS version in common with us, who speak 1.2 and 1.3") {
		t.Errorf("exit status %d: %+v", r.Exit, s)
	}
}

// What is secret is not told to a server that is not believed.
func TestSecretsStayHere(t *testing.T) {
	ours := issue(t, "x", nil, names("localhost"))
	asked := make(chan struct{}, 20)
	address := startTLS(t, ours.serving(), func(c net.Conn) {
		if head, _ := readHead(c); len(head) > 0 {
			asked <- struct{}{}
		}
	})
	for _, tt := range []struct {
		url, send string
		header    http.Header
	}{
		{"wss://localhost:PORT/?token=secret", "", nil},
		{"wss://ann:secret@localhost:PORT/", "", nil},
		{"wss://localhost:PORT/", "secret", nil},
		{"wss://localhost:PORT/", "", http.Header{"Cookie": {"secret"}}},
	} {
		r, steps := run(t, Check{Send: tt.send, Server: func() (target.WebSocket, error) {
			w, err := at(address, tt.url, nil)()
			if tt.header != nil {
				w.Header = tt.header
			}
			return w, err
		}})
		if s := steps["upgrade"]; r.Exit != ExitCertificate || s.Status != Skip || !strings.Contains(s.Detail, "-n sends them nevertheless") {
			t.Errorf("exit status %d: %+v", r.Exit, s)
		}
		if s := steps["ping"]; s.Status != Skip || s.Detail != "step upgrade did not succeed" {
			t.Errorf("%+v", s)
		}
	}
	if len(asked) > 0 {
		t.Errorf("the server was asked %d times", len(asked))
	}
}

// A certificate that was good once has to be good on every connection.
func TestCertificateChangesOnTheWay(t *testing.T) {
	ours, theirs := issue(t, "x", nil, names("localhost")), issue(t, "x", nil, names("localhost"))
	now := make(chan *issued, 1)
	now <- ours
	config := &tls.Config{SessionTicketsDisabled: true, GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		one := <-now
		if hello.ServerName == "" { // step sni: all that follows is the attacker's
			now <- theirs
		} else {
			now <- one
		}
		return &one.serving().Certificates[0], nil
	}}
	r, steps := run(t, Check{Server: at(startTLS(t, config, manners{}.serve), "wss://localhost:PORT/?secret", &tls.Config{RootCAs: ours.pool()})})
	if s := steps["upgrade"]; s.Status != Fail || !strings.Contains(s.Detail, "self-signed") || steps["trust"].Status != OK || r.Secure {
		t.Errorf("%+v", s)
	}
}
