//go:build linux

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// A certificate is the loopback's: ECDSA P-256, made anew for every run.
type certificate struct {
	certFile, keyFile string
	bothFile          string      // certificate and key in one, as HAProxy wants it
	client            *tls.Config // trusts it; TLS 1.3, X25519, no session tickets
}

// newCertificate makes the files in dir.
func newCertificate(dir string) (*certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	certDER, err := selfSign(key)
	if err != nil {
		return nil, err
	}
	c := &certificate{
		certFile: filepath.Join(dir, "cert.pem"),
		keyFile:  filepath.Join(dir, "key.pem"),
		bothFile: filepath.Join(dir, "both.pem"),
	}
	return c, c.save(certDER, keyDER)
}

func selfSign(key *ecdsa.PrivateKey) ([]byte, error) {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	return x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
}

func (c *certificate) save(certDER, keyDER []byte) error {
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certDER})
	key := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(cert)
	c.client = &tls.Config{
		RootCAs:          roots,
		MinVersion:       tls.VersionTLS13,
		CurvePreferences: []tls.CurveID{tls.X25519},
	}
	for file, text := range map[string][]byte{c.certFile: cert, c.keyFile: key, c.bothFile: append(cert[:len(cert):len(cert)], key...)} {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			return err
		}
	}
	return nil
}
