package ticket

import "net/http"

// Refusal is why a ticket lets nobody in.
type Refusal struct {
	Status int    // HTTP status
	Reason string // one line for the person at the other end; there are few
	Cause  error  // for the log, of a Store that fails; may be nil
}

func (r *Refusal) Error() string { return r.Reason }

func (r *Refusal) Unwrap() error { return r.Cause }

// What is wrong with a genuine ticket is said to whoever has it; of others, no
// more than that they are not genuine.
var (
	errNoTicket = &Refusal{Status: http.StatusNotFound, Reason: "this is no ticket"}
	errForged   = &Refusal{Status: http.StatusNotFound, Reason: "the ticket has a signature by no known key"}
	errNoPass   = &Refusal{Status: http.StatusNotFound, Reason: "the pass is unknown, or has expired"}
	errMissing  = &Refusal{Status: http.StatusForbidden, Reason: "the ticket is missing"}
	errExpired  = &Refusal{Status: http.StatusForbidden, Reason: "the ticket has expired"}
	errEarly    = &Refusal{Status: http.StatusForbidden, Reason: "the ticket is not valid yet"}
	errLife     = &Refusal{Status: http.StatusForbidden, Reason: "the ticket would last longer than this bridge allows"}
	errUsed     = &Refusal{Status: http.StatusForbidden, Reason: "the ticket was used already"}
	errOld      = &Refusal{Status: http.StatusForbidden, Reason: "the ticket was minted before the bridge started, and may have been used: get another"}
	errClient   = &Refusal{Status: http.StatusForbidden, Reason: "the ticket is not for your address"}
	errPath     = &Refusal{Status: http.StatusForbidden, Reason: "the ticket is not for this path"}
	errAudience = &Refusal{Status: http.StatusForbidden, Reason: "the ticket is not for this bridge"}
	errFull     = &Refusal{Status: http.StatusServiceUnavailable, Reason: "too many tickets are in use: try again later"}
	errPrefetch = &Refusal{Status: http.StatusServiceUnavailable, Reason: "a ticket is not for fetching ahead"}
	errWhereTo  = &Refusal{Status: http.StatusBadRequest, Reason: "the page to go on to is not one of this site: write to=/page.html"}
	errMethod   = &Refusal{Status: http.StatusMethodNotAllowed, Reason: "a ticket is exchanged by GET or POST"}
	errForm     = &Refusal{Status: http.StatusBadRequest, Reason: "the form cannot be read, or is too long"}
)

const reasonUnknown = "it cannot be known now whether the ticket was used"
