package policy

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// What each kind of key may be used for. A token's own word on that counts only
// if its key's kind agrees. RSA1_5 and PBES2 are left out: the one can be asked
// for secrets bit by bit, the other costs what the sender likes.
var (
	rsaSigns       = []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512}
	ecSigns        = map[string]jose.SignatureAlgorithm{"P-256": jose.ES256, "P-384": jose.ES384, "P-521": jose.ES512}
	secretSigns    = []jose.SignatureAlgorithm{jose.HS256, jose.HS384, jose.HS512}
	allAlgorithms  = append([]jose.SignatureAlgorithm{jose.ES256, jose.ES384, jose.ES512, jose.EdDSA, jose.HS256, jose.HS384, jose.HS512}, rsaSigns...)
	rsaWraps       = []jose.KeyAlgorithm{jose.RSA_OAEP, jose.RSA_OAEP_256}
	ecWraps        = []jose.KeyAlgorithm{jose.ECDH_ES, jose.ECDH_ES_A128KW, jose.ECDH_ES_A192KW, jose.ECDH_ES_A256KW}
	secretWraps    = []jose.KeyAlgorithm{jose.DIRECT, jose.A128KW, jose.A192KW, jose.A256KW, jose.A128GCMKW, jose.A192GCMKW, jose.A256GCMKW}
	allWraps       = append(append(append([]jose.KeyAlgorithm{}, rsaWraps...), ecWraps...), secretWraps...)
	allEncryptions = []jose.ContentEncryption{jose.A128GCM, jose.A192GCM, jose.A256GCM, jose.A128CBC_HS256, jose.A192CBC_HS384, jose.A256CBC_HS512}
)

const minSecret = 32 // bytes, for HS256; HS384 and HS512 want 48 and 64 (RFC 7518, 3.2)

// key is one to try tokens with.
type key struct {
	id      string
	public  any // checks signatures: a public key or a secret
	private any // decrypts: a private key or a secret
	signs   []jose.SignatureAlgorithm
	wraps   []jose.KeyAlgorithm
}

// answersTo tells whether k is to be tried for a token with that key ID.
func (k key) answersTo(id string) bool { return k.id == "" || id == "" || k.id == id }

// newKey sorts a key by its kind.
func newKey(material any) (key, error) {
	switch m := material.(type) {
	case *rsa.PrivateKey:
		return key{public: &m.PublicKey, private: m, signs: rsaSigns, wraps: rsaWraps}, nil
	case *rsa.PublicKey:
		return key{public: m, signs: rsaSigns}, nil
	case *ecdsa.PrivateKey:
		k, err := newKey(&m.PublicKey)
		k.private, k.wraps = m, ecWraps
		return k, err
	case *ecdsa.PublicKey:
		alg, ok := ecSigns[m.Curve.Params().Name]
		if !ok {
			return key{}, errors.New("its curve is none of P-256, P-384 and P-521")
		}
		return key{public: m, signs: []jose.SignatureAlgorithm{alg}}, nil
	case ed25519.PrivateKey:
		return newKey(m.Public())
	case ed25519.PublicKey:
		return key{public: m, signs: []jose.SignatureAlgorithm{jose.EdDSA}}, nil
	case []byte:
		if len(m) < minSecret {
			return key{}, fmt.Errorf("the secret has %d bytes: make one of %d or more", len(m), minSecret)
		}
		return key{public: m, private: m, signs: secretSigns, wraps: secretWraps}, nil
	}
	return key{}, errors.New("it is neither RSA, EC, Ed25519 nor a secret")
}

// parseKeys reads all keys of all files. No error quotes a file.
func parseKeys(files []content, raw bool) ([]key, error) {
	var keys []key
	for _, file := range files {
		found, err := parseKeyFile(file, raw)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file.path, err)
		}
		keys = append(keys, found...)
	}
	if len(keys) == 0 {
		return nil, errors.New("there is no key")
	}
	return keys, nil
}

func parseKeyFile(file content, raw bool) ([]key, error) {
	switch text := bytes.TrimSpace(file.data); {
	case file.err != nil:
		return nil, file.err
	case raw:
		return oneKey(bytes.TrimRight(file.data, "\r\n"))
	case bytes.Contains(text, []byte("-----BEGIN ")):
		return parsePEM(text)
	case bytes.HasPrefix(text, []byte("{")):
		return parseJWKS(text)
	default:
		secret, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(string(text), "="))
		if err != nil {
			return nil, errors.New("it is neither PEM, JWK, JWKS nor the base64url of a secret: for a secret as it is write raw:FILE")
		}
		return oneKey(secret)
	}
}

func oneKey(material any) ([]key, error) {
	k, err := newKey(material)
	return []key{k}, err
}

func parsePEM(text []byte) ([]key, error) {
	var keys []key
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		material, err := parseBlock(block)
		if err != nil {
			return nil, fmt.Errorf("PEM %s: %w", block.Type, err)
		}
		if material == nil {
			continue
		}
		k, err := newKey(material)
		if err != nil {
			return nil, fmt.Errorf("PEM %s: %w", block.Type, err)
		}
		keys = append(keys, k)
	}
	return keys, nil
}

// parseBlock is nil for blocks that are no keys, as EC PARAMETERS.
func parseBlock(block *pem.Block) (any, error) {
	if block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "" {
		return nil, errors.New("it is encrypted: store it without, as openssl pkey -in OLD -out NEW does")
	}
	switch block.Type {
	case "PRIVATE KEY":
		return x509.ParsePKCS8PrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		return x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		return x509.ParseECPrivateKey(block.Bytes)
	case "PUBLIC KEY":
		return x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		return x509.ParsePKCS1PublicKey(block.Bytes)
	case "CERTIFICATE":
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		return cert.PublicKey, nil
	}
	return nil, nil
}

// parseJWKS reads a JWK or a set of them (RFC 7517). Keys of a set that cannot
// be used are left out, if there are others (section 5).
func parseJWKS(text []byte) ([]key, error) {
	var set struct{ Keys []json.RawMessage }
	if json.Unmarshal(text, &set) != nil || len(set.Keys) == 0 {
		set.Keys = []json.RawMessage{text}
	}
	var keys []key
	var errs []error
	for _, raw := range set.Keys {
		k, err := parseJWK(raw)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		keys = append(keys, k)
	}
	if len(keys) == 0 {
		return nil, errors.Join(errs...)
	}
	return keys, nil
}

func parseJWK(raw []byte) (key, error) {
	var jwk jose.JSONWebKey
	if json.Unmarshal(raw, &jwk) != nil {
		return key{}, errors.New("it is neither a JWK nor a JWKS with a key of a known kind")
	}
	k, err := newKey(jwk.Key)
	return k.limited(jwk), err
}

// limited is k for what its JWK says it is for.
func (k key) limited(jwk jose.JSONWebKey) key {
	k.id = jwk.KeyID
	if jwk.Use == "enc" {
		k.signs = nil
	}
	if jwk.Use == "sig" {
		k.wraps = nil
	}
	if jwk.Algorithm != "" {
		k.signs = only(k.signs, jose.SignatureAlgorithm(jwk.Algorithm))
		k.wraps = only(k.wraps, jose.KeyAlgorithm(jwk.Algorithm))
	}
	return k
}

func only[T comparable](all []T, one T) []T {
	for _, v := range all {
		if v == one {
			return []T{one}
		}
	}
	return nil
}
