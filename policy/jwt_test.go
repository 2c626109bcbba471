package policy

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// must is for what cannot fail in a test.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func pemOf(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// certificate is a self-signed one for key.
func certificate(name string, public, private any) []byte {
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour)}
	return must(x509.CreateCertificate(rand.Reader, template, template, public, private))
}

func sign(key any, alg jose.SignatureAlgorithm, id, claims string) string {
	signer := must(jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: key, KeyID: id}}, nil))
	return must(must(signer.Sign([]byte(claims))).CompactSerialize())
}

func encrypt(key any, alg jose.KeyAlgorithm, plain string) string {
	e := must(jose.NewEncrypter(jose.A256GCM, jose.Recipient{Algorithm: alg, Key: key}, nil))
	return must(must(e.Encrypt([]byte(plain))).CompactSerialize())
}

// keys to play with, made once: RSA keys are slow.
type ring struct {
	rsa, otherRSA *rsa.PrivateKey
	ec            *ecdsa.PrivateKey
	ed            ed25519.PrivateKey
	secret        []byte
}

func newRing() *ring {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	return &ring{
		must(rsa.GenerateKey(rand.Reader, 2048)), must(rsa.GenerateKey(rand.Reader, 2048)),
		must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)), must(ed, err), must(base64.RawURLEncoding.DecodeString(strings.Repeat("_-aZ", 12)))[:32],
	}
}

const goodClaims = `{"host": "desk", "port": 5900}`

// Every form of a key file opens the tokens made with it, and no others.
func TestJWTKeyFiles(t *testing.T) {
	k := newRing()
	rsaSigned := sign(k.rsa, jose.RS256, "", goodClaims)
	ecSigned := sign(k.ec, jose.ES256, "", goodClaims)
	edSigned := sign(k.ed, jose.EdDSA, "", goodClaims)
	hmacSigned := sign(k.secret, jose.HS256, "", goodClaims)
	spki := must(x509.MarshalPKIXPublicKey(&k.rsa.PublicKey))
	jwk := func(key any, more func(*jose.JSONWebKey)) []byte {
		j := jose.JSONWebKey{Key: key}
		if more != nil {
			more(&j)
		}
		return must(json.Marshal(j))
	}
	tests := []struct {
		name, prefix string
		file         []byte
		good         string
	}{
		{"PKIX", "", pemOf("PUBLIC KEY", spki), rsaSigned},
		{"PSS", "", pemOf("PUBLIC KEY", spki), sign(k.rsa, jose.PS512, "", goodClaims)},
		{"PKCS1 public", "", pemOf("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&k.rsa.PublicKey)), rsaSigned},
		{"PKCS1", "", pemOf("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(k.rsa)), rsaSigned},
		{"PKCS8", "", pemOf("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(k.rsa))), rsaSigned},
		{"certificate", "", pemOf("CERTIFICATE", certificate("x", k.rsa.Public(), k.rsa)), rsaSigned},
		{"EC", "", append(pemOf("EC PARAMETERS", []byte{1}), pemOf("EC PRIVATE KEY", must(x509.MarshalECPrivateKey(k.ec)))...), ecSigned},
		{"Ed25519", "", pemOf("PUBLIC KEY", must(x509.MarshalPKIXPublicKey(k.ed.Public()))), edSigned},
		{"Ed25519 private", "", pemOf("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(k.ed))), edSigned},
		{"two PEMs", "", append(pemOf("PUBLIC KEY", must(x509.MarshalPKIXPublicKey(k.ec.Public()))), pemOf("PUBLIC KEY", spki)...), rsaSigned},
		{"secret", "", []byte(base64.RawURLEncoding.EncodeToString(k.secret) + "\n"), hmacSigned},
		{"padded secret", "", []byte(base64.URLEncoding.EncodeToString(k.secret)), hmacSigned},
		{"raw secret", "raw:", append(k.secret, '\n'), hmacSigned},
		{"JWK", "", jwk(k.secret, nil), hmacSigned},
		{"JWK public", "", jwk(k.rsa.Public(), func(j *jose.JSONWebKey) { j.Use, j.Algorithm = "sig", "RS256" }), rsaSigned},
		{"JWKS", "", []byte(`{"keys": [{"kty": "new-kind"}, ` + string(jwk(k.ec.Public(), nil)) + "," + string(jwk(k.rsa.Public(), nil)) + "]}"), rsaSigned},
		{"JWKS by kid", "", []byte(`{"keys": [` + string(jwk(k.rsa.Public(), func(j *jose.JSONWebKey) { j.KeyID = "k1" })) + "]}"), sign(k.rsa, jose.RS256, "k1", goodClaims)},
	}
	others := []string{rsaSigned, ecSigned, edSigned, hmacSigned, sign(k.otherRSA, jose.RS256, "", goodClaims)}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newDesk(t, "JWTTokenApi", tt.prefix+temp(t, string(tt.file)))
			if got := d.ask(t, tt.good); got != "desk:5900" {
				t.Error(got)
			}
			opened := 0
			for _, token := range others {
				if d.ask(t, token) == "desk:5900" {
					opened++
				}
			}
			if most := 1 + strings.Count(tt.name, "two") + strings.Count(tt.name, "JWKS"); opened > most {
				t.Errorf("%d of the other tokens are taken", opened)
			}
		})
	}
}

func TestJWTWrongKeyFiles(t *testing.T) {
	k := newRing()
	//lint:ignore SA1019 that is what such files are
	legacy := must(x509.EncryptPEMBlock(rand.Reader, "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(k.rsa), []byte("x"), x509.PEMCipherAES128))
	p224 := must(ecdsa.GenerateKey(elliptic.P224(), rand.Reader))
	tests := []struct{ prefix, file, want string }{
		{"", "", "the secret has 0 bytes"},
		{"", "my very secret passphrase", "write raw:FILE"},
		{"", "c2hvcnQtc2VjcmV0", "the secret has 12 bytes"},
		{"raw:", "short-secret", "the secret has 12 bytes"},
		{"", string(pemOf("PUBLIC KEY", []byte("secret"))), "PEM PUBLIC KEY"},
		{"", string(pemOf("ENCRYPTED PRIVATE KEY", nil)), "it is encrypted"},
		{"", string(pem.EncodeToMemory(legacy)), "it is encrypted"},
		{"", string(pemOf("DH PARAMETERS", nil)), "there is no key"},
		{"", string(pemOf("PUBLIC KEY", must(x509.MarshalPKIXPublicKey(p224.Public())))), "its curve"},
		{"", "{}", "neither a JWK nor a JWKS"},
		{"", `{"keys": []}`, "neither a JWK nor a JWKS"},
		{"", `{"keys": [{"kty": "oct", "k": "c2hvcnQtc2VjcmV0"}]}`, "the secret has 12 bytes"},
	}
	for _, tt := range tests {
		_, err := OpenTokens("JWTTokenApi", tt.prefix+temp(t, tt.file), nil)
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "short-secret") {
			t.Errorf("%.40q: %v, want %q", tt.file, err, tt.want)
		}
	}
}

func TestJWTClaims(t *testing.T) {
	k := newRing()
	file := temp(t, string(pemOf("PUBLIC KEY", must(x509.MarshalPKIXPublicKey(k.rsa.Public())))))
	d := newDesk(t, "JWTTokenApi", file+"#aud=desk&aud=other&iss=https://idp.example&leeway=30s&alg=RS256")
	d.Tokens.(*jwtTokens).now = func() time.Time { return time.Unix(1000000, 0) }
	const ok = `"aud": ["x", "desk"], "iss": "https://idp.example"`
	tests := []struct{ claims, want string }{
		{`{"host": "desk", "port": 5900, ` + ok + `}`, "desk:5900"},
		{`{"host": "desk", "port": "5900", "aud": "other", "iss": "https://idp.example"}`, "desk:5900"},
		{`{"target": "[::1]:5900", ` + ok + `}`, "[::1]:5900"},
		{`{"host": "unix_socket", "port": "/run/x", ` + ok + `}`, "unix_socket:/run/x"},
		{`{"host": "desk", "port": 5900, "exp": 1000001, "nbf": 999999.5, "iat": 2000000, ` + ok + `}`, "desk:5900"},
		{`{"host": "desk", "port": 5900, "exp": 999971, ` + ok + `}`, "desk:5900"},
		{`{"host": "desk", "port": 5900, "exp": 999969, ` + ok + `}`, "Forbidden: the token has expired"},
		{`{"host": "desk", "port": 5900, "exp": -1e300, ` + ok + `}`, "Bad Gateway"},
		{`{"host": "desk", "port": 5900, "exp": "1000001", ` + ok + `}`, "Bad Gateway"},
		{`{"host": "desk", "port": 5900, "nbf": 1000029, ` + ok + `}`, "desk:5900"},
		{`{"host": "desk", "port": 5900, "nbf": 1000031, ` + ok + `}`, "Forbidden: the token is not valid yet"},
		{`{"host": "desk", "port": 5900}`, "Forbidden: the token is for somewhere else"},
		{`{"host": "desk", "port": 5900, "aud": "desk"}`, "Forbidden: the token is for somewhere else"},
		{`{"host": "desk", "port": 5900, "aud": "DESK", "iss": "https://idp.example"}`, "Forbidden: the token is for somewhere else"},
		{`{"host": "desk", "port": 5900, "aud": "desk", "iss": "https://idp.example.evil"}`, "Forbidden: the token is for somewhere else"},
		{`{"port": 5900, ` + ok + `}`, "Bad Gateway"},
		{`{"host": "de sk", "port": 5900, ` + ok + `}`, "Bad Gateway"},
		{`nonsense`, "Bad Gateway"},
	}
	for _, tt := range tests {
		if got := d.ask(t, sign(k.rsa, jose.RS256, "", tt.claims)); got != tt.want && !strings.HasPrefix(got, tt.want+":") && !strings.HasPrefix(got, tt.want+",") {
			t.Errorf("%s: %s, want %s", tt.claims, got, tt.want)
		}
	}
	if got := d.ask(t, sign(k.rsa, jose.RS512, "", `{"host": "desk", "port": 5900, `+ok+`}`)); got != unknown {
		t.Error("an algorithm that is not on the list:", got)
	}
	if got := d.ask(t, ""); got != "Forbidden: the token is missing" {
		t.Error(got)
	}
	d.refuseHostile(t)
}

// Nobody forges a token: without a signature, with the public key as a secret,
// with a key the token itself brings, or by encrypting with the public key.
func TestJWTForged(t *testing.T) {
	k := newRing()
	public := pemOf("PUBLIC KEY", must(x509.MarshalPKIXPublicKey(k.rsa.Public())))
	d := newDesk(t, "JWTTokenApi", temp(t, string(pemOf("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(k.rsa))))))
	part := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	mac := func(header string, secret []byte) string {
		text := part(header) + "." + part(goodClaims)
		sum := hmac.New(sha256.New, secret)
		sum.Write([]byte(text))
		return text + "." + part(string(sum.Sum(nil)))
	}
	good := sign(k.rsa, jose.RS256, "", goodClaims)
	parts := strings.Split(good, ".")
	embedded := must(jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: k.otherRSA}, &jose.SignerOptions{EmbedJWK: true}))
	tests := map[string]string{
		"alg none":          part(`{"alg":"none"}`) + "." + part(goodClaims) + ".",
		"alg None, signed":  part(`{"alg":"None"}`) + "." + parts[1] + "." + parts[2],
		"no alg":            part(`{}`) + "." + parts[1] + "." + parts[2],
		"signature cut":     parts[0] + "." + parts[1] + ".",
		"claims changed":    parts[0] + "." + part(`{"host": "evil", "port": 1}`) + "." + parts[2],
		"HMAC of PEM":       mac(`{"alg":"HS256"}`, public),
		"HMAC, PEM trimmed": mac(`{"alg":"HS256"}`, bytes.TrimSpace(public)),
		"HMAC of DER":       mac(`{"alg":"HS256"}`, must(x509.MarshalPKIXPublicKey(k.rsa.Public()))),
		"HMAC of nothing":   mac(`{"alg":"HS256"}`, nil),
		"crit":              mac(`{"alg":"HS256","crit":["exp"]}`, nil),
		"own key":           must(must(embedded.Sign([]byte(goodClaims))).CompactSerialize()),
		"other key":         sign(k.otherRSA, jose.RS256, "", goodClaims),
		"bare claims, JWE":  encrypt(k.rsa.Public(), jose.RSA_OAEP, goodClaims),
		"forged in JWE":     encrypt(k.rsa.Public(), jose.RSA_OAEP, sign(k.otherRSA, jose.RS256, "", goodClaims)),
		"none in JWE":       encrypt(k.rsa.Public(), jose.RSA_OAEP, part(`{"alg":"none"}`)+"."+part(goodClaims)+"."),
		"JWE in JWE":        encrypt(k.rsa.Public(), jose.RSA_OAEP, encrypt(k.rsa.Public(), jose.RSA_OAEP, good)),
		"JWE, RSA1_5":       encrypt(k.rsa.Public(), jose.RSA1_5, good),
		"JWE, other key":    encrypt(k.otherRSA.Public(), jose.RSA_OAEP, good),
		"JSON form":         must(embedded.Sign([]byte(goodClaims))).FullSerialize(),
		"line end behind":   good + "\n.",
	}
	for name, token := range tests {
		if got := d.ask(t, token); got != unknown {
			t.Errorf("%s: %s", name, got)
		}
	}
	for name, token := range map[string]string{
		"signed": good, "nested": encrypt(k.rsa.Public(), jose.RSA_OAEP, good), "nested, SHA-256": encrypt(k.rsa.Public(), jose.RSA_OAEP_256, good),
	} {
		if got := d.ask(t, token); got != "desk:5900" {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// Encrypted tokens with the other kinds of keys.
func TestJWTNested(t *testing.T) {
	k := newRing()
	ecFile := temp(t, string(pemOf("EC PRIVATE KEY", must(x509.MarshalECPrivateKey(k.ec)))))
	secretFile := temp(t, base64.RawURLEncoding.EncodeToString(k.secret))
	for _, tt := range []struct {
		file      string
		alg       jose.KeyAlgorithm
		encrypter any
		inner     string
	}{
		{ecFile, jose.ECDH_ES, k.ec.Public(), sign(k.ec, jose.ES256, "", goodClaims)},
		{ecFile, jose.ECDH_ES_A256KW, k.ec.Public(), sign(k.ec, jose.ES256, "", goodClaims)},
		{secretFile, jose.DIRECT, k.secret, sign(k.secret, jose.HS256, "", goodClaims)},
		{secretFile, jose.A256KW, k.secret, sign(k.secret, jose.HS256, "", goodClaims)},
	} {
		d := newDesk(t, "JWTTokenApi", tt.file)
		if got := d.ask(t, encrypt(tt.encrypter, tt.alg, tt.inner)); got != "desk:5900" {
			t.Errorf("%s: %s", tt.alg, got)
		}
		if got := d.ask(t, encrypt(tt.encrypter, tt.alg, goodClaims)); got != unknown {
			t.Errorf("%s, not signed: %s", tt.alg, got)
		}
	}
}

// A new key counts without a restart, and the old one no more.
func TestJWTKeyChanges(t *testing.T) {
	k := newRing()
	name := filepath.Join(t.TempDir(), "key")
	use := func(key *rsa.PrivateKey) {
		write(t, name, string(pemOf("PUBLIC KEY", must(x509.MarshalPKIXPublicKey(key.Public())))))
	}
	use(k.rsa)
	d := newDesk(t, "JWTTokenApi", name)
	old, new := sign(k.rsa, jose.RS256, "", goodClaims), sign(k.otherRSA, jose.RS256, "", goodClaims)
	if d.ask(t, old) != "desk:5900" || d.ask(t, new) != unknown {
		t.Error("before")
	}
	use(k.otherRSA)
	later := time.Now().Add(time.Minute)
	if err := os.Chtimes(name, later, later); err != nil {
		t.Fatal(err)
	}
	d.Tokens.(*jwtTokens).keys.looked = time.Time{}
	if d.ask(t, old) != unknown || d.ask(t, new) != "desk:5900" {
		t.Error("after")
	}
}
