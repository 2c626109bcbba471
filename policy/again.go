package policy

import (
	"context"
	"errors"
	"net/http"
)

// Again is Decide for a client that was let in before: would it be now? No guess
// is counted, and no ticket spent. Whoever would have to be asked — a program, a
// server — is not; neither does it matter that a token has expired meanwhile, or
// is not known any more.
// The error is a *Refusal.
func (p *Policy) Again(r *http.Request) (Decision, error) {
	known := Policy{Auth: p.Auth, Tokens: p.Tokens, From: p.From, Log: p.Log}
	if asksOthers(known.Auth) {
		known.Auth = nil
	}
	if asksOthers(known.Tokens) {
		known.Tokens = nil
	}
	var d Decision
	ctx, cancel := context.WithTimeout(r.Context(), p.timeout())
	defer cancel()
	user, err := known.authenticate(r)
	if err == nil {
		d, err = known.lookup(r.WithContext(ctx), user)
	}
	if err != nil && !errors.Is(err, errExpired) && !errors.Is(err, errMissing) {
		return Decision{}, known.refusal(ctx, err)
	}
	return d, nil
}

// asksOthers tells of a plugin whose answer costs more than a look, or changes
// something.
func asksOthers(plugin any) bool {
	switch plugin.(type) {
	case tokenCallout, doorman, *ForwardAuth, *api, *Tickets, *redisTokens:
		return true
	}
	return false
}
