// Package check is the doctor for WebSocket servers: it walks the way a client
// goes, from the URL to the closing handshake, and says at each step what a
// person needs to know. docs/check.md is its manual.
package check

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/wsbridge/wsbridge/target"
)

// defaultTimeout is for a whole check.
const defaultTimeout = 10 * time.Second

// Check is what is checked, and how far. Server is all it needs.
type Check struct {
	// Server gives the server, or says why its URL cannot be used. Whether the
	// certificate is checked, and against what, is in the Config of its TLS.
	Server func() (target.WebSocket, error)
	// Timeout bounds it all, half of it each step; default 10 s.
	Timeout time.Duration

	AllAddrs bool // connect to each address, not to the first that answers
	AllowCN  bool // a name that stands only in the subject is worth a warning, not a failure
	TLSRange bool // try each version of TLS
	NoLF     bool // do not try lines that end in LF alone
	Strict   bool // warnings count as failures

	Send     string         // a message to send; "": none
	Expect   *regexp.Regexp // what the server must say then; nil: nothing
	FME      string         // a stream of an FME hub to open; "": none
	FMEAdmin bool           // ask an FME hub about its channels
}

// Status is how a step went.
type Status string

// A step that was not asked for, that makes no sense here, or whose ground
// failed before, is skipped.
const (
	OK   Status = "ok"
	Warn Status = "warn"
	Fail Status = "fail"
	Skip Status = "skip"
)

// Step is one line of a report.
type Step struct {
	Name   string  `json:"name"`
	Status Status  `json:"status"`
	Detail string  `json:"detail"` // one line
	MS     float64 `json:"ms"`     // milliseconds it took
	Data   any     `json:"data,omitempty"`
}

// Report is what a check found; docs/check.md has it as a schema.
type Report struct {
	URL    string `json:"url"`    // without user, password and query; "": not readable
	Result Status `json:"result"` // the worst of the steps
	Exit   int    `json:"exit"`   // see the Exit constants
	Steps  []Step `json:"steps"`
	// Secure says that WebSocket over TLS works, with a certificate that was
	// checked.
	Secure bool `json:"secure"`
}

// The exit statuses: that of the first step that failed.
const (
	ExitStrict      = 1 // there are warnings, and Strict
	ExitUsage       = 2 // of the URL
	ExitDNS         = 3
	ExitTCP         = 4
	ExitTLS         = 5
	ExitCertificate = 6
	ExitUpgrade     = 7
	ExitProtocol    = 8
	ExitApp         = 9
	ExitTimeout     = 124 // Timeout passed
)

// step is one of the table: needs are steps without which it has no ground.
type step struct {
	name  string
	exit  int
	needs []string
	do    func(*visit, context.Context) finding
}

var steps = []step{
	{"url", ExitUsage, nil, (*visit).readURL},
	{"resolve", ExitDNS, []string{"url"}, (*visit).resolve},
	{"connect", ExitTCP, []string{"resolve"}, (*visit).connect},
	{"probe", ExitTLS, []string{"connect"}, (*visit).probe},
	{"tls", ExitTLS, []string{"probe"}, (*visit).describeTLS},
	{"trust", ExitCertificate, []string{"tls"}, (*visit).trust},
	{"sni", ExitTLS, []string{"tls"}, (*visit).withoutName},
	{"tls-range", ExitTLS, []string{"tls"}, (*visit).tlsRange},
	{"upgrade", ExitUpgrade, []string{"tls"}, (*visit).upgrade},
	{"lf", ExitUpgrade, []string{"upgrade"}, (*visit).bareLF},
	{"ping", ExitProtocol, []string{"upgrade"}, (*visit).ping},
	{"deflate", ExitProtocol, []string{"ping"}, (*visit).deflate},
	{"app", ExitApp, []string{"upgrade"}, (*visit).app},
	{"close", ExitProtocol, []string{"upgrade"}, (*visit).close},
}

// ExitOf is the exit status of a step that failed; 1 if there is no such step.
func ExitOf(name string) int {
	i := slices.IndexFunc(steps, func(s step) bool { return s.name == name })
	if i < 0 {
		return 1
	}
	return steps[i].exit
}

// Run takes the steps, one after the other, and tells each when it is done.
// Steps that do not stand on a failed one are still taken.
func (c Check) Run(ctx context.Context, tell func(Step)) Report {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(c.Timeout, defaultTimeout))
	defer cancel()
	v := &visit{Check: c, patience: cmp.Or(c.Timeout, defaultTimeout) / 2}
	defer v.leave()
	r := Report{Result: OK}
	var groundless []string
	for _, s := range steps {
		start := time.Now()
		f, exit := v.take(ctx, s, groundless)
		if f.stops {
			groundless = append(groundless, s.name)
		}
		done := Step{s.name, f.status, oneLine(f.detail), milliseconds(time.Since(start)), f.data}
		r.add(done, exit)
		tell(done)
	}
	if v.server.Over != nil {
		r.URL = v.server.String()
	}
	if r.Result == Warn && c.Strict {
		r.Exit = ExitStrict
	}
	r.Secure = v.trusted && r.Result != Fail
	return r
}

func in(names []string) func(string) bool {
	return func(name string) bool { return slices.Contains(names, name) }
}

// take does a step, in its part of the time.
func (v *visit) take(ctx context.Context, s step, groundless []string) (f finding, exit int) {
	if i := slices.IndexFunc(s.needs, in(groundless)); i >= 0 {
		return skip("step %s did not succeed", s.needs[i]).stop(), 0
	}
	mine, cancel := context.WithTimeout(ctx, v.patience)
	defer cancel()
	f = s.do(v, mine)
	if f.status == Fail && ctx.Err() != nil {
		f.detail += "; out of time: --timeout is for the whole check"
		return f, ExitTimeout
	}
	return f, s.exit
}

func (r *Report) add(s Step, exit int) {
	r.Steps = append(r.Steps, s)
	switch {
	case s.Status == Fail && r.Result != Fail:
		r.Result, r.Exit = Fail, exit
	case s.Status == Warn && r.Result == OK:
		r.Result = Warn
	}
}

// finding is what a step comes back with.
type finding struct {
	status Status
	detail string
	data   any
	stops  bool // what needs this step has no ground
}

func found(status Status, format string, args []any) finding {
	return finding{status: status, detail: fmt.Sprintf(format, args...), stops: status == Fail}
}

func ok(format string, args ...any) finding   { return found(OK, format, args) }
func warn(format string, args ...any) finding { return found(Warn, format, args) }
func fail(format string, args ...any) finding { return found(Fail, format, args) }
func skip(format string, args ...any) finding { return found(Skip, format, args) }

// stop is for what was skipped and would have been needed.
func (f finding) stop() finding {
	f.stops = true
	return f
}

// with adds what a program may want to read.
func (f finding) with(data any) finding {
	f.data = data
	return f
}

// but turns what is fine into a warning, for every doubt there is.
func (f finding) but(doubts ...string) finding {
	for _, doubt := range doubts {
		f.detail += "; " + doubt
		if f.status == OK {
			f.status = Warn
		}
	}
	return f
}

// milliseconds are to one tenth.
func milliseconds(d time.Duration) float64 {
	return float64(d.Round(100*time.Microsecond)) / float64(time.Millisecond)
}
