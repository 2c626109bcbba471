package listen

import (
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strings"
)

// readPair reads a chain and its key as LoadCertificate says.
func readPair(certFile, keyFile string) (*tls.Certificate, error) {
	certPEM, err := os.ReadFile(certFile)
	if err != nil {
		return nil, fmt.Errorf("certificate %s cannot be read: %w", certFile, reason(err))
	}
	keyPEM, err := os.ReadFile(keyFile)
	if err != nil {
		return nil, fmt.Errorf("key %s cannot be read: %w", keyFile, reason(err))
	}
	chain := certificates(certPEM)
	if len(chain) == 0 {
		return nil, fmt.Errorf("certificate %s holds no PEM block BEGIN CERTIFICATE", certFile)
	}
	if err := checkKey(keyPEM, certFile, keyFile); err != nil {
		return nil, err
	}
	cert, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return nil, explainPair(err, chain, keyPEM, certFile, keyFile)
	}
	return &cert, nil
}

// reason is err without the path, which the caller names.
func reason(err error) error {
	var pathError *os.PathError
	if errors.As(err, &pathError) {
		return pathError.Err
	}
	return err
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

// checkKey wants a private key in data that is not locked by a passphrase.
func checkKey(data []byte, certFile, keyFile string) error {
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if !strings.HasSuffix(block.Type, "PRIVATE KEY") {
			continue
		}
		if block.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED") {
			return fmt.Errorf("key %s is encrypted, which is not supported here: decrypt it with openssl pkey -in %s -out FILE", keyFile, keyFile)
		}
		return nil
	}
	if keyFile == certFile {
		return fmt.Errorf("certificate %s holds no private key: name the key's file, or append the key to it", certFile)
	}
	return fmt.Errorf("key %s holds no PEM block BEGIN PRIVATE KEY", keyFile)
}

// explainPair adds to err the usual mistake, a chain that does not begin with
// the certificate of the key.
func explainPair(err error, chain [][]byte, keyPEM []byte, certFile, keyFile string) error {
	for _, other := range chain[1:] {
		if _, otherErr := tls.X509KeyPair(other, keyPEM); otherErr == nil {
			return fmt.Errorf("the leaf certificate must come first in %s: %w", certFile, err)
		}
	}
	return fmt.Errorf("certificate %s cannot be used with key %s: %w", certFile, keyFile, err)
}
