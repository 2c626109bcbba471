package policy

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
)

// hash is what is stored of a password.
type hash struct {
	text    string // as stored
	matches func(password string) bool
}

// parsePair is a hash or, for what is on a command line, a plain password.
func parsePair(text string) hash {
	if h, err := parseHash(text); err == nil {
		return h
	}
	want := sha256.Sum256([]byte(text))
	return hash{text, func(password string) bool {
		got := sha256.Sum256([]byte(password))
		return subtle.ConstantTimeCompare(got[:], want[:]) == 1
	}}
}

// parseHash reads a password as htpasswd and argon2 write it.
func parseHash(text string) (hash, error) {
	switch {
	case strings.HasPrefix(text, "$2a$"), strings.HasPrefix(text, "$2b$"), strings.HasPrefix(text, "$2y$"):
		return parseBcrypt(text)
	case strings.HasPrefix(text, "$argon2id$"):
		return parseArgon2(text)
	case strings.HasPrefix(text, "$apr1$"):
		return parseApr1(text)
	case strings.HasPrefix(text, "{SHA}"):
		return parseSHA(text)
	case strings.HasPrefix(text, "$5$"), strings.HasPrefix(text, "$6$"), strings.HasPrefix(text, "$1$"), strings.HasPrefix(text, "$y$"):
		return hash{}, errors.New("a crypt(3) password cannot be checked: make one with htpasswd -B")
	}
	return hash{}, errors.New("a plain or DES password is not taken from a file: make one with htpasswd -B")
}

func parseBcrypt(text string) (hash, error) {
	cost, err := bcrypt.Cost([]byte(text))
	if err != nil || len(text) != 60 || cost > 16 {
		return hash{}, errors.New("the bcrypt hash is malformed, or its cost above 16: make one with htpasswd -B")
	}
	return hash{text, func(password string) bool {
		return bcrypt.CompareHashAndPassword([]byte(text), []byte(password)) == nil
	}}, nil
}

func parseSHA(text string) (hash, error) {
	want, err := base64.StdEncoding.DecodeString(text[len("{SHA}"):])
	if err != nil || len(want) != sha1.Size {
		return hash{}, errors.New("the {SHA} hash is malformed: make one with htpasswd -B")
	}
	return hash{text, func(password string) bool {
		got := sha1.Sum([]byte(password))
		return subtle.ConstantTimeCompare(got[:], want) == 1
	}}, nil
}

const maxArgon2 = 256 << 10 // KiB of memory for one password

// parseArgon2 reads $argon2id$v=19$m=KIB,t=ROUNDS,p=LANES$SALT$HASH.
func parseArgon2(text string) (hash, error) {
	malformed := errors.New("the argon2id hash is malformed, or asks for more than 256 MiB or 16 rounds")
	parts := strings.Split(text, "$")
	if len(parts) != 6 || parts[2] != "v=19" {
		return hash{}, malformed
	}
	var memory, rounds uint32
	var lanes uint8
	n, err := fmt.Sscanf(parts[3]+"\n", "m=%d,t=%d,p=%d\n", &memory, &rounds, &lanes)
	salt, saltErr := base64.RawStdEncoding.DecodeString(parts[4])
	want, wantErr := base64.RawStdEncoding.DecodeString(parts[5])
	if n != 3 || err != nil || saltErr != nil || wantErr != nil {
		return hash{}, malformed
	}
	if memory > maxArgon2 || rounds < 1 || rounds > 16 || lanes < 1 || len(salt) < 8 || len(want) < 16 || len(want) > 64 {
		return hash{}, malformed
	}
	return hash{text, func(password string) bool {
		got := argon2.IDKey([]byte(password), salt, rounds, memory, lanes, uint32(len(want)))
		return subtle.ConstantTimeCompare(got, want) == 1
	}}, nil
}

// parseApr1 reads Apache's $apr1$SALT$HASH.
func parseApr1(text string) (hash, error) {
	salt, want, ok := strings.Cut(text[len("$apr1$"):], "$")
	if !ok || salt == "" || len(salt) > 8 || len(want) != 22 {
		return hash{}, errors.New("the apr1 hash is malformed: make one with htpasswd -B")
	}
	return hash{text, func(password string) bool {
		return subtle.ConstantTimeCompare([]byte(apr1(password, salt)), []byte(want)) == 1
	}}, nil
}

// apr1 is Apache's variant of the MD5 crypt of FreeBSD: 1000 rounds, each over
// password, salt and the round before in an order that the round's number
// gives.
func apr1(password, salt string) string {
	p, s := []byte(password), []byte(salt)
	inner := md5.Sum([]byte(password + salt + password))
	start := []byte(password + "$apr1$" + salt)
	for left := len(p); left > 0; left -= md5.Size {
		start = append(start, inner[:min(left, md5.Size)]...)
	}
	for n := len(p); n > 0; n >>= 1 {
		if n&1 == 1 {
			start = append(start, 0)
		} else {
			start = append(start, p[0])
		}
	}
	sum := md5.Sum(start)
	for round := range 1000 {
		sum = apr1Round(round, sum, p, s)
	}
	return apr1Text(sum)
}

func apr1Round(round int, sum [md5.Size]byte, p, s []byte) [md5.Size]byte {
	var b []byte
	odd := round%2 == 1
	if odd {
		b = append(b, p...)
	} else {
		b = append(b, sum[:]...)
	}
	if round%3 != 0 {
		b = append(b, s...)
	}
	if round%7 != 0 {
		b = append(b, p...)
	}
	if odd {
		b = append(b, sum[:]...)
	} else {
		b = append(b, p...)
	}
	return md5.Sum(b)
}

// apr1Text writes a sum in crypt's digits, six bits each, lowest first.
func apr1Text(sum [md5.Size]byte) string {
	const digits = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	var text []byte
	put := func(v uint32, n int) {
		for range n {
			text = append(text, digits[v&63])
			v >>= 6
		}
	}
	for i := range 5 {
		last := i + 12
		if i == 4 {
			last = 5
		}
		put(uint32(sum[i])<<16|uint32(sum[i+6])<<8|uint32(sum[last]), 4)
	}
	put(uint32(sum[11]), 2)
	return string(text)
}
