package listen

import (
	"cmp"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"log/slog"
)

// ClientCAs are the authorities that sign the certificates of clients. They
// follow their file as a Certificate does: while what it holds is broken, the
// old ones stay. Its methods are safe for concurrent use.
type ClientCAs struct {
	system *x509.CertPool // instead of a file
	follow follower[x509.CertPool]
}

// LoadClientCAs reads the certificates in caFile, PEM: these authorities and
// no others are trusted. With caFile "" they are the system's, read once.
// log nil is slog.Default().
func LoadClientCAs(caFile string, log *slog.Logger) (*ClientCAs, error) {
	if caFile == "" {
		return systemCAs()
	}
	log = cmp.Or(log, slog.Default())
	from := file{"client CA file", caFile}
	c := &ClientCAs{follow: follower[x509.CertPool]{
		files:    []file{from},
		read:     from.pool,
		log:      log,
		reloaded: func(*x509.CertPool) { log.Info("client CA file loaded", "file", caFile) },
	}}
	if err := c.follow.start(); err != nil {
		return nil, err
	}
	return c, nil
}

func systemCAs() (*ClientCAs, error) {
	pool, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("the system's CA certificates cannot be read: %w", err)
	}
	return &ClientCAs{system: pool}, nil
}

// Pool is the authorities of now.
func (c *ClientCAs) Pool() *x509.CertPool {
	if c.system != nil {
		return c.system
	}
	return c.follow.get()
}

// pool is every certificate in the file; one that is damaged spoils it all.
func (f file) pool() (*x509.CertPool, error) {
	data, err := f.content()
	if err != nil {
		return nil, err
	}
	pool, n := x509.NewCertPool(), 0
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		n++
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%s %s: certificate %d: %w", f.what, f.name, n, err)
		}
		pool.AddCert(cert)
	}
	if n == 0 {
		return nil, fmt.Errorf("%s %s holds no PEM block BEGIN CERTIFICATE", f.what, f.name)
	}
	return pool, nil
}
