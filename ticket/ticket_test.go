package ticket

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)

// office is who mints, who checks, and the clock on its wall.
type office struct {
	key       ed25519.PrivateKey
	inspector *Inspector
	now       time.Time
}

func newOffice(t *testing.T) *office {
	t.Helper()
	o := &office{key: newKey(t), now: noon}
	clock := func() time.Time { return o.now }
	o.inspector = &Inspector{
		Keys: func() ([]ed25519.PublicKey, error) {
			return []ed25519.PublicKey{publicOf(newKey(t)), publicOf(o.key)}, nil
		},
		Store: NewMemory(1<<20, clock), Now: clock,
	}
	return o
}

func newKey(t *testing.T) ed25519.PrivateKey {
	t.Helper()
	text, _, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	key, err := ParsePrivateKey(text)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func publicOf(key ed25519.PrivateKey) ed25519.PublicKey { return key.Public().(ed25519.PublicKey) }

// claims are good for a minute from noon.
func claims() Claims {
	return Claims{Target: "desk:5900", ID: "0123456789abcdef", Issued: noon, Expires: noon.Add(time.Minute), Once: true}
}

func (o *office) mint(t *testing.T, c Claims) string {
	t.Helper()
	text, err := Mint(o.key, c)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// enter is a client's way in: the target, or why not.
func (o *office) enter(r *http.Request, text string) string {
	c, err := o.inspector.Check(r, text)
	if err == nil {
		err = o.inspector.Spend(r.Context(), c)
	}
	if err != nil {
		return err.Error()
	}
	return c.Target
}

func from(remote, path string) *http.Request {
	r := httptest.NewRequest("GET", path, nil)
	r.RemoteAddr = remote
	return r
}

func anybody() *http.Request { return from("192.0.2.7:1234", "/websockify") }

// signed is a JWS of any header and payload, with the right signature.
func signed(key ed25519.PrivateKey, header, payload string) string {
	text := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(payload))
	return text + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(key, []byte(text)))
}

const goodHeader = `{"alg":"EdDSA","typ":"ticket+jwt"}`

// Tickets that others mint are taken: by any JWT library, with what they like
// to add, and with times in whole seconds.
func TestOthersMint(t *testing.T) {
	o := newOffice(t)
	for name, text := range map[string]string{
		"as documented":   signed(o.key, goodHeader, `{"target":"desk:5900","iat":1893585600,"exp":1893585660,"jti":"0123456789abcdef"}`),
		"spaces, a kid":   signed(o.key, `{ "typ": "ticket+jwt", "kid": "mine", "alg": "EdDSA" }`, ` { "exp": 1.89358566e9 , "iat": 1893585600.5, "jti": "0123456789abcdef", "target": "desk:5900" } `),
		"one client":      signed(o.key, goodHeader, `{"target":"desk:5900","iat":1893585600,"exp":1893585660,"jti":"0123456789abcdef","client":"::ffff:192.0.2.7","aud":[]}`),
		"from a UUID":     signed(o.key, goodHeader, `{"target":"desk:5900","iat":1893585600,"exp":1893585660,"jti":"8c9f6e2e-6a2e-4d2b-9c70-000000000000","once":false}`),
		"escapes in JSON": signed(o.key, goodHeader, `{"t\u0061rget":"desk:\u0035900","iat":1893585600,"exp":1893585660,"jti":"0123456789abcdef"}`),
	} {
		if got := o.enter(anybody(), text); got != "desk:5900" {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// What is not exactly a ticket by a known key is none, and is told nothing
// else; what is genuine and says nonsense is not the client's fault.
func TestForged(t *testing.T) {
	o := newOffice(t)
	good := o.mint(t, claims())
	payload := strings.Split(good, ".")[1]
	plain, _ := base64.RawURLEncoding.DecodeString(payload)
	symmetric, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: []byte(publicOf(o.key))}, new(jose.SignerOptions).WithType(kind))
	if err != nil {
		t.Fatal(err)
	}
	confused, _ := symmetric.Sign(plain)
	hmac, _ := confused.CompactSerialize()
	const noTicket, forged = "this is no ticket", "the ticket has a signature by no known key"
	for name, tt := range map[string]struct{ text, want string }{
		"nothing":             {"", noTicket},
		"a word":              {"abc", noTicket},
		"dots":                {"..", noTicket},
		"a stranger's":        {signed(newKey(t), goodHeader, string(plain)), forged},
		"no signature":        {strings.Join(strings.Split(good, ".")[:2], ".") + ".", forged},
		"another's claims":    {strings.Replace(good, payload, base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(plain), "desk", "safe", 1))), 1), forged},
		"alg none":            {signed(o.key, `{"alg":"none","typ":"ticket+jwt"}`, string(plain)), noTicket},
		"alg HS256":           {hmac, noTicket},
		"alg Ed25519":         {signed(o.key, `{"alg":"Ed25519","typ":"ticket+jwt"}`, string(plain)), noTicket},
		"another kind of JWT": {signed(o.key, `{"alg":"EdDSA","typ":"JWT"}`, string(plain)), noTicket},
		"no kind":             {signed(o.key, `{"alg":"EdDSA"}`, string(plain)), noTicket},
		"crit":                {signed(o.key, `{"alg":"EdDSA","typ":"ticket+jwt","crit":["x"],"x":1}`, string(plain)), noTicket},
		"a key of its own":    {signed(o.key, `{"alg":"EdDSA","typ":"ticket+jwt","jwk":{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}}`, string(plain)), noTicket},
		"a line end":          {good + "\n", noTicket},
		"a line end inside":   {strings.Replace(good, ".", ".\n", 1), noTicket},
		"padding":             {good + "=", noTicket},
		"other last bits":     {good[:len(good)-1] + nextDigit(good[len(good)-1]), noTicket},
		"too long":            {signed(o.key, goodHeader, strings.Repeat(" ", MaxLength)+string(plain)), noTicket},
		"a pass":              {"pass.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "the pass is unknown, or has expired"},
		"genuine nonsense":    {signed(o.key, goodHeader, `[]`), "in a genuine ticket: the claims are no JSON object"},
		"genuine, no end":     {signed(o.key, goodHeader, `{"target":"desk:5900"`), "in a genuine ticket: a claim is of the wrong kind"},
		"more behind":         {signed(o.key, goodHeader, string(plain)+"{}"), "in a genuine ticket: a claim is of the wrong kind"},
		"unknown claim":       {signed(o.key, goodHeader, `{"clinet":"192.0.2.7",`+string(plain[1:])), "in a genuine ticket: there is a claim that is not known"},
		"a claim in capitals": {signed(o.key, goodHeader, strings.Replace(string(plain), "once", "Once", 1)), "in a genuine ticket: there is a claim that is not known"},
		"a claim twice":       {signed(o.key, goodHeader, `{"once":true,`+string(plain[1:])), "in a genuine ticket: a claim is there twice"},
		"a claim null":        {signed(o.key, goodHeader, strings.Replace(string(plain), `"once":true`, `"once":null`, 1)), "in a genuine ticket: a claim is null"},
		"once as a word":      {signed(o.key, goodHeader, strings.Replace(string(plain), `"once":true`, `"once":"true"`, 1)), "in a genuine ticket: a claim is of the wrong kind"},
		"a time too far":      {signed(o.key, goodHeader, `{"target":"desk:5900","iat":1893585600,"exp":1e300,"jti":"0123456789abcdef"}`), "in a genuine ticket: a claim is of the wrong kind"},
		"a client with bits":  {signed(o.key, goodHeader, `{"client":"192.0.2.7/24",`+string(plain[1:])), "in a genuine ticket: client is no network: write it as 192.0.2.0/24, with nothing behind the mask"},
		"no id":               {signed(o.key, goodHeader, `{"target":"desk:5900","iat":1893585600,"exp":1893585660}`), "in a genuine ticket: jti must have 16 to 128 of A-Z a-z 0-9 - . _ ~"},
	} {
		if got := o.enter(anybody(), tt.text); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
	if got := o.enter(anybody(), good); got != "desk:5900" {
		t.Error("and the good one:", got)
	}
}

// nextDigit is the base64 digit after c: it differs in bits that mean nothing
// where c is the last of 64 bytes.
func nextDigit(c byte) string {
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return string(digits[strings.IndexByte(digits, c)+1])
}

// A genuine ticket is told what keeps it out: its time, its place.
func TestLimits(t *testing.T) {
	ms := time.Millisecond
	for name, tt := range map[string]struct {
		change func(*Claims)
		bridge func(*office)
		remote string
		path   string
		want   string
	}{
		"as minted":            {want: "desk:5900"},
		"to the end":           {bridge: func(o *office) { o.now = noon.Add(70*time.Second - ms) }, want: "desk:5900"},
		"after the end":        {bridge: func(o *office) { o.now = noon.Add(70 * time.Second) }, want: "the ticket has expired"},
		"a strict bridge":      {bridge: func(o *office) { o.now, o.inspector.Leeway = noon.Add(time.Minute), -1 }, want: "the ticket has expired"},
		"a leeway out of hand": {bridge: func(o *office) { o.now, o.inspector.Leeway = noon.Add(2*time.Minute), time.Hour }, want: "the ticket has expired"},
		"a fast minter":        {bridge: func(o *office) { o.now = noon.Add(-10 * time.Second) }, want: "desk:5900"},
		"a too fast minter":    {bridge: func(o *office) { o.now = noon.Add(-10*time.Second - ms) }, want: "the ticket is not valid yet"},
		"nbf":                  {change: func(c *Claims) { c.NotBefore = noon.Add(20 * time.Second) }, want: "the ticket is not valid yet"},
		"nbf within leeway":    {change: func(c *Claims) { c.NotBefore = noon.Add(10 * time.Second) }, want: "desk:5900"},
		"a day":                {change: func(c *Claims) { c.Expires = noon.Add(24 * time.Hour) }, want: "desk:5900"},
		"more than a day":      {change: func(c *Claims) { c.Expires = noon.Add(24*time.Hour + ms) }, want: "the ticket would last longer than this bridge allows"},
		"another life":         {bridge: func(o *office) { o.inspector.Life = time.Minute - ms }, want: "the ticket would last longer than this bridge allows"},
		"for this bridge":      {change: func(c *Claims) { c.Audience = []string{"x", "me"} }, bridge: func(o *office) { o.inspector.Audience = "me" }, want: "desk:5900"},
		"for another bridge":   {change: func(c *Claims) { c.Audience = []string{"you"} }, bridge: func(o *office) { o.inspector.Audience = "me" }, want: "the ticket is not for this bridge"},
		"for no bridge":        {bridge: func(o *office) { o.inspector.Audience = "me" }, want: "the ticket is not for this bridge"},
		"for somebody by name": {change: func(c *Claims) { c.Audience = []string{"you"} }, want: "the ticket is not for this bridge"},
		"from here":            {change: client("192.0.2.7"), want: "desk:5900"},
		"mapped":               {change: client("192.0.2.7"), remote: "[::ffff:192.0.2.7]:1", want: "desk:5900"},
		"from the network":     {change: client("192.0.2.0/24"), want: "desk:5900"},
		"a zone":               {change: client("fe80::/64"), remote: "[fe80::1%eth0]:1", want: "desk:5900"},
		"from elsewhere":       {change: client("192.0.2.8"), want: "the ticket is not for your address"},
		"no address":           {change: client("::/0"), remote: "@", want: "the ticket is not for your address"},
		"on the path":          {change: onlyOn("/websockify"), want: "desk:5900"},
		"below":                {change: onlyOn("/vnc/"), path: "/vnc/a/b", want: "desk:5900"},
		"the folder itself":    {change: onlyOn("/vnc/"), path: "/vnc", want: "desk:5900"},
		"beside":               {change: onlyOn("/vnc/"), path: "/vnc2", want: "the ticket is not for this path"},
		"below no folder":      {change: onlyOn("/vnc"), path: "/vnc/a", want: "the ticket is not for this path"},
		"out of it":            {change: onlyOn("/vnc/"), path: "/vnc/../admin", want: "the ticket is not for this path"},
		"into it":              {change: onlyOn("/vnc/"), path: "/x/../vnc/a", want: "the ticket is not for this path"},
		"double":               {change: onlyOn("/vnc/"), path: "/vnc//a", want: "the ticket is not for this path"},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t)
			c := claims()
			if tt.change != nil {
				tt.change(&c)
			}
			if tt.bridge != nil {
				tt.bridge(o)
			}
			r := anybody()
			if tt.remote != "" {
				r.RemoteAddr = tt.remote
			}
			if tt.path != "" {
				r.URL.Path = tt.path
			}
			// The Store's beginning is no matter of these.
			c.Once = false
			if got := o.enter(r, o.mint(t, c)); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

func client(text string) func(*Claims) {
	return func(c *Claims) { c.Client, _ = ParseClient(text) }
}

func onlyOn(text string) func(*Claims) { return func(c *Claims) { c.Path = text } }

// Keys that cannot be had are the bridge's fault.
func TestNoKeys(t *testing.T) {
	o := newOffice(t)
	o.inspector.Keys = func() ([]ed25519.PublicKey, error) { return nil, errors.New("gone") }
	if got := o.enter(anybody(), o.mint(t, claims())); got != "ticket keys: gone" {
		t.Error(got)
	}
}
