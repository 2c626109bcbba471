package listen

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"sync/atomic"
)

// TLS is how a server speaks it. Certificate alone is enough, or ACME.
type TLS struct {
	Certificate *Certificate
	ACME        *Obtained  // for its names, where Certificate does not hold them; nil: none
	MinVersion  uint16     // from ParseVersion; 0: TLS 1.2
	Ciphers     []uint16   // up to TLS 1.2, from ParseCiphers; nil: Go's choice
	Clients     *ClientCAs // who signs the certificate a client must show; nil: it shows none
	HTTP2       bool       // offered beside HTTP/1.1
}

// Config is the settings of a server: with or without SNI, session tickets, and
// full records from the start, because the bridge carries bulk. Call it once:
// tickets of one config are strange to another.
func (t TLS) Config() *tls.Config {
	config := &tls.Config{
		GetCertificate:              t.certificate,
		MinVersion:                  cmp.Or(t.MinVersion, tls.VersionTLS12),
		CipherSuites:                t.Ciphers,
		NextProtos:                  []string{"http/1.1"},
		DynamicRecordSizingDisabled: true,
	}
	if t.HTTP2 {
		config.NextProtos = []string{"h2", "http/1.1"}
	}
	if t.Clients != nil {
		t.Clients.guard(config)
	}
	if t.ACME != nil {
		t.ACME.answerChallenges(config)
	}
	return config
}

// certificate is the one in files if it is for the name that the client asks
// for, then the one that was obtained for it, then what there is.
func (t TLS) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if t.ACME == nil {
		return t.Certificate.Get(hello)
	}
	if t.Certificate == nil || !t.Certificate.Present() {
		return t.ACME.Get(hello)
	}
	cert, err := t.Certificate.Get(hello)
	if t.ACME.Has(hello.ServerName) && (err != nil || cert.Leaf.VerifyHostname(hello.ServerName) != nil) {
		return t.ACME.Get(hello)
	}
	return cert, err
}

// ParseVersion reads the name of the lowest TLS version to be spoken:
// "default", which is TLS 1.2, "tlsv1_1", "tlsv1_2" or "tlsv1_3".
func ParseVersion(s string) (uint16, error) {
	switch s {
	case "default", "tlsv1_2":
		return tls.VersionTLS12, nil
	case "tlsv1_1":
		return tls.VersionTLS11, nil
	case "tlsv1_3":
		return tls.VersionTLS13, nil
	}
	return 0, fmt.Errorf("unknown TLS version %q: write default, tlsv1_1, tlsv1_2 or tlsv1_3", s)
}

// guard makes a client show a certificate, signed by whom the file names at
// the time of its handshake.
func (c *ClientCAs) guard(config *tls.Config) {
	config.ClientAuth = tls.RequireAndVerifyClientCert
	config.ClientCAs = c.Pool()
	var current atomic.Pointer[tls.Config] // made anew when the pool is
	current.Store(config.Clone())
	base := config.Clone()
	config.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		now := current.Load()
		if pool := c.Pool(); pool != now.ClientCAs {
			now = base.Clone()
			now.ClientCAs = pool
			current.Store(now)
		}
		return now, nil
	}
}
