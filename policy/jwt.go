package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

const defaultLeeway = time.Minute

// jwtTokens is JWTTokenApi: the token itself says where it leads.
type jwtTokens struct {
	noClose
	keys     *watched[[]key]
	algs     []jose.SignatureAlgorithm // nil: what the keys are for
	expected jwt.Expected
	leeway   time.Duration
	now      func() time.Time
}

func openJWT(source string, _ *slog.Logger) (Lookup, error) {
	source, options, err := cutOptions(source, "aud", "iss", "leeway", "alg")
	if err != nil {
		return nil, err
	}
	path, raw := strings.CutPrefix(source, "raw:")
	if path, err = filepath.Abs(path); err != nil {
		return nil, err
	}
	j := &jwtTokens{leeway: defaultLeeway, now: time.Now}
	j.keys = &watched[[]key]{path: path, now: time.Now, parse: func(files []content) ([]key, error) {
		return parseKeys(files, raw)
	}}
	j.expected = jwt.Expected{Issuer: options.Get("iss"), AnyAudience: options["aud"]}
	if err := j.setOptions(options["alg"], options.Get("leeway")); err != nil {
		return nil, err
	}
	if _, err = j.keys.get(); err != nil {
		return nil, err
	}
	return j, nil
}

func (j *jwtTokens) setOptions(algs []string, leeway string) error {
	for _, alg := range algs {
		if !slices.Contains(allAlgorithms, jose.SignatureAlgorithm(alg)) {
			return fmt.Errorf("unknown alg %q: known are %v", alg, allAlgorithms)
		}
		j.algs = append(j.algs, jose.SignatureAlgorithm(alg))
	}
	if leeway == "" {
		return nil
	}
	d, err := time.ParseDuration(leeway)
	if err != nil || d < 0 {
		return fmt.Errorf("leeway %q is no time: write 30s", leeway)
	}
	j.leeway = d
	return nil
}

func (j *jwtTokens) Lookup(_ *http.Request, token string) (Endpoint, error) {
	keys, err := j.keys.get()
	if err != nil {
		return Endpoint{}, fmt.Errorf("JWT keys: %w", err)
	}
	payload, ok := j.open(keys, token)
	if !ok {
		return Endpoint{}, ErrNotFound
	}
	return j.read(payload)
}

// read takes the endpoint out of a genuine token's claims.
func (j *jwtTokens) read(payload []byte) (Endpoint, error) {
	var claims struct {
		jwt.Claims
		answer
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		return Endpoint{}, errors.New("JWT: the claims of a genuine token cannot be read")
	}
	if err := j.validate(claims.Claims); err != nil {
		return Endpoint{}, err
	}
	e, err := claims.endpoint()
	if err != nil {
		return Endpoint{}, fmt.Errorf("JWT: in a genuine token: %w", err)
	}
	return e, nil
}

// open takes the claims out of a token: of a signed one (RFC 7515), or of a
// signed one in an encrypted one (RFC 7516). That somebody could encrypt a
// token with a public key proves nothing.
func (j *jwtTokens) open(keys []key, token string) ([]byte, bool) {
	if strings.Count(token, ".") == 4 {
		plain, ok := decrypt(keys, token)
		if !ok {
			return nil, false
		}
		token = string(plain)
	}
	return verify(keys, j.algs, token)
}

var errExpired = forbidden("the token has expired")

// validate tells why a genuine token is not taken.
func (j *jwtTokens) validate(c jwt.Claims) error {
	c.IssuedAt = nil // says nothing of when it may be used
	expected := j.expected
	expected.Time = j.now()
	switch err := c.ValidateWithLeeway(expected, j.leeway); {
	case errors.Is(err, jwt.ErrExpired):
		return errExpired
	case errors.Is(err, jwt.ErrNotValidYet):
		return forbidden("the token is not valid yet")
	case err != nil:
		return forbidden("the token is for somewhere else, or from somebody else")
	}
	return nil
}

func verify(keys []key, algs []jose.SignatureAlgorithm, token string) ([]byte, bool) {
	jws, err := jose.ParseSignedCompact(token, allAlgorithms)
	if err != nil {
		return nil, false
	}
	header := jws.Signatures[0].Header
	alg := jose.SignatureAlgorithm(header.Algorithm)
	if algs != nil && !slices.Contains(algs, alg) {
		return nil, false
	}
	for _, k := range keys {
		if !k.answersTo(header.KeyID) || !slices.Contains(k.signs, alg) {
			continue
		}
		if payload, err := jws.Verify(k.public); err == nil {
			return payload, true
		}
	}
	return nil, false
}

func decrypt(keys []key, token string) ([]byte, bool) {
	jwe, err := jose.ParseEncryptedCompact(token, allWraps, allEncryptions)
	if err != nil {
		return nil, false
	}
	for _, k := range keys {
		if !k.answersTo(jwe.Header.KeyID) || !slices.Contains(k.wraps, jose.KeyAlgorithm(jwe.Header.Algorithm)) {
			continue
		}
		if plain, err := jwe.Decrypt(k.private); err == nil {
			return plain, true
		}
	}
	return nil, false
}
