package policy

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Lookup finds where a token leads.
type Lookup interface {
	// Lookup answers before r's context ends. Errors: ErrNotFound, a *Refusal,
	// or anything else that keeps it from knowing; none has the token in it.
	Lookup(r *http.Request, token string) (Endpoint, error)
	// Close lets go of connections kept for later lookups.
	Close() error
}

// namedLookup is a Lookup whose tokens may name their user. It is told who was
// authenticated ("": nobody), and refuses another's token.
type namedLookup interface {
	Lookup
	lookupFor(r *http.Request, user, token string) (e Endpoint, named string, err error)
}

// Authenticator tells who a request is from.
type Authenticator interface {
	// Authenticate answers before r's context ends. user is for the log, and
	// "" where there is no name. Errors: a *Refusal, or anything else that
	// keeps it from knowing.
	Authenticate(r *http.Request) (user string, err error)
}

// Policy is who may enter and where they go. The zero value lets everybody in
// and leads nowhere. Set the fields before the first use and leave them alone
// after it; the methods may be called at the same time.
type Policy struct {
	// Auth lets clients in; nil: everybody.
	Auth Authenticator
	// Tokens leads them on; nil: Decide says no Target.
	Tokens Lookup
	// From is where tokens are looked for; the first that is there counts.
	// Empty: the query parameter "token".
	From []Place
	// Timeout bounds one decision; default 5 s.
	Timeout time.Duration
	// Address tells a client's address, by which wrong guesses are counted;
	// nil: that of the connection.
	Address func(*http.Request) string
	// Log gets the causes of 502 answers; nil: slog.Default().
	Log *slog.Logger

	guesses guesses
}

// Decision is what Decide found.
type Decision struct {
	Target Endpoint // zero where the Policy has no Tokens
	User   string   // who it is, where Auth can tell, or a ticket
}

// Decide authenticates r and then follows its token. Its error is a *Refusal.
func (p *Policy) Decide(r *http.Request) (Decision, error) {
	var d Decision
	if p.Auth == nil && p.Tokens == nil {
		return d, nil
	}
	refusal := p.judge(r, func(r *http.Request) (err error) {
		if d.User, err = p.authenticate(r); err != nil {
			return err
		}
		d, err = p.lookup(r, d.User)
		return err
	})
	if refusal != nil {
		return Decision{}, refusal
	}
	return d, nil
}

// Guard serves with next what Auth lets in, and the refusal otherwise.
func (p *Policy) Guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		refusal := p.judge(r, func(r *http.Request) error {
			_, err := p.authenticate(r)
			return err
		})
		if refusal != nil {
			refusal.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Close closes Tokens, and Auth where it can be.
func (p *Policy) Close() error {
	var errs []error
	if p.Tokens != nil {
		errs = append(errs, p.Tokens.Close())
	}
	if c, ok := p.Auth.(io.Closer); ok {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

// judge runs check in the time there is, unless the client has guessed wrong
// too often.
func (p *Policy) judge(r *http.Request, check func(*http.Request) error) *Refusal {
	address := p.address(r)
	if wait := p.guesses.wait(address, time.Now()); wait > 0 {
		return tooMany(wait)
	}
	ctx, cancel := context.WithTimeout(r.Context(), p.timeout())
	defer cancel()
	err := check(r.WithContext(ctx))
	if err == nil {
		return nil
	}
	refusal := p.refusal(ctx, err)
	if refusal.guess {
		p.guesses.add(address, time.Now())
	}
	return refusal
}

func (p *Policy) authenticate(r *http.Request) (string, error) {
	if p.Auth == nil {
		return "", nil
	}
	user, err := p.Auth.Authenticate(r)
	if refusal := (*Refusal)(nil); err != nil && !errors.As(err, &refusal) {
		return "", &failure{"the credentials cannot be checked now", err}
	}
	return user, err
}

var errMissing = forbidden("the token is missing")

// maxToken is more than any JWT that passes through a request's head.
const maxToken = 32 << 10

// lookup follows the token of a request by user.
func (p *Policy) lookup(r *http.Request, user string) (d Decision, err error) {
	d.User = user
	if p.Tokens == nil {
		return d, nil
	}
	token := p.token(r)
	switch {
	case token == "":
		return d, errMissing
	case len(token) > maxToken:
		return d, ErrNotFound
	}
	if tokens, ok := p.Tokens.(namedLookup); ok {
		var named string
		d.Target, named, err = tokens.lookupFor(r, user, token)
		d.User = cmp.Or(user, named)
	} else {
		d.Target, err = p.Tokens.Lookup(r, token)
	}
	if refusal := (*Refusal)(nil); err != nil && !errors.Is(err, ErrNotFound) && !errors.As(err, &refusal) {
		err = &failure{"the token cannot be looked up now", err}
	}
	return d, err
}

func (p *Policy) token(r *http.Request) string {
	if len(p.From) == 0 {
		return Place{}.find(r)
	}
	for _, place := range p.From {
		if token := place.find(r); token != "" {
			return token
		}
	}
	return ""
}

// failure is a decision that could not be made.
type failure struct {
	reason string // for the client
	cause  error  // for the log
}

func (f *failure) Error() string { return f.reason + ": " + f.cause.Error() }

// refusal is the answer err asks for. A failure is logged, unless the client
// has gone meanwhile.
func (p *Policy) refusal(ctx context.Context, err error) *Refusal {
	var refusal *Refusal
	if errors.As(err, &refusal) {
		return refusal
	}
	if errors.Is(err, ErrNotFound) {
		return &Refusal{Status: http.StatusNotFound, Reason: "unknown token", guess: true}
	}
	reason, cause := "cannot decide now", err
	var f *failure
	if errors.As(err, &f) {
		reason, cause = f.reason, f.cause
	}
	if !errors.Is(ctx.Err(), context.Canceled) {
		p.log().Error(reason, "err", cause)
	}
	return &Refusal{Status: http.StatusBadGateway, Reason: reason}
}

func (p *Policy) address(r *http.Request) string {
	if p.Address != nil {
		return p.Address(r)
	}
	return connectionAddress(r)
}

func connectionAddress(r *http.Request) string {
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	return host
}

func (p *Policy) timeout() time.Duration {
	if p.Timeout > 0 {
		return p.Timeout
	}
	return 5 * time.Second
}

func (p *Policy) log() *slog.Logger { return logger(p.Log) }

func logger(l *slog.Logger) *slog.Logger {
	if l != nil {
		return l
	}
	return slog.Default()
}
