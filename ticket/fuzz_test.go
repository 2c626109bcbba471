package ticket

import (
	"crypto/ed25519"
	"encoding/json"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Whatever is read as a ticket has one spelling, and says what may be minted
// again; nothing that was not signed is genuine.
func FuzzRead(f *testing.F) {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	good, err := Mint(key, claims())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(signed(key, goodHeader, `{"target":"desk:5900","iat":1893585600.5,"exp":1.89358566e9,"jti":"0123456789abcdef","client":"10.0.0.0/8","aud":"x","path":"/a/","nbf":1}`))
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add("pass.abc")
	f.Fuzz(func(t *testing.T, text string) {
		keys := []ed25519.PublicKey{publicOf(key)}
		c, err := Read(text)
		if err != nil {
			return
		}
		again, err := Mint(key, c)
		if err != nil {
			t.Fatalf("%q is read, but not minted: %v", text, err)
		}
		read, err := Verify(keys, again)
		if diff := cmp.Diff(c, read, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); err != nil || diff != "" {
			t.Errorf("%q: %v %s", text, err, diff)
		}
	})
}

// FuzzClaims is FuzzRead behind the signature, where a fuzzer would not come.
func FuzzClaims(f *testing.F) {
	payload, err := claims().marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(payload)
	f.Add([]byte(`{"target":"desk:5900","iat":1893585600.5,"exp":1.89358566e9,"jti":"0123456789abcdef","client":"10.0.0.0/8","aud":["x","y"],"path":"/a/","nbf":1,"sub":"é","once":true}`))
	f.Add([]byte(`{"target":"a","target":"b"}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		c, err := unmarshal(payload)
		if err != nil {
			return
		}
		if !json.Valid(payload) {
			t.Errorf("%q is no JSON", payload)
		}
		text, err := c.marshal()
		if err != nil {
			t.Fatalf("%q is read, but not written: %v", payload, err)
		}
		again, err := unmarshal(text)
		if diff := cmp.Diff(c, again, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); err != nil || diff != "" {
			t.Errorf("%q: %v %s", payload, err, diff)
		}
	})
}
