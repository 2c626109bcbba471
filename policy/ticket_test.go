package policy

import (
	"crypto/ed25519"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wsbridge/wsbridge/internal/freeport"
	"github.com/wsbridge/wsbridge/ticket"
)

// minter has the private key, and a file of the public one.
type minter struct {
	key    ed25519.PrivateKey
	public string
}

func newMinter(t *testing.T) minter {
	t.Helper()
	private, public, err := ticket.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	key, err := ticket.ParsePrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return minter{key, temp(t, string(public))}
}

// mint is a ticket for a minute from now, once, with what else change says.
func (m minter) mint(t *testing.T, change func(*ticket.Claims)) string {
	t.Helper()
	now := time.Now()
	c := ticket.Claims{Target: "desk:5900", Once: true, Issued: now, Expires: now.Add(time.Minute)}
	if change != nil {
		change(&c)
	}
	text, err := ticket.Mint(m.key, c)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// A ticket is a token: where it is looked for, how it is refused, who counts as
// one that guesses.
func TestTickets(t *testing.T) {
	m := newMinter(t)
	d := newDesk(t, "Ticket", m.public)
	text := m.mint(t, nil)
	for _, tt := range []struct{ name, token, want string }{
		{"first", text, "desk:5900"},
		{"again", text, "Forbidden: the ticket was used already"},
		{"expired", m.mint(t, func(c *ticket.Claims) { c.Issued, c.Expires = c.Issued.Add(-time.Hour), c.Expires.Add(-time.Hour) }), "Forbidden: the ticket has expired"},
		{"before the bridge", m.mint(t, func(c *ticket.Claims) { c.Issued = c.Issued.Add(-time.Minute) }), "Forbidden: the ticket was minted before the bridge started, and may have been used: get another"},
		{"somebody else's", newMinter(t).mint(t, nil), "Not Found: the ticket has a signature by no known key"},
		{"a bad target", m.mint(t, func(c *ticket.Claims) { c.Target = "desk" }), "Bad Gateway: the token cannot be looked up now"},
		{"a socket", m.mint(t, func(c *ticket.Claims) { c.Target = "unix_socket:/run/desk" }), "unix_socket:/run/desk"},
		{"none", "", "Forbidden: the token is missing"},
	} {
		if got := d.ask(t, tt.token); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
	for _, token := range hostile() {
		if got := d.ask(t, token); got != "Not Found: this is no ticket" && got != unknown {
			t.Errorf("%.40q: %s", token, got)
		}
	}
	d.Address, d.guesses = nil, guesses{}
	statuses := map[int]int{}
	for range guessBurst + 3 {
		_, err := d.Decide(upgrade("no-ticket"))
		statuses[err.(*Refusal).Status]++
	}
	if statuses[404] != guessBurst || statuses[429] != 3 {
		t.Error("forged tickets are no guesses:", statuses)
	}
}

// From each place that a client of any kind can reach.
func TestTicketPlaces(t *testing.T) {
	m := newMinter(t)
	for place, put := range map[string]func(*http.Request, string){
		"query:ticket":         func(r *http.Request, s string) { r.URL.RawQuery = "ticket=" + s },
		"path:/vnc/":           func(r *http.Request, s string) { r.URL, _ = url.Parse("/vnc/" + s) },
		"cookie:desk":          func(r *http.Request, s string) { r.AddCookie(&http.Cookie{Name: "desk", Value: s}) },
		"header:Authorization": func(r *http.Request, s string) { r.Header.Set("Authorization", "Bearer "+s) },
		"subprotocol":          func(r *http.Request, s string) { r.Header.Set("Sec-WebSocket-Protocol", "binary, bearer."+s) },
	} {
		d := newDesk(t, "Ticket", m.public)
		from, err := ParsePlace(place)
		if err != nil {
			t.Fatal(err)
		}
		d.From = []Place{from}
		r := httptest.NewRequest("GET", "/websockify", nil)
		put(r, m.mint(t, nil))
		if decision, err := d.Decide(r); err != nil || decision.Target.Address != "desk:5900" {
			t.Errorf("%s: %v, %v", place, decision, err)
		}
	}
}

// A ticket names its user; who has logged in as another does not spend it.
func TestTicketUser(t *testing.T) {
	m := newMinter(t)
	d := newDesk(t, "Ticket", m.public)
	alices := func(c *ticket.Claims) { c.User = "alice" }
	if decision, err := d.Decide(upgrade(m.mint(t, alices))); err != nil || decision.User != "alice" {
		t.Error(decision, err)
	}
	auth, err := OpenAuth("BasicHTTPAuth", "alice:a\nbob:b", nil)
	if err != nil {
		t.Fatal(err)
	}
	d.Auth = auth
	text := m.mint(t, alices)
	for _, tt := range []struct{ name, password, want string }{
		{"bob", "b", "the ticket is for another user"},
		{"alice", "wrong", "the user name or the password is wrong"},
		{"alice", "a", ""},
		{"alice", "a", "the ticket was used already"},
	} {
		r := upgrade(text)
		r.SetBasicAuth(tt.name, tt.password)
		decision, err := d.Decide(r)
		switch {
		case tt.want == "" && (err != nil || decision.User != "alice"):
			t.Errorf("%s: %v, %v", tt.name, decision, err)
		case tt.want != "" && (err == nil || err.Error() != tt.want || decision != (Decision{})):
			t.Errorf("%s: %v, %v, want %s", tt.name, decision, err, tt.want)
		}
	}
	r := upgrade(m.mint(t, nil))
	r.SetBasicAuth("bob", "b")
	if decision, err := d.Decide(r); err != nil || decision.User != "bob" {
		t.Error("a ticket for whoever has it:", decision, err)
	}
}

// Options are read; what is wrong with a source is said, and no password.
func TestTicketOptions(t *testing.T) {
	m := newMinter(t)
	d := newDesk(t, "Ticket", m.public+"#aud=me&leeway=0&life=1m")
	for want, change := range map[string]func(*ticket.Claims){
		"desk:5900": func(c *ticket.Claims) { c.Audience = []string{"me"} },
		"Forbidden: the ticket is not for this bridge": func(c *ticket.Claims) {},
		"Forbidden: the ticket has expired": func(c *ticket.Claims) {
			c.Audience, c.Issued, c.Expires = []string{"me"}, c.Issued.Add(-time.Minute), c.Expires.Add(-time.Minute-time.Second)
		},
		"Forbidden: the ticket would last longer than this bridge allows": func(c *ticket.Claims) { c.Audience, c.Expires = []string{"me"}, c.Expires.Add(time.Second) },
	} {
		if got := d.ask(t, m.mint(t, change)); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	for source, want := range map[string]string{
		"/no/such/file":                        "no such file",
		m.public + "#leeway=2m":                "leeway",
		m.public + "#leeway=soon":              "leeway",
		m.public + "#life=0":                   "life",
		m.public + "#namespace=x":              "Redis's",
		m.public + "#ttl=1":                    `unknown option "ttl"`,
		m.public + ",redis://u:secret@h:1:2/x": "not one of Redis",
		m.public + ",http://u:secret@h/":       "not one of Redis",
		temp(t, "secret"):                      "no PEM public key",
		temp(t, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"): "the public half alone",
	} {
		if l, err := OpenTokens("Ticket", source, nil); err == nil || l != nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v, want %q", source, err, want)
		}
	}
}

// An old key goes and a new one comes while the bridge runs.
func TestTicketKeyRotation(t *testing.T) {
	old, next := newMinter(t), newMinter(t)
	dir := t.TempDir()
	copyTo := func(m minter, name string) {
		text, err := os.ReadFile(m.public)
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, name), string(text))
	}
	copyTo(old, "old.pem")
	d := newDesk(t, "Ticket", dir)
	if got := d.ask(t, next.mint(t, nil)); got != "Not Found: the ticket has a signature by no known key" {
		t.Fatal(got)
	}
	copyTo(next, "next.pem")
	await(t, func() bool { return d.ask(t, next.mint(t, nil)) == "desk:5900" })
	if got := d.ask(t, old.mint(t, nil)); got != "desk:5900" {
		t.Error("both:", got)
	}
	if err := os.Remove(filepath.Join(dir, "old.pem")); err != nil {
		t.Fatal(err)
	}
	await(t, func() bool {
		return d.ask(t, old.mint(t, nil)) == "Not Found: the ticket has a signature by no known key"
	})
}

func await(t *testing.T, what func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !what(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it has not come to that")
		}
	}
}

// A configuration that is read anew takes no ticket twice; an explanation
// spends none.
func TestTicketsInheritAndPeek(t *testing.T) {
	m := newMinter(t)
	before, after := newDesk(t, "Ticket", m.public), newDesk(t, "Ticket", m.public+"#leeway=1s")
	after.Tokens.(*Tickets).Inherit(before.Tokens)
	text := m.mint(t, nil)
	before.Tokens.(*Tickets).Peek = true
	for range 2 {
		if got := before.ask(t, text); got != "desk:5900" {
			t.Error("explained:", got)
		}
	}
	before.Tokens.(*Tickets).Peek = false
	if got := before.ask(t, text); got != "desk:5900" {
		t.Error("used:", got)
	}
	if got := after.ask(t, text); got != "Forbidden: the ticket was used already" {
		t.Error("after the reload:", got)
	}
	plain, err := OpenTokens("TokenFile", temp(t, ""), nil)
	if err != nil {
		t.Fatal(err)
	}
	after.Tokens.(*Tickets).Inherit(plain)
	if got := after.ask(t, text); got != "Forbidden: the ticket was used already" {
		t.Error("after the plugin before was another one:", got)
	}
}

// A ticket for one network is worth nothing elsewhere, and is not spent there.
func TestTicketAddress(t *testing.T) {
	m := newMinter(t)
	d := newDesk(t, "Ticket", m.public)
	text := m.mint(t, func(c *ticket.Claims) { c.Client = netip.MustParsePrefix("198.51.100.0/24") })
	if got := d.ask(t, text); got != "Forbidden: the ticket is not for your address" {
		t.Error(got)
	}
	r := upgrade(text)
	r.RemoteAddr = "198.51.100.9:0"
	if decision, err := d.Decide(r); err != nil {
		t.Error(decision, err)
	}
}

// enterBy is how often one token lets in, of n tries at the same time, spread
// over bridges.
func enterBy(t *testing.T, n int, token string, bridges ...*desk) (entered int) {
	t.Helper()
	var mu sync.Mutex
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			_, err := bridges[i%len(bridges)].Decide(upgrade(token))
			var refusal *Refusal
			if err != nil && (!errors.As(err, &refusal) || refusal.Reason != "the ticket was used already") {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				entered++
			}
		})
	}
	all.Wait()
	return entered
}

// Two bridges share what was spent by a Redis: of a hundred at the same time one
// enters, by ticket and by pass, and a bridge that is started later knows.
func TestTicketsShared(t *testing.T) {
	port := freeport.Port(t)
	redisServer(t, "127.0.0.1:"+port, "--port", port, "--requirepass", "s3cret")
	m := newMinter(t)
	source := m.public + ",redis://:s3cret@127.0.0.1:" + port + "#namespace=desks"
	one, other := newDesk(t, "Ticket", source), newDesk(t, "Ticket", source)
	text := m.mint(t, nil)
	if n := enterBy(t, 100, text, one, other); n != 1 {
		t.Errorf("%d entered", n)
	}
	if got := newDesk(t, "Ticket", source).ask(t, text); got != "Forbidden: the ticket was used already" {
		t.Error("a bridge that is started later:", got)
	}
	if got := newDesk(t, "Ticket", source).ask(t, m.mint(t, func(c *ticket.Claims) { c.Issued = c.Issued.Add(-time.Minute) })); got != "desk:5900" {
		t.Error("minted before the bridge started, but Redis knows:", got)
	}
	w := httptest.NewRecorder()
	one.Tokens.(*Tickets).Exchange().ServeHTTP(w, httptest.NewRequest("GET", ticket.ExchangePath+"?ticket="+m.mint(t, nil), nil))
	if w.Code != 303 {
		t.Fatal(w.Code, w.Body)
	}
	if n := enterBy(t, 100, w.Result().Cookies()[0].Value, other, one); n != 1 {
		t.Errorf("%d entered by the pass", n)
	}
	client, _, err := newRedis("redis://:s3cret@127.0.0.1:" + port)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	keys, err := client.Keys(t.Context(), "*").Result()
	if err != nil || len(keys) != 5 {
		t.Error(keys, err)
	}
	for _, key := range keys {
		left, err := client.TTL(t.Context(), key).Result()
		if err != nil || !strings.HasPrefix(key, "desks:ticket:") || left < time.Minute || left > 5*time.Minute {
			t.Errorf("%s is kept for %v, %v", key, left, err)
		}
		if strings.Contains(key, w.Result().Cookies()[0].Value) {
			t.Error("the pass itself is in Redis")
		}
	}
}

// While Redis is down nobody gets in by a ticket for once; the log says why, and
// no password.
func TestTicketsRedisDown(t *testing.T) {
	m := newMinter(t)
	d := newDesk(t, "Ticket", m.public+",redis://:s3cret@127.0.0.1:"+freeport.Port(t))
	text := m.mint(t, nil)
	if got := d.ask(t, text); got != "Service Unavailable: it cannot be known now whether the ticket was used" {
		t.Error(got)
	}
	if got := d.ask(t, "pass.abc"); got != "Service Unavailable: it cannot be known now whether the ticket was used" {
		t.Error(got)
	}
	if log := d.log.String(); !strings.Contains(log, "refused") || strings.Contains(log, "s3cret") || strings.Contains(log, text) {
		t.Error(log)
	}
	if got := d.ask(t, m.mint(t, func(c *ticket.Claims) { c.Once = false })); got != "desk:5900" {
		t.Error("a ticket that needs no memory:", got)
	}
}
