package listen

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"log/slog"
)

// CertificateFiles names where a certificate and its key are, both PEM.
type CertificateFiles struct {
	Cert       string // the chain, leaf first; need not exist yet
	Key        string // the private key; "": it is in Cert too
	Passphrase string // unlocks an encrypted key; of no matter to one that is not
}

// Certificate is a TLS certificate that follows its files. When they change,
// the next handshake shows the new one; while what they hold is broken, the
// old one serves on. Its methods are safe for concurrent use.
type Certificate struct {
	file   string
	follow follower[tls.Certificate]
}

// LoadCertificate is CertificateFiles.Load for a key that is not encrypted.
func LoadCertificate(certFile, keyFile string, log *slog.Logger) (*Certificate, error) {
	return CertificateFiles{Cert: certFile, Key: keyFile}.Load(log)
}

// Load reads the files. A Cert that does not exist yet is no error: it is
// loaded once it is there. One that cannot be used is an error that says what
// to do; a wrong passphrase is ErrPassphrase. log nil is slog.Default().
func (p CertificateFiles) Load(log *slog.Logger) (*Certificate, error) {
	p.Key = cmp.Or(p.Key, p.Cert)
	log = cmp.Or(log, slog.Default())
	c := &Certificate{file: p.Cert, follow: follower[tls.Certificate]{
		files: []file{{"certificate", p.Cert}, {"key", p.Key}},
		read:  p.read,
		log:   log,
		reloaded: func(cert *tls.Certificate) {
			log.Info("certificate loaded", "file", p.Cert, "expires", cert.Leaf.NotAfter)
		},
	}}
	if err := c.follow.start(); err != nil && !absent(p.Cert) {
		return nil, err
	}
	return c, nil
}

// TLSConfig is TLS{Certificate: c}.Config().
func (c *Certificate) TLSConfig() *tls.Config { return TLS{Certificate: c}.Config() }

// Get is a tls.Config's GetCertificate; the hello does not matter. It fails
// as long as there was nothing to load.
func (c *Certificate) Get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if cert := c.follow.get(); cert != nil {
		return cert, nil
	}
	if absent(c.file) {
		return nil, fmt.Errorf("certificate %s not found", c.file)
	}
	return nil, fmt.Errorf("certificate %s cannot be used: the log says why", c.file)
}

// Present tells whether there is a certificate to show.
func (c *Certificate) Present() bool { return c.follow.get() != nil }
