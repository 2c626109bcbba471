//go:build linux

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// A certificate is for 127.0.0.1, and serves the bridge and the targets alike.
type certificate struct {
	file           string // chain and key, PEM
	client, server *tls.Config
}

// options have the bridge speak TLS.
func (c *certificate) options() []string { return []string{"--cert", c.file, "--ssl-only"} }

func newCertificate(dir string) (*certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "soak"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(0, 1, 0),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	chain := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	both := append(chain, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})...)
	c := &certificate{file: filepath.Join(dir, "both.pem")}
	return c, errors.Join(os.WriteFile(c.file, both, 0o600), c.use(both))
}

// use makes the configurations of both sides.
func (c *certificate) use(both []byte) error {
	pair, err := tls.X509KeyPair(both, both)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(both)
	c.client = &tls.Config{RootCAs: roots}
	c.server = &tls.Config{Certificates: []tls.Certificate{pair}}
	return err
}
