package listen

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"hash"
	"strings"
)

// ErrPassphrase says that a passphrase does not unlock its key. Encryption
// cannot tell a wrong passphrase from a damaged file.
var ErrPassphrase = errors.New("the passphrase is wrong, or the file is damaged")

// errKeyForm says that a key is locked in a way that is not read here.
var errKeyForm = errors.New("lock it anew with openssl pkcs8 -topk8 -v2 aes-256-cbc")

// maxIterations bounds the time a key file can make the program work for it:
// a second or so. OpenSSL writes 2048.
const maxIterations = 2_000_000

// encrypted tells whether a private key is locked, in the way of PKCS #8 or
// the older one of OpenSSL (RFC 1421).
func encrypted(block *pem.Block) bool {
	return block.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED")
}

// decryptKey is the locked key in block, unlocked.
func decryptKey(block *pem.Block, passphrase string) (*pem.Block, error) {
	if block.Type != "ENCRYPTED PRIVATE KEY" {
		return decryptOld(block, passphrase)
	}
	var locked encryptedKey
	if err := unmarshal(block.Bytes, &locked); err != nil {
		return nil, fmt.Errorf("damaged encrypted key: %w", err)
	}
	der, err := locked.decrypt(passphrase)
	if err != nil {
		return nil, err
	}
	if _, err := x509.ParsePKCS8PrivateKey(der); err != nil {
		return nil, ErrPassphrase
	}
	return &pem.Block{Type: "PRIVATE KEY", Bytes: der}, nil
}

// decryptOld unlocks what openssl genrsa -aes256 -traditional writes.
func decryptOld(block *pem.Block, passphrase string) (*pem.Block, error) {
	//lint:ignore SA1019 deprecated because it does not detect tampering; the file is the person's own
	der, err := x509.DecryptPEMBlock(block, []byte(passphrase))
	if err == nil && !isKey(der) {
		err = x509.IncorrectPasswordError
	}
	if errors.Is(err, x509.IncorrectPasswordError) {
		return nil, ErrPassphrase
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, errKeyForm)
	}
	return &pem.Block{Type: block.Type, Bytes: der}, nil
}

// isKey tells a key from what a wrong passphrase makes of it.
func isKey(der []byte) bool {
	_, pkcs1 := x509.ParsePKCS1PrivateKey(der)
	_, sec1 := x509.ParseECPrivateKey(der)
	_, pkcs8 := x509.ParsePKCS8PrivateKey(der)
	return pkcs1 == nil || sec1 == nil || pkcs8 == nil
}

// encryptedKey is EncryptedPrivateKeyInfo (RFC 5958, 3).
type encryptedKey struct {
	Algorithm pkix.AlgorithmIdentifier
	Data      []byte
}

// pbes2 is PBES2-params (RFC 8018, A.4).
type pbes2 struct{ Derivation, Encryption pkix.AlgorithmIdentifier }

// pbkdf2Params is PBKDF2-params (RFC 8018, A.2).
type pbkdf2Params struct {
	Salt       []byte
	Iterations int
	KeyLength  int                      `asn1:"optional"`
	PRF        pkix.AlgorithmIdentifier `asn1:"optional"` // default HMAC-SHA1
}

// The names of algorithms, RFC 8018 appendices B and C.
const (
	oidPBES2  = "1.2.840.113549.1.5.13"
	oidPBKDF2 = "1.2.840.113549.1.5.12"
	oidScrypt = "1.3.6.1.4.1.11591.4.11"
)

// prfs are the pseudorandom functions PBKDF2 is used with.
var prfs = map[string]func() hash.Hash{
	"":                    sha1.New,
	"1.2.840.113549.2.7":  sha1.New,
	"1.2.840.113549.2.8":  sha256.New224,
	"1.2.840.113549.2.9":  sha256.New,
	"1.2.840.113549.2.10": sha512.New384,
	"1.2.840.113549.2.11": sha512.New,
}

// locks are the ciphers keys are encrypted with, all in CBC mode.
var locks = map[string]struct {
	keyLength int
	new       func([]byte) (cipher.Block, error)
}{
	"2.16.840.1.101.3.4.1.2":  {16, aes.NewCipher},
	"2.16.840.1.101.3.4.1.22": {24, aes.NewCipher},
	"2.16.840.1.101.3.4.1.42": {32, aes.NewCipher},
	"1.2.840.113549.3.7":      {24, des.NewTripleDESCipher},
}

func (k encryptedKey) decrypt(passphrase string) ([]byte, error) {
	if oid := k.Algorithm.Algorithm.String(); oid != oidPBES2 {
		return nil, fmt.Errorf("encryption %s is not known here: %w", oid, errKeyForm)
	}
	var scheme pbes2
	if err := unmarshal(k.Algorithm.Parameters.FullBytes, &scheme); err != nil {
		return nil, fmt.Errorf("damaged encrypted key: %w", err)
	}
	lock, ok := locks[scheme.Encryption.Algorithm.String()]
	if !ok {
		return nil, fmt.Errorf("cipher %s is not known here: %w", scheme.Encryption.Algorithm, errKeyForm)
	}
	key, err := derive(scheme.Derivation, passphrase, lock.keyLength)
	if err != nil {
		return nil, err
	}
	block, err := lock.new(key)
	if err != nil {
		return nil, err
	}
	var iv []byte
	if err := unmarshal(scheme.Encryption.Parameters.FullBytes, &iv); err != nil || len(iv) != block.BlockSize() {
		return nil, errors.New("damaged encrypted key: bad initialization vector")
	}
	return decryptCBC(block, iv, k.Data)
}

// derive makes the key for the cipher from the passphrase.
func derive(how pkix.AlgorithmIdentifier, passphrase string, length int) ([]byte, error) {
	switch oid := how.Algorithm.String(); oid {
	case oidPBKDF2:
	case oidScrypt:
		return nil, fmt.Errorf("key derivation scrypt is not known here: %w", errKeyForm)
	default:
		return nil, fmt.Errorf("key derivation %s is not known here: %w", oid, errKeyForm)
	}
	var p pbkdf2Params
	if err := unmarshal(how.Parameters.FullBytes, &p); err != nil {
		return nil, fmt.Errorf("damaged encrypted key: %w", err)
	}
	prf, ok := prfs[p.PRF.Algorithm.String()]
	if !ok {
		return nil, fmt.Errorf("key derivation with %s is not known here: %w", p.PRF.Algorithm, errKeyForm)
	}
	if p.Iterations < 1 || p.Iterations > maxIterations || p.KeyLength != 0 && p.KeyLength != length {
		return nil, fmt.Errorf("damaged encrypted key: %d iterations for %d bytes", p.Iterations, p.KeyLength)
	}
	return pbkdf2.Key(prf, passphrase, p.Salt, p.Iterations, length)
}

// decryptCBC also takes the padding off (RFC 8018, 6.1.1).
func decryptCBC(block cipher.Block, iv, data []byte) ([]byte, error) {
	size := block.BlockSize()
	if len(data) == 0 || len(data)%size != 0 {
		return nil, errors.New("damaged encrypted key: not a whole number of blocks")
	}
	plain := make([]byte, len(data))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plain, data)
	pad := int(plain[len(plain)-1])
	if pad < 1 || pad > size {
		return nil, ErrPassphrase
	}
	return plain[:len(plain)-pad], nil
}

// unmarshal wants all of der to be one value.
func unmarshal(der []byte, to any) error {
	rest, err := asn1.Unmarshal(der, to)
	if err == nil && len(rest) > 0 {
		err = errors.New("bytes follow its end")
	}
	return err
}
