package ticket

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// What is minted is read again, claim by claim, and is what the doc says.
func TestMint(t *testing.T) {
	o := newOffice(t)
	c := Claims{
		Target: "unix_socket:/run/a b.sock", User: `Zoë <"z">`, ID: "0123456789abcdef-._~", Issued: noon.Add(7 * time.Millisecond), NotBefore: noon.Add(time.Second),
		Expires: noon.Add(time.Hour), Once: true, Client: netip.MustParsePrefix("2001:db8::/64"), Path: "/vnc/", Audience: []string{"one", "two"},
	}
	text := o.mint(t, c)
	for name, read := range map[string]func() (Claims, error){
		"Read":   func() (Claims, error) { return Read(text) },
		"Verify": func() (Claims, error) { return Verify([]ed25519.PublicKey{publicOf(o.key)}, text) },
	} {
		got, err := read()
		if diff := cmp.Diff(c, got, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" || err != nil {
			t.Errorf("%s: %v %s", name, err, diff)
		}
	}
	header, payload, _ := strings.Cut(text, ".")
	payload, _, _ = strings.Cut(payload, ".")
	h, _ := base64.RawURLEncoding.DecodeString(header)
	p, _ := base64.RawURLEncoding.DecodeString(payload)
	want := `{"target":"unix_socket:/run/a b.sock","sub":"Zoë <\"z\">","aud":["one","two"],"client":"2001:db8::/64","path":"/vnc/","once":true,"jti":"0123456789abcdef-._~","iat":1893585600.007,"nbf":1893585601,"exp":1893589200}`
	if string(h) != goodHeader || string(p) != want {
		t.Errorf("%s %s", h, p)
	}
	if strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.") != "" {
		t.Errorf("%q is not for URLs and cookies", text)
	}
	one, other := c, c
	one.ID, other.ID = "", ""
	a, _ := Read(o.mint(t, one))
	b, _ := Read(o.mint(t, other))
	if a.ID == b.ID || len(a.ID) != 22 {
		t.Errorf("IDs %q and %q, want 128 random bits each", a.ID, b.ID)
	}
}

// Nobody mints what nobody would take.
func TestMintRefuses(t *testing.T) {
	o := newOffice(t)
	for want, change := range map[string]func(*Claims){
		"target must have":             func(c *Claims) { c.Target = "" },
		"target must have 1":           func(c *Claims) { c.Target = strings.Repeat("a", maxTarget+1) },
		"target must have 1 to":        func(c *Claims) { c.Target = "desk:1\n" },
		"sub must have":                func(c *Claims) { c.User = strings.Repeat("a", maxUser+1) },
		"sub must have no":             func(c *Claims) { c.User = "a\x00" },
		"jti must have":                func(c *Claims) { c.ID = "short" },
		"jti must have 16":             func(c *Claims) { c.ID = "0123456789abcdef/" },
		"path must begin":              func(c *Claims) { c.Path = "vnc" },
		"path must begin with":         func(c *Claims) { c.Path = "/a/../b" },
		"iat and exp":                  func(c *Claims) { c.Expires = time.Time{} },
		"exp must be after":            func(c *Claims) { c.Expires = c.Issued },
		"exp must be after iat":        func(c *Claims) { c.NotBefore = c.Expires },
		"a name in aud":                func(c *Claims) { c.Audience = []string{"a", ""} },
		"the ticket would have":        func(c *Claims) { c.Audience = []string{strings.Repeat("a", MaxLength)} },
		"jti must have 16 to 128 of A": func(c *Claims) { c.ID = strings.Repeat("a", maxID+1) },
	} {
		c := claims()
		change(&c)
		if text, err := Mint(o.key, c); err == nil || !strings.HasPrefix(err.Error(), want) || text != "" {
			t.Errorf("%s: %q, %v", want, text, err)
		}
	}
}

func ExampleMint() {
	private, _, _ := NewKey()
	key, _ := ParsePrivateKey(private)
	now := time.Now()
	text, err := Mint(key, Claims{Target: "desk:5900", Once: true, Issued: now, Expires: now.Add(time.Minute)})
	fmt.Println(strings.Count(text, "."), err)
	// Output: 2 <nil>
}

// The command line of the manual mints what we take: no library of ours is
// needed, and our keys are anybody's.
func TestOpenSSLMints(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("LibreSSL, of other systems, does not sign with Ed25519")
	}
	if _, err := exec.LookPath("openssl"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("no openssl: install Debian's openssl")
		}
		t.Skip("no openssl: ", err)
	}
	private, public, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	keys, err := ParsePublicKeys(public)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "desk.key"), private, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-eu", "-c", opensslMint)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	c, err := Verify(keys, string(out))
	if err != nil || c.Target != "localhost:5900" || !c.Once || c.Expires.Sub(c.Issued) != time.Minute {
		t.Errorf("%s: %+v, %v", out, c, err)
	}
}

// opensslMint is in docs/tickets.md, word for word.
const opensslMint = `b64() { openssl base64 -A | tr '+/' '-_' | tr -d =; }
now=$(date +%s)
head=$(printf '{"alg":"EdDSA","typ":"ticket+jwt"}' | b64)
body=$(printf '{"target":"localhost:5900","once":true,"iat":%d,"exp":%d,"jti":"%s"}' \
    "$now" "$((now + 60))" "$(openssl rand -hex 16)" | b64)
printf '%s.%s' "$head" "$body" > ticket.tmp
printf '%s.%s.%s' "$head" "$body" "$(openssl pkeyutl -sign -rawin -inkey desk.key -in ticket.tmp | b64)"
`

// The manual has the command line that is tried here.
func TestManual(t *testing.T) {
	text, err := os.ReadFile("../docs/tickets.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), opensslMint) {
		t.Error("docs/tickets.md mints otherwise than TestOpenSSLMints")
	}
}
