package policy

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// No text is a genuine token but the one that was signed.
func FuzzJWT(f *testing.F) {
	secret := []byte("a secret of as many bytes as HS512 asks for, that is sixty-four.")
	keys := []key{{public: secret, private: secret, signs: []jose.SignatureAlgorithm{jose.HS256, jose.HS512}, wraps: []jose.KeyAlgorithm{jose.DIRECT}}}
	good := sign(secret, jose.HS256, "one", goodClaims)
	f.Add(good)
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add("eyJhbGciOiJIUzI1NiIsImNyaXQiOlsiZXhwIl19" + good[strings.IndexByte(good, '.'):])
	f.Add("eyJhbGciOiJkaXIiLCJlbmMiOiJBMTI4R0NNIn0..AAAAAAAAAAAAAAAA.AA.AAAAAAAAAAAAAAAAAAAAAA")
	f.Fuzz(func(t *testing.T, token string) {
		payload, ok := new(jwtTokens).open(keys, token)
		if ok && string(payload) != goodClaims {
			t.Errorf("%q opens as %q", token, payload)
		}
	})
}

// Genuine claims, whatever is in them, lead to an endpoint that can be written and
// read again, or nowhere; and to none when they have expired.
func FuzzJWTClaims(f *testing.F) {
	f.Add([]byte(`{"host": "desk", "port": 5900, "aud": ["x", "desk"], "exp": 1000001, "nbf": 999999.5, "iat": 2000000}`))
	f.Add([]byte(`{"target": "[::1]:5900", "aud": "desk"}`))
	f.Add([]byte(`{"host": "unix_socket", "port": "/run/x", "aud": "desk", "exp": 999970}`))
	f.Add([]byte(`{"host": "desk", "port": "5900", "aud": "desk", "exp": -1e300}`))
	f.Add([]byte(`{"host": ["desk"], "port": {}, "aud": [[]], "exp": "1"}`))
	j := &jwtTokens{expected: jwt.Expected{AnyAudience: []string{"desk"}}, leeway: time.Second, now: func() time.Time { return time.Unix(1000000, 0) }}
	f.Fuzz(func(t *testing.T, payload []byte) {
		e, err := j.read(payload)
		if err != nil {
			return
		}
		if again, err := ParseEndpoint(e.String()); err != nil || again != e {
			t.Errorf("%q: %v is read as %v, %v", payload, e, again, err)
		}
		var claims jwt.Claims
		if err := json.Unmarshal(payload, &claims); err != nil {
			t.Errorf("%q: %v", payload, err)
		} else if claims.Expiry != nil && claims.Expiry.Time().Unix() < 999999 {
			t.Errorf("%q has expired", payload)
		}
	})
}
