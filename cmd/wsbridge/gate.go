package main

import (
	"context"
	"net"
	"net/http"

	"github.com/wsbridge/wsbridge/access"
	"github.com/wsbridge/wsbridge/bridge"
	"github.com/wsbridge/wsbridge/config"
)

// quotas count over all generations: a reload forgets nobody.
type quotas struct {
	rate, userRate               access.Rates
	users, targets               access.Counts
	userBandwidth, addrBandwidth access.Shares
}

func newQuotas() *quotas {
	return &quotas{
		rate: access.Rates{Whose: "from your address"}, userRate: access.Rates{Whose: "of your user"},
		users: access.Counts{Whose: "of your user"}, targets: access.Counts{Whose: "to this target"},
	}
}

// gate is who may come in, what they may take, and what may be dialled for them.
type gate struct {
	access.Gate
	targets   *access.TargetRules
	expect    *access.Expect
	allowance access.Allowance
	limits    bool   // allowance has any
	agreed    func() // puts the limits in force that outlive a generation
}

// openGate reads the rules of access.
func (g *generation) openGate() (err error) {
	c, q := g.config, g.quotas
	gt := &gate{}
	gt.Gate = access.Gate{Rate: &q.rate, UserRate: &q.userRate, Users: &q.users, Targets: &q.targets}
	gt.allowance = access.Allowance{PerUser: &q.userBandwidth, PerAddress: &q.addrBandwidth, MaxTime: c.SessionTime}
	if gt.Clients, err = access.ParseRules(c.ClientRules); err != nil {
		return wrongOption("client-rules", err)
	}
	if gt.targets, err = access.ParseTargetRules(c.TargetRules); err != nil {
		return wrongOption("target-rules", err)
	}
	if c.Expect != "" {
		if gt.expect, err = access.ParseExpect(c.Expect); err != nil {
			return wrongOption("expect", err)
		}
	}
	if err := gt.setLimits(c, q); err != nil {
		return err
	}
	g.gate = gt
	return g.openOrigins()
}

func wrongOption(long string, err error) error {
	return &config.UsageError{Msg: "--" + long + ": " + err.Error()}
}

// setLimits reads the numbers of the gate.
func (gt *gate) setLimits(c *config.Config, q *quotas) error {
	var bandwidth [3]int64
	var rates [2]access.Rate
	for i, option := range []struct{ long, text string }{{"rate", c.Rate}, {"rate-per-user", c.RatePerUser}} {
		if err := parseLimit(option.long, option.text, access.ParseRate, &rates[i]); err != nil {
			return err
		}
	}
	for i, option := range []struct{ long, text string }{{"bandwidth", c.Bandwidth}, {"bandwidth-per-user", c.BandwidthPerUser}, {"bandwidth-per-ip", c.BandwidthPerIP}} {
		if err := parseLimit(option.long, option.text, access.ParseBandwidth, &bandwidth[i]); err != nil {
			return err
		}
	}
	if err := parseLimit("session-bytes", c.SessionBytes, access.ParseBytes, &gt.allowance.MaxBytes); err != nil {
		return err
	}
	gt.allowance.PerSession = bandwidth[0]
	gt.limits = gt.allowance.MaxBytes+bandwidth[0]+bandwidth[1]+bandwidth[2] > 0 || c.SessionTime > 0
	gt.agreed = func() {
		q.rate.Limit(rates[0])
		q.userRate.Limit(rates[1])
		q.userBandwidth.Limit(bandwidth[1])
		q.addrBandwidth.Limit(bandwidth[2])
		q.users.Limit(c.MaxSessionsPerUser)
		q.targets.Limit(c.MaxSessionsPerTarget)
	}
	return nil
}

// parseLimit leaves the zero value, no limit, where there is no text.
func parseLimit[T any](long, text string, parse func(string) (T, error), to *T) (err error) {
	if text == "" {
		return nil
	}
	if *to, err = parse(text); err != nil {
		return wrongOption(long, err)
	}
	return nil
}

// openOrigins: where we serve pages, those of other sites may not open sessions
// unless it is said that they may.
func (g *generation) openOrigins() (err error) {
	c := g.config
	allowed := c.Origins
	if len(allowed) == 0 && (c.Web != "" || c.Pages) {
		allowed = []string{"same-host", "none"}
	}
	if len(allowed) == 0 {
		return nil
	}
	if g.gate.Origins, err = access.ParseOrigins(allowed); err != nil {
		return wrongOption("origin", err)
	}
	g.gate.Origins.Log = g.log
	return nil
}

// admits is asked about connections. Of a proxy that is believed, requests tell
// whose they are.
func (g *generation) admits(client net.Addr) (reason string, ok bool) {
	if g.believed.Has(client) {
		return "", true
	}
	return g.gate.Clients.Admits(access.Address(client.String()))
}

// begin counts a session that all else has agreed to.
func (gt *gate) begin(r *http.Request, user, target string) func() (func(), error) {
	client := access.Address(r.RemoteAddr)
	return func() (func(), error) {
		release, err := gt.Begin(client, user, target)
		return release, asBridgeRefusal(err)
	}
}

// careful is a target that is held against what is expected of it, and does not
// get or give more than it may.
type careful struct {
	bridge.Target
	gate           *gate
	user, shareKey string
}

func (gt *gate) watch(to bridge.Target, r *http.Request, user string) bridge.Target {
	if gt.expect == nil && !gt.limits {
		return to
	}
	return careful{to, gt, user, access.AddressKey(access.Address(r.RemoteAddr))}
}

func (c careful) Dial(ctx context.Context) (net.Conn, error) {
	conn, err := c.gate.expect.Dial(ctx, c.Target.Dial)
	if err != nil {
		return nil, err
	}
	return c.gate.allowance.Wrap(conn, c.user, c.shareKey), nil
}
