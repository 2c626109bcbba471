package passthrough

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// issued is a certificate made for a test.
type issued struct {
	leaf *x509.Certificate
	key  *ecdsa.PrivateKey
}

// issue makes a certificate for name and 127.0.0.1 that is valid until end,
// signed by parent or, with parent nil, by itself.
func issue(t *testing.T, name string, parent *issued, end time.Time) *issued {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(time.Now().UnixNano()),
		Subject:               pkix.Name{CommonName: name},
		DNSNames:              []string{name},
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore:             time.Unix(0, 0),
		NotAfter:              end,
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	if parent == nil {
		parent = &issued{template, key}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent.leaf, &key.PublicKey, parent.key)
	check(t, err)
	leaf, err := x509.ParseCertificate(der)
	check(t, err)
	return &issued{leaf, key}
}

func nextYear() time.Time { return time.Now().AddDate(1, 0, 0) }

func (i *issued) pair() tls.Certificate {
	return tls.Certificate{Certificate: [][]byte{i.leaf.Raw}, PrivateKey: i.key}
}

func (i *issued) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(i.leaf)
	return pool
}

// files writes the certificate and its key.
func (i *issued) files(t *testing.T) (cert, key string) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(i.key)
	check(t, err)
	d := t.TempDir()
	return write(t, filepath.Join(d, "c.pem"), &pem.Block{Type: "CERTIFICATE", Bytes: i.leaf.Raw}),
		write(t, filepath.Join(d, "k.pem"), &pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

func write(t *testing.T, name string, blocks ...*pem.Block) string {
	t.Helper()
	var data []byte
	for _, block := range blocks {
		data = append(data, pem.EncodeToMemory(block)...)
	}
	check(t, os.WriteFile(name, data, 0o600))
	return name
}
