package ticket

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
)

// maxKeys bounds what one ticket can cost; each of them is tried.
const maxKeys = 16

const (
	privateBlock = "PRIVATE KEY" // PKCS #8 (RFC 5958)
	publicBlock  = "PUBLIC KEY"  // PKIX (RFC 5280, 4.1.2.7)
)

// NewKey makes a key pair, each half in PEM.
func NewKey() (private, public []byte, err error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, err
	}
	open, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return nil, nil, err
	}
	private = pem.EncodeToMemory(&pem.Block{Type: privateBlock, Bytes: secret})
	return private, pem.EncodeToMemory(&pem.Block{Type: publicBlock, Bytes: open}), nil
}

// ParsePrivateKey reads the key that mints. No error quotes the file.
func ParsePrivateKey(text []byte) (ed25519.PrivateKey, error) {
	block, rest := pem.Decode(text)
	if block == nil || block.Type != privateBlock || len(bytes.TrimSpace(rest)) > 0 {
		return nil, errors.New("it is not the PEM of one private key: make one with wsbridge ticket keygen")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errors.New("its private key cannot be read: make one with wsbridge ticket keygen")
	}
	private, ok := key.(ed25519.PrivateKey)
	if !ok {
		return nil, errors.New("its key is not one of Ed25519: make one with wsbridge ticket keygen")
	}
	return private, nil
}

// ParsePublicKeys reads the keys of who may mint: several, while an old one
// goes and a new one comes. A private key is refused: who checks tickets has no
// business with it.
func ParsePublicKeys(text []byte) (keys []ed25519.PublicKey, err error) {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != publicBlock {
			return nil, errors.New("it has something else than public keys in it: the bridge needs the public half alone")
		}
		key, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			return nil, errors.New("a public key in it cannot be read")
		}
		public, ok := key.(ed25519.PublicKey)
		if !ok {
			return nil, errors.New("a public key in it is not one of Ed25519")
		}
		keys = append(keys, public)
	}
	if len(keys) == 0 {
		return nil, errors.New("it has no PEM public key in it: make one with wsbridge ticket keygen")
	}
	return keys, nil
}

// CheckKeys tells whether there are as many keys as may be tried.
func CheckKeys(keys []ed25519.PublicKey) error {
	if len(keys) == 0 || len(keys) > maxKeys {
		return fmt.Errorf("there must be 1 to %d public keys", maxKeys)
	}
	return nil
}
