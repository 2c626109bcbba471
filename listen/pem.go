package listen

import (
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"strings"
)

// read makes one of the chain and its key.
func (p CertificateFiles) read() (*tls.Certificate, error) {
	certPEM, err := file{"certificate", p.Cert}.content()
	if err != nil {
		return nil, err
	}
	keyPEM, err := file{"key", p.Key}.content()
	if err != nil {
		return nil, err
	}
	chain := certificates(certPEM)
	if len(chain) == 0 {
		return nil, fmt.Errorf("certificate %s holds no PEM block BEGIN CERTIFICATE", p.Cert)
	}
	if keyPEM, err = p.unlocked(keyPEM); err != nil {
		return nil, err
	}
	cert, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return nil, p.explain(err, chain, keyPEM)
	}
	return &cert, nil
}

// certificates are the PEM blocks of a chain, each by itself.
func certificates(data []byte) [][]byte {
	var chain [][]byte
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			chain = append(chain, pem.EncodeToMemory(block))
		}
	}
	return chain
}

// unlocked is the first private key in data, as a PEM block that is not
// encrypted.
func (p CertificateFiles) unlocked(data []byte) ([]byte, error) {
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if !strings.HasSuffix(block.Type, "PRIVATE KEY") {
			continue
		}
		if !encrypted(block) {
			return pem.EncodeToMemory(block), nil
		}
		if p.Passphrase == "" {
			return nil, fmt.Errorf("key %s is encrypted: give its passphrase, or decrypt it with openssl pkey -in %s -out FILE", p.Key, p.Key)
		}
		open, err := decryptKey(block, p.Passphrase)
		if err != nil {
			return nil, fmt.Errorf("key %s: %w", p.Key, err)
		}
		return pem.EncodeToMemory(open), nil
	}
	if p.Key == p.Cert {
		return nil, fmt.Errorf("certificate %s holds no private key: name the key's file, or append the key to it", p.Cert)
	}
	return nil, fmt.Errorf("key %s holds no PEM block BEGIN PRIVATE KEY", p.Key)
}

// explain adds to err the usual mistake, a chain that does not begin with the
// certificate of the key.
func (p CertificateFiles) explain(err error, chain [][]byte, keyPEM []byte) error {
	for _, other := range chain[1:] {
		if _, otherErr := tls.X509KeyPair(other, keyPEM); otherErr == nil {
			return fmt.Errorf("the leaf certificate must come first in %s: %w", p.Cert, err)
		}
	}
	return fmt.Errorf("certificate %s cannot be used with key %s: %w", p.Cert, p.Key, err)
}
