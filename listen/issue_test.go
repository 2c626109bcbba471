package listen

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
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

// issued is a certificate made for a test; cert and key are PEM.
type issued struct {
	cert, key []byte
	leaf      *x509.Certificate
	signer    *ecdsa.PrivateKey
}

// issue makes a certificate for name and 127.0.0.1, signed by parent or, with
// parent nil, by itself.
func issue(t *testing.T, name string, parent *issued) *issued {
	t.Helper()
	signer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(time.Now().UnixNano()),
		Subject:               pkix.Name{CommonName: name},
		DNSNames:              []string{name},
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore:             time.Unix(0, 0),
		NotAfter:              time.Now().AddDate(1, 0, 0),
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	if parent == nil {
		parent = &issued{leaf: template, signer: signer}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent.leaf, &signer.PublicKey, parent.signer)
	check(t, err)
	leaf, err := x509.ParseCertificate(der)
	check(t, err)
	key, err := x509.MarshalPKCS8PrivateKey(signer)
	check(t, err)
	return &issued{
		cert:   pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		key:    pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}),
		leaf:   leaf,
		signer: signer,
	}
}

// garbled is a well-formed PEM block with nonsense in it.
func garbled(kind string) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: []byte("nonsense")})
}

// oldEncrypted is a key locked in OpenSSL's way from before PKCS #8.
func oldEncrypted() []byte {
	return pem.EncodeToMemory(&pem.Block{
		Type:    "EC PRIVATE KEY",
		Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-256-CBC,00"},
		Bytes:   []byte("nonsense"),
	})
}

// dir is a directory whose files get a new modification time at every write.
type dir struct {
	t     *testing.T
	root  string
	ticks time.Duration
}

func newDir(t *testing.T) *dir { return &dir{t: t, root: t.TempDir()} }

func (d *dir) path(name string) string { return filepath.Join(d.root, name) }

func (d *dir) write(name string, parts ...[]byte) string {
	d.t.Helper()
	file := d.path(name)
	check(d.t, os.WriteFile(file, bytes.Join(parts, nil), 0o600))
	d.ticks += time.Second
	mtime := time.Unix(1_000_000_000, 0).Add(d.ticks)
	check(d.t, os.Chtimes(file, mtime, mtime))
	return file
}

func (d *dir) remove(name string) {
	d.t.Helper()
	check(d.t, os.Remove(d.path(name)))
}

func (d *dir) mtime(file string) time.Time {
	d.t.Helper()
	info, err := os.Stat(file)
	check(d.t, err)
	return info.ModTime()
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
