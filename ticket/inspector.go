package ticket

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"path"
	"slices"
	"strings"
	"time"
)

// MaxLeeway bounds Inspector.Leeway.
const MaxLeeway = time.Minute

const (
	defaultLeeway = 10 * time.Second
	defaultLife   = 24 * time.Hour
	// slack is how much longer a Store remembers than this clock asks for:
	// clocks that are both within MaxLeeway of the right one differ by this.
	slack = 2 * MaxLeeway
)

// Inspector checks tickets and passes, and spends them. Set the fields before
// the first use and leave them alone after it, but for what Keys returns; the
// methods may be called at the same time.
type Inspector struct {
	Keys     func() ([]ed25519.PublicKey, error) // of who may mint
	Store    Store                               // of what was spent, and of passes
	Audience string                              // this bridge's name; "": it has none
	Leeway   time.Duration                       // by which clocks may differ; 0: 10 s, at most MaxLeeway; negative: none
	Life     time.Duration                       // the longest from iat to exp; 0: 24 h
	Now      func() time.Time                    // nil: time.Now
}

// Check is what a ticket or pass says that is good for r, whose RemoteAddr is the
// client's, but perhaps spent: it lets nobody in before Spend. The error is a *Refusal, or what keeps it from
// knowing; the ticket is in neither.
func (i *Inspector) Check(r *http.Request, text string) (Claims, error) {
	c, err := i.check(r, text)
	if err == nil && !onPath(c.Path, r.URL.Path) {
		err = errPath
	}
	return c, err
}

// check is Check for any path.
func (i *Inspector) check(r *http.Request, text string) (Claims, error) {
	c, err := i.open(r.Context(), text)
	if err == nil {
		err = i.judge(r, c)
	}
	if err != nil {
		return Claims{}, err
	}
	return c, nil
}

func (i *Inspector) open(ctx context.Context, text string) (Claims, error) {
	if strings.HasPrefix(text, passPrefix) {
		return i.openPass(ctx, text)
	}
	keys, err := i.Keys()
	if err != nil {
		return Claims{}, fmt.Errorf("ticket keys: %w", err)
	}
	c, err := Verify(keys, text)
	if refusal := (*Refusal)(nil); err != nil && !errors.As(err, &refusal) {
		return c, fmt.Errorf("in a genuine ticket: %w", err)
	}
	return c, err
}

// judge tells why genuine claims are not good for r, or not now.
func (i *Inspector) judge(r *http.Request, c Claims) error {
	now, leeway := i.now(), i.leeway()
	switch {
	case c.Expires.Sub(c.Issued) > i.life():
		return errLife
	case now.Add(leeway).Before(c.NotBefore), now.Add(leeway).Before(c.Issued):
		return errEarly
	case !now.Before(c.Expires.Add(leeway)):
		return errExpired
	case len(c.Audience) > 0 && !slices.Contains(c.Audience, i.Audience), len(c.Audience) == 0 && i.Audience != "":
		return errAudience
	case c.Client.IsValid() && !c.Client.Contains(addressOf(r)):
		return errClient
	}
	return nil
}

// Spend makes c, where it is for once, good for nobody else; without an error
// the caller's client may enter. The error is a *Refusal.
func (i *Inspector) Spend(ctx context.Context, c Claims) error {
	if !c.Once {
		return nil
	}
	return i.Store.Spend(ctx, c.ID, c.Issued, i.forgettable(c))
}

// forgettable is when nobody's clock can find c in time.
func (i *Inspector) forgettable(c Claims) time.Time {
	return c.Expires.Add(i.leeway() + slack)
}

const passPrefix = "pass."

// newPass keeps the claims of a spent ticket behind a secret.
func (i *Inspector) newPass(ctx context.Context, c Claims) (string, error) {
	payload, err := c.marshal()
	if err != nil {
		return "", err
	}
	var random [32]byte
	rand.Read(random[:])
	pass := passPrefix + base64.RawURLEncoding.EncodeToString(random[:])
	return pass, i.Store.Keep(ctx, passID(pass), payload, i.forgettable(c))
}

// openPass is the claims behind a pass. They are spent under its own name.
func (i *Inspector) openPass(ctx context.Context, text string) (Claims, error) {
	payload, err := i.Store.Find(ctx, passID(text))
	if err != nil {
		return Claims{}, err
	}
	c, err := unmarshal(payload)
	if err != nil {
		return Claims{}, fmt.Errorf("of a pass: %w", err)
	}
	c.ID = passID(text)
	return c, nil
}

// passID names a pass without giving it away, be it to who reads the Store or
// to who measures how long a comparison takes. It is no jti: that has no slash.
func passID(pass string) string {
	sum := sha256.Sum256([]byte(pass))
	return "pass/" + base64.RawURLEncoding.EncodeToString(sum[:])
}

// onPath tells whether a ticket for these paths is good on p. A path that a
// router may understand otherwise is on none.
func onPath(allowed, p string) bool {
	switch {
	case allowed == "" || allowed == p:
		return true
	case !isPath(p):
		return false
	}
	return strings.HasSuffix(allowed, "/") && strings.HasPrefix(strings.TrimSuffix(p, "/")+"/", allowed)
}

// isPath tells a path that means itself.
func isPath(p string) bool {
	clean := strings.HasPrefix(p, "/") && (p == "/" || path.Clean(p) == strings.TrimSuffix(p, "/"))
	return clean && len(p) <= maxPath && !strings.ContainsFunc(p, isControl)
}

// addressOf is the client's address; one that is none is in no network.
func addressOf(r *http.Request) netip.Addr {
	text := r.RemoteAddr
	if host, _, err := net.SplitHostPort(text); err == nil {
		text = host
	}
	address, _ := netip.ParseAddr(text)
	return address.Unmap().WithZone("")
}

func (i *Inspector) now() time.Time {
	if i.Now != nil {
		return i.Now()
	}
	return time.Now()
}

func (i *Inspector) leeway() time.Duration {
	if i.Leeway == 0 {
		return defaultLeeway
	}
	return min(max(i.Leeway, 0), MaxLeeway)
}

func (i *Inspector) life() time.Duration {
	if i.Life > 0 {
		return i.Life
	}
	return defaultLife
}
