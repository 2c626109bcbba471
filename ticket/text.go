package ticket

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// MaxLength is of a ticket, in bytes: a cookie has room for 4096 with its name.
const MaxLength = 3072

// kind is every ticket's "typ": a JWT that the same key signed for something
// else is none (RFC 8725, 3.11).
const kind = "ticket+jwt"

// Mint signs c. A claim ID that is empty gets 128 random bits. The error tells
// which claim is wrong.
func Mint(key ed25519.PrivateKey, c Claims) (string, error) {
	if c.ID == "" {
		var random [16]byte
		rand.Read(random[:])
		c.ID = base64.RawURLEncoding.EncodeToString(random[:])
	}
	payload, err := c.marshal()
	if err != nil {
		return "", err
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.EdDSA, Key: key}, new(jose.SignerOptions).WithType(kind))
	if err != nil {
		return "", errors.New("the key is not one of Ed25519")
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	text, err := signed.CompactSerialize()
	if err == nil && len(text) > MaxLength {
		return "", fmt.Errorf("the ticket would have %d bytes, and %d is the most: shorten target, path or names", len(text), MaxLength)
	}
	return text, err
}

// Read is what a ticket says, without a look at who signed it or when: nobody
// may be let in by it. The error tells what is wrong, and quotes nothing.
func Read(text string) (Claims, error) {
	signed, err := parse(text)
	if err != nil {
		return Claims{}, err
	}
	return unmarshal(signed.UnsafePayloadWithoutVerification())
}

// Verify is Read for a ticket that one of keys has signed. The error is a
// *Refusal, unless the ticket is genuine and says nonsense.
func Verify(keys []ed25519.PublicKey, text string) (Claims, error) {
	signed, err := parse(text)
	if err != nil {
		return Claims{}, errNoTicket
	}
	for _, key := range keys {
		if payload, err := signed.Verify(key); err == nil {
			return unmarshal(payload)
		}
	}
	return Claims{}, errForged
}

func parse(text string) (*jose.JSONWebSignature, error) {
	if len(text) > MaxLength || strings.Count(text, ".") != 2 || !isCanonical(text) {
		return nil, errNoTicket
	}
	signed, err := jose.ParseSignedCompact(text, []jose.SignatureAlgorithm{jose.EdDSA})
	if err != nil {
		return nil, errNoTicket
	}
	header := signed.Signatures[0].Header
	if header.ExtraHeaders[jose.HeaderType] != kind || len(header.ExtraHeaders) != 1 || header.JSONWebKey != nil || header.Nonce != "" {
		return nil, errNoTicket
	}
	return signed, nil
}

// isCanonical tells the one spelling of a ticket: base64 has several, that
// differ in line ends and in bits at the end.
func isCanonical(text string) bool {
	for part := range strings.SplitSeq(text, ".") {
		if _, err := base64.RawURLEncoding.Strict().DecodeString(part); err != nil {
			return false
		}
	}
	return !strings.ContainsAny(text, "\r\n")
}
