package ticket

import (
	"crypto/ed25519"
	"strings"
	"testing"
)

func TestParseKeys(t *testing.T) {
	private, public, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	_, other, _ := NewKey()
	keys, err := ParsePublicKeys([]byte("# the new one\n" + string(public) + "# the old one\n" + string(other)))
	if err != nil || len(keys) != 2 || CheckKeys(keys) != nil {
		t.Errorf("%d keys, %v", len(keys), err)
	}
	if CheckKeys(nil) == nil || CheckKeys(make([]ed25519.PublicKey, maxKeys+1)) == nil {
		t.Error("none, or too many, are right")
	}
	const ec = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEEVs/o5+uQbTjL3chynL4wXgUg2R9\nq9UU8I5mEovUf86QZ7kOBIjJwqnzD1omageEHWwHdBO6B+dFabmdT9POxg==\n-----END PUBLIC KEY-----\n"
	for text, want := range map[string]string{
		"":                               "no PEM public key",
		"junk":                           "no PEM public key",
		string(private):                  "the public half alone",
		string(public) + string(private): "the public half alone",
		"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n": "cannot be read",
		ec: "not one of Ed25519",
	} {
		if _, err := ParsePublicKeys([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("public %.30q: %v, want %q", text, err, want)
		}
	}
	for text, want := range map[string]string{
		"":                                "not the PEM of one private key",
		string(public):                    "not the PEM of one private key",
		string(private) + string(private): "not the PEM of one private key",
		"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n": "cannot be read",
	} {
		if _, err := ParsePrivateKey([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("private %.30q: %v, want %q", text, err, want)
		}
	}
}
