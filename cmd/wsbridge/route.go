package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"

	"github.com/wsbridge/wsbridge/access"
	"github.com/wsbridge/wsbridge/bridge"
	"github.com/wsbridge/wsbridge/config"
	"github.com/wsbridge/wsbridge/listen"
	"github.com/wsbridge/wsbridge/policy"
	"github.com/wsbridge/wsbridge/record"
	"github.com/wsbridge/wsbridge/route"
	"github.com/wsbridge/wsbridge/target"
	"github.com/wsbridge/wsbridge/ticket"
)

// router says where an upgrade goes: who may enter, then by the table of
// routes, and from there perhaps by a token.
type router struct {
	policy         *policy.Policy // who may enter, and their tokens
	guard          *policy.Policy // who may enter
	table          route.Table[*destination]
	options        target.Options // of targets found by token
	recorder       *record.Recorder
	routeAnnounces bool
	sendProxy      string // "off", "v1" or "v2"
	uses           *uses  // of the generation
	gate           *gate
	dynamic        bool // tokens lead where somebody else says
}

var errNoRoute = &bridge.Refusal{Status: http.StatusNotFound, Reason: "no route for this path"}

func (r *router) route(request *http.Request) (bridge.Route, error) {
	if err := r.gate.Enter(request, access.Address(request.RemoteAddr)); err != nil {
		return bridge.Route{}, asBridgeRefusal(err)
	}
	d, found := r.table.Find(request)
	guard := r.guard
	if found && d.byToken {
		guard = r.policy
	}
	decision, err := guard.Decide(request)
	r.policy.Conceal(request)
	switch {
	case err != nil:
		return bridge.Route{}, asBridgeRefusal(err)
	case !found:
		return bridge.Route{}, errNoRoute
	case d.service != nil:
		begin := r.gate.begin(request, decision.User, d.String())
		return bridge.Route{Service: known{d.service, decision.User, r.uses}, User: decision.User, Begin: begin, Compress: d.compress}, nil
	case d.relay != nil:
		return bridge.Route{Relay: d.relay, User: decision.User, Begin: r.gate.begin(request, decision.User, d.String())}, nil
	}
	to, err := r.streamTarget(d, decision)
	if err != nil {
		return bridge.Route{}, asBridgeRefusal(err)
	}
	if version := r.announcement(d); version > 0 {
		to = target.ProxyHeaderFor(request, version).Before(to)
	}
	if r.recorder != nil {
		to = recorded{to, r.recorder, request.RemoteAddr}
	}
	to, begin := r.gate.watch(to, request, decision.User), r.gate.begin(request, decision.User, to.String())
	return bridge.Route{Target: to, User: decision.User, Begin: begin, Compress: d.compress}, nil
}

func (r *router) streamTarget(d *destination, decision policy.Decision) (bridge.Target, error) {
	if !d.byToken {
		return d.target, nil
	}
	if r.dynamic {
		return r.ruledTarget(decision.Target)
	}
	to, err := r.options.Parse(decision.Target.String())
	if err != nil {
		return nil, fmt.Errorf("target of a token: %w", err)
	}
	return to, nil
}

// ruledTarget is a target that somebody else chose, as far as the rules let it.
func (r *router) ruledTarget(e policy.Endpoint) (to bridge.Target, err error) {
	options := r.options
	options.Guard = r.gate.targets
	if e.Network == "unix" {
		path, err := r.gate.targets.Unix(e.Address)
		if err != nil {
			return nil, err
		}
		return options.Unix(path)
	}
	if err := r.gate.targets.Check(e.Address); err != nil {
		return nil, err
	}
	return options.Parse(e.Address)
}

// announcement is the version of the PROXY header that a target gets; 0: none.
func (r *router) announcement(d *destination) int {
	how := d.sendProxy
	if how == "" || how == "default" {
		how = r.sendProxy
	}
	return map[string]int{"v1": 1, "v2": 2}[how]
}

// announces tells whether any target is told who its client is.
func (r *router) announces() bool { return r.sendProxy != "off" || r.routeAnnounces }

// plain gives what is no upgrade to the destination of its path, if that has
// answers of its own, and to the pages otherwise.
func (r *router) plain(pages http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		if d, ok := r.table.Find(request); ok && d.plain != nil {
			d.plain.ServeHTTP(w, request)
			return
		}
		pages.ServeHTTP(w, request)
	})
}

// pathForLog leaves the token out of a path. An escaped slash may be part of
// it, so all of the rest goes.
func (r *router) pathForLog(path string) string {
	for _, place := range r.policy.From {
		prefix, ok := strings.CutPrefix(place.String(), "path:")
		if !ok {
			continue
		}
		prefix = strings.TrimSuffix(prefix, "/") + "/"
		if rest, ok := strings.CutPrefix(path, prefix); ok && rest != "" {
			return prefix + "***"
		}
	}
	return path
}

func asBridgeRefusal(err error) error {
	var byPolicy *policy.Refusal
	var byAccess *access.Refusal
	var byRules *access.Error
	switch {
	case errors.As(err, &byPolicy):
		return &bridge.Refusal{Status: byPolicy.Status, Reason: byPolicy.Reason, Header: byPolicy.Header}
	case errors.As(err, &byAccess):
		return (*bridge.Refusal)(byAccess)
	case errors.As(err, &byRules):
		return &bridge.Refusal{Status: http.StatusForbidden, Reason: byRules.Reason}
	}
	return err
}

// recorded is a target whose sessions are recorded.
type recorded struct {
	bridge.Target
	recorder *record.Recorder
	client   string
}

func (r recorded) Dial(ctx context.Context) (net.Conn, error) {
	conn, err := r.Target.Dial(ctx)
	if err != nil {
		return nil, err
	}
	return r.recorder.Wrap(conn, "client", r.client), nil
}

// ownTargets are token plugins whose targets are the administrator's own text.
var ownTargets = map[string]bool{"": true, "TokenFile": true, "ReadOnlyTokenFile": true, "TokenFileName": true, "UnixDomainSocketDirectory": true}

// openTarget makes the router: who may enter, and where they go.
func (g *generation) openTarget() (err error) {
	c := g.config
	if c.Libserver {
		g.log.Info("--libserver has no effect: every connection has always been served at the same time")
	}
	r := &router{options: target.Options{Timeout: orUnlimited(c.DialTimeout)}, uses: &g.uses, gate: g.gate, sendProxy: c.SendProxy}
	g.router = r
	if c.SSLTarget {
		if r.options.TLS, err = g.targetTLS(config.Route{}); err != nil {
			return fmt.Errorf("--ssl-target: %w", err)
		}
	}
	if err := g.openPolicy(); err != nil {
		return err
	}
	r.policy, r.guard = g.policy, &policy.Policy{Auth: g.policy.Auth, Log: g.log}
	r.dynamic = !ownTargets[strings.TrimPrefix(c.TokenPlugin, "websockify.token_plugins.")]
	if err := g.openRoutes(r); err != nil {
		return err
	}
	if c.Record != "" {
		r.recorder = &record.Recorder{Prefix: c.Record, MaxBytes: int64(c.RecordLimit) << 20, Log: g.log}
		if err := r.recorder.Start(); err != nil {
			return fmt.Errorf("--record: %w", err)
		}
	}
	g.rules.Route, g.rules.LogPath = g.route, r.pathForLog
	// Origins write to the log, which may wait.
	g.rules.QuickRoute = g.policy.Auth == nil && g.policy.Tokens == nil && g.gate.Origins == nil && !r.announces()
	return nil
}

// fixedTarget is the target of bytes that the options name for every path, or
// nil where they name none.
func (g *generation) fixedTarget(options target.Options) (to bridge.Target, err error) {
	c := g.config
	switch {
	case len(c.Command) > 0:
		return wrapped{g}, nil
	case c.UnixTarget != "":
		to, err = options.Unix(c.UnixTarget)
	case c.Target != "" && !config.HasScheme(c.Target):
		to, err = options.Parse(c.Target)
	default:
		return nil, nil
	}
	if err != nil {
		return nil, &config.UsageError{Msg: err.Error()}
	}
	g.summary.target = to.String()
	if c.SSLTarget {
		g.summary.target += " (using SSL)"
	}
	return to, nil
}

// wrapped is the service's program, which starts after the router is made.
type wrapped struct{ g *generation }

// String leaves the arguments out: it is in every session's log line, and a
// password may be among them.
func (w wrapped) String() string {
	c := w.g.config
	return fmt.Sprintf("%s (port %d)", filepath.Base(c.Command[0]), c.WrapPort)
}

// Dial waits for the program. That it does not come is told to the client in
// words of its own: a refusal would be the system's, of a port it has not heard of.
func (w wrapped) Dial(ctx context.Context) (net.Conn, error) {
	conn, err := w.g.program().Dial(ctx)
	if err != nil && ctx.Err() == nil {
		return nil, &target.Error{Reason: "program does not serve its port", Err: err}
	}
	return conn, err
}

// openPolicy opens the token source and the users. What they say of a bad name
// or source is for the person at the keyboard.
func (g *generation) openPolicy() (err error) {
	c := g.config
	g.policy = &policy.Policy{Log: g.log}
	plugin, source := c.TokenPlugin, c.TokenSource
	if c.TargetConfig != "" {
		plugin, source = "TokenFile", c.TargetConfig
	}
	if plugin != "" {
		if g.policy.Tokens, err = policy.OpenTokens(plugin, source, g.log); err != nil {
			return &config.UsageError{Msg: "--token-plugin: " + err.Error()}
		}
		g.summary.target = "targets generated by " + plugin
	}
	if c.AuthPlugin != "" {
		if g.policy.Auth, err = policy.OpenAuth(c.AuthPlugin, c.AuthSource, g.log); err != nil {
			return &config.UsageError{Msg: "--auth-plugin: " + err.Error()}
		}
	}
	if asked, ok := g.policy.Auth.(*policy.ForwardAuth); ok {
		asked.Origin = func(r *http.Request) (proto, host string) {
			o := listen.OriginOf(r)
			return o.Proto, o.Host
		}
	}
	return g.openPlaces()
}

func (g *generation) openPlaces() error {
	places := g.config.TokenFrom
	if _, ok := g.policy.Tokens.(*policy.Tickets); ok && len(places) == 0 {
		places = []string{"query", "cookie:" + ticket.DefaultCookie}
	}
	if g.config.HostToken {
		places = []string{"host"}
	}
	for _, text := range places {
		place, err := policy.ParsePlace(text)
		if err != nil {
			return &config.UsageError{Msg: "--token-from: " + err.Error()}
		}
		g.policy.From = append(g.policy.From, place)
	}
	return nil
}

// readPassphrase is the key's, from the option, the environment or a file.
func readPassphrase(c *config.Config) (string, error) {
	if c.KeyPasswordFile == "" {
		return c.KeyPassword, nil
	}
	passphrase, err := firstLine(c.KeyPasswordFile)
	if err != nil {
		return "", fmt.Errorf("--key-password-file: %w", err)
	}
	return passphrase, nil
}
