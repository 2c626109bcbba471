package policy

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/wsbridge/wsbridge/ticket"
)

// spentMemory is of the tickets a bridge without Redis remembers, in bytes:
// some 130,000 tickets.
const spentMemory = 32 << 20

// Tickets is the token plugin Ticket. Set the fields before the first use.
type Tickets struct {
	// Peek looks at tickets and spends none: for who explains a decision.
	Peek bool

	inspector *ticket.Inspector
	redis     io.Closer // nil: what was spent is in memory
	log       *slog.Logger
}

func openTickets(source string, log *slog.Logger) (Lookup, error) {
	source, options, err := cutOptions(source, "aud", "leeway", "life", "namespace", "ca")
	if err != nil {
		return nil, err
	}
	file, store := source, ""
	if i := strings.LastIndex(source, ","); i >= 0 && strings.Contains(source[i:], "://") {
		file, store = source[:i], source[i+1:]
	}
	t := &Tickets{log: log, inspector: &ticket.Inspector{Audience: options.Get("aud")}}
	if err = t.setTimes(options.Get("leeway"), options.Get("life")); err == nil {
		err = t.useKeys(file)
	}
	if err == nil {
		err = t.useStore(store, options)
	}
	if err != nil {
		return nil, err
	}
	return t, nil
}

func (t *Tickets) setTimes(leeway, life string) (err error) {
	if leeway != "" {
		d, err := time.ParseDuration(leeway)
		if err != nil || d < 0 || d > ticket.MaxLeeway {
			return fmt.Errorf("leeway %q is no time from 0 to %v: write 10s", leeway, ticket.MaxLeeway)
		}
		if t.inspector.Leeway = d; d == 0 {
			t.inspector.Leeway = -1
		}
	}
	if life != "" {
		if t.inspector.Life, err = time.ParseDuration(life); err != nil || t.inspector.Life <= 0 {
			return fmt.Errorf("life %q is no time: write 24h", life)
		}
	}
	return nil
}

// useKeys reads a file of public keys, or a directory of such files.
func (t *Tickets) useKeys(path string) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	keys := &watched[[]ed25519.PublicKey]{path: path, now: time.Now, parse: parseTicketKeys}
	t.inspector.Keys = keys.get
	_, err = keys.get()
	return err
}

func parseTicketKeys(files []content) (all []ed25519.PublicKey, err error) {
	for _, file := range files {
		if file.err != nil {
			return nil, file.err
		}
		keys, err := ticket.ParsePublicKeys(file.data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file.path, err)
		}
		all = append(all, keys...)
	}
	return all, ticket.CheckKeys(all)
}

// useStore opens Redis, if a source names it.
func (t *Tickets) useStore(source string, options url.Values) error {
	if source == "" {
		if options.Has("namespace") || options.Has("ca") {
			return errors.New("namespace and ca are Redis's: write FILE,redis://host")
		}
		t.inspector.Store = ticket.NewMemory(spentMemory, nil)
		return nil
	}
	silenceRedis()
	own := url.Values{}
	for _, name := range []string{"namespace", "ca"} {
		if options.Has(name) {
			own.Set(name, options.Get(name))
		}
	}
	client, namespace, err := newRedis(source + "#" + own.Encode())
	if err != nil {
		return err
	}
	if namespace != "" {
		namespace += ":"
	}
	t.redis, t.inspector.Store = client, ticket.Redis{Client: client, Prefix: namespace}
	return nil
}

// Inherit takes over what an older Lookup remembers, where both keep it in
// memory: a bridge that reads its configuration anew takes no ticket twice.
func (t *Tickets) Inherit(old Lookup) {
	o, ok := old.(*Tickets)
	if ok && o.redis == nil && t.redis == nil {
		t.inspector.Store = o.inspector.Store
	}
}

// Exchange is the page that puts tickets into cookies; the caller may set its
// fields.
func (t *Tickets) Exchange() *ticket.Exchange {
	return &ticket.Exchange{Inspector: t.inspector, Log: t.log}
}

// Close lets go of Redis.
func (t *Tickets) Close() error {
	if t.redis == nil {
		return nil
	}
	return t.redis.Close()
}

// Lookup spends a ticket for whoever has it.
func (t *Tickets) Lookup(r *http.Request, text string) (Endpoint, error) {
	e, _, err := t.lookupFor(r, "", text)
	return e, err
}

// lookupFor spends a ticket, after all else about it was found right.
func (t *Tickets) lookupFor(r *http.Request, user, text string) (Endpoint, string, error) {
	c, err := t.inspector.Check(r, text)
	if err != nil {
		return Endpoint{}, "", t.refusal(r, err)
	}
	e, err := ParseEndpoint(c.Target)
	if err != nil {
		return Endpoint{}, "", fmt.Errorf("in a genuine ticket: %w", err)
	}
	if user != "" && c.User != "" && user != c.User {
		return Endpoint{}, "", forbidden("the ticket is for another user")
	}
	if t.Peek {
		return e, c.User, nil
	}
	if err := t.inspector.Spend(r.Context(), c); err != nil {
		return Endpoint{}, "", t.refusal(r, err)
	}
	return e, c.User, nil
}

// refusal is the room's in ours. Only what is not genuine is a guess.
func (t *Tickets) refusal(r *http.Request, err error) error {
	var no *ticket.Refusal
	if !errors.As(err, &no) {
		return err
	}
	if no.Cause != nil {
		t.log.Error(no.Reason, "err", noAnswer(r.Context(), no.Cause))
	}
	return &Refusal{Status: no.Status, Reason: no.Reason, guess: no.Status == http.StatusNotFound}
}
