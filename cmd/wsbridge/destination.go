package main

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/wsbridge/wsbridge/bridge"
	"github.com/wsbridge/wsbridge/config"
	"github.com/wsbridge/wsbridge/content"
	"github.com/wsbridge/wsbridge/gateway"
	"github.com/wsbridge/wsbridge/passthrough"
	"github.com/wsbridge/wsbridge/route"
	"github.com/wsbridge/wsbridge/target"
)

// destination is where a route leads: one of the first four is set.
type destination struct {
	target    bridge.Target
	sendProxy string
	service   admitter
	relay     bridge.Relay
	byToken   bool

	name  string       // of the route
	place string       // where the route was written; "": it is the target's
	path  string       // of the route
	plain http.Handler // answers requests of the path that are no upgrades; may be nil

	compress bridge.Compress
}

// openRoutes fills the table of routes: those of the options, Hiawatha's lines,
// and behind them what the positional target or a token leads to.
func (g *generation) openRoutes(r *router) error {
	lines, err := hiawathaRoutes(g.config.WebSockets)
	if err != nil {
		return err
	}
	for _, spec := range append(slices.Clone(g.config.Routes), lines...) {
		if !spec.Enabled || strings.HasPrefix(spec.Target, filePrefix) {
			continue
		}
		if err := g.openRoute(r, spec); err != nil {
			return &config.UsageError{Msg: fmt.Sprintf("%s: route %s: %s", spec.Place, spec.Name, err)}
		}
	}
	return g.openFallback(r)
}

func (g *generation) openRoute(r *router, spec config.Route) error {
	d, err := g.destination(spec)
	if err != nil {
		return err
	}
	g.summary.routes = append(g.summary.routes, fmt.Sprintf("%s to %s", spec.Name, d))
	return r.table.Add(route.Pattern{Host: spec.Host, Path: spec.Path, Subprotocol: spec.Subprotocol}, d)
}

// openFallback is for what no other route takes; there may be none.
func (g *generation) openFallback(r *router) error {
	d := &destination{name: "*", path: "*", byToken: g.policy.Tokens != nil, compress: g.compress(config.Route{})}
	to, err := g.fixedTarget(r.options)
	switch {
	case err != nil:
		return err
	case to != nil:
		d.target, d.byToken = to, false
	case g.config.Target != "" && !d.byToken:
		if d, err = g.destination(config.RouteTo(g.config.Target)); err != nil {
			return &config.UsageError{Msg: err.Error()}
		}
		d.place, g.summary.target = "", d.String()
	case !d.byToken:
		g.summary.target = "its routes"
		return nil
	}
	return r.table.Add(route.Pattern{}, d)
}

// destination opens the target of a route.
func (g *generation) destination(spec config.Route) (d *destination, err error) {
	d = &destination{name: spec.Name, place: spec.Place, path: spec.Path, sendProxy: spec.SendProxy, compress: g.compress(spec)}
	g.router.routeAnnounces = g.router.routeAnnounces || spec.SendProxy == "v1" || spec.SendProxy == "v2"
	scheme, rest, _ := strings.Cut(spec.Target, ":")
	switch {
	case scheme == "ws" || scheme == "wss" || scheme == "ws+unix":
		d.service, err = g.gateway(spec)
	case strings.HasPrefix(scheme, "passthrough+"):
		d.relay, err = g.passthrough(spec)
	case scheme == "fme" && config.IsHub(spec.Target):
		err = g.openHub(d, rest)
	case spec.Target == "token:":
		if d.byToken = true; g.policy.Tokens == nil {
			err = errors.New("there is no token plugin: add --token-plugin")
		}
	default:
		d.target, err = g.streamTarget(spec)
	}
	if _, isGateway := d.service.(gatewayRoute); err == nil && !isGateway {
		err = onlyForMessages(spec)
	}
	return d, err
}

// compress is the route's own setting, or the bridge's.
func (g *generation) compress(spec config.Route) bridge.Compress {
	which := spec.Compress
	if which == "" || which == "default" {
		which = g.config.Compress
	}
	return map[string]bridge.Compress{"auto": bridge.CompressAuto, "on": bridge.CompressOn}[which]
}

// onlyForMessages refuses what means nothing to a route that carries bytes, or
// has a protocol of its own.
func onlyForMessages(spec config.Route) error {
	for option, set := range map[string]bool{
		"content": spec.Content != "none", "in": len(spec.In) > 0, "out": len(spec.Out) > 0, "broadcast": spec.Broadcast > 0,
		"on-error": spec.OnError != "close", "require-content": spec.RequireContent, "pass-control": spec.PassControl,
	} {
		if set {
			return fmt.Errorf("%s needs a ws:// or wss:// target: nothing else has messages", option)
		}
	}
	return nil
}

func (d *destination) String() string {
	switch {
	case d.byToken:
		return "the token's target"
	case d.service != nil:
		return d.service.String()
	case d.relay != nil:
		return d.relay.String()
	}
	return d.target.String()
}

// streamTarget is a target of bytes.
func (g *generation) streamTarget(spec config.Route) (bridge.Target, error) {
	options := target.Options{Timeout: orUnlimited(g.config.DialTimeout)}
	address := spec.Target
	if rest, ok := strings.CutPrefix(address, "tcp://"); ok {
		address = rest
	} else if rest, ok := strings.CutPrefix(address, "tls://"); ok || g.config.SSLTarget {
		var err error
		if options.TLS, err = g.targetTLS(spec); err != nil {
			return nil, err
		}
		if ok {
			address = rest
		}
	}
	return options.Parse(address)
}

// targetTLS is how TLS is spoken to a route's target: its own options, and
// where it has none the bridge's.
func (g *generation) targetTLS(spec config.Route) (*tls.Config, error) {
	c := g.config
	options := target.TLSOptions{
		CAFile: cmp.Or(spec.TargetCA, c.TargetCA), Insecure: spec.TargetInsecure || c.TargetInsecure, Name: cmp.Or(spec.TargetName, c.TargetName),
		CertFile: cmp.Or(spec.TargetCert, c.TargetCert), KeyFile: cmp.Or(spec.TargetKey, c.TargetKey),
	}
	return options.Load()
}

// gateway is a WebSocket target, with what the route does to messages.
func (g *generation) gateway(spec config.Route) (admitter, error) {
	to, err := g.webSocket(spec)
	if err != nil {
		return nil, err
	}
	rt := &gateway.Route{
		Name: spec.Name, Target: to, Subprotocols: spec.Offer, StrictSubprotocol: spec.StrictOffer,
		AcceptFirst: spec.OnConnect == "accept-first", Broadcast: gateway.Broadcast(spec.Broadcast),
		ForwardHeaders: spec.ForwardHeaders, SetHeaders: headersOf(spec.SetHeaders), Forwarded: spec.Forwarded, PassControl: spec.PassControl,
		MaxBytes: spec.MaxMessage, EndTimeout: orUnlimited(g.config.EndTimeout), Log: g.log,
	}
	if rt.Broadcast != gateway.Self {
		if rt.Hub, err = g.hubs.group(g.config, broadcasts); err != nil {
			return nil, err
		}
	}
	if err := g.contents(rt, spec); err != nil {
		return nil, err
	}
	return gatewayRoute{rt}, g.onError(rt, spec)
}

func (g *generation) webSocket(spec config.Route) (to target.WebSocket, err error) {
	options := target.Options{Timeout: orUnlimited(g.config.DialTimeout)}
	if options.TLS, err = g.targetTLS(spec); err != nil {
		return to, err
	}
	return target.ParseWebSocket(spec.Target, options)
}

func headersOf(lines []string) http.Header {
	h := http.Header{}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ":")
		h.Add(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	return h
}

// contents compiles what the route does to messages.
func (g *generation) contents(rt *gateway.Route, spec config.Route) (err error) {
	if rt.Content, err = content.ParseRule(spec.Content); err != nil {
		return fmt.Errorf("content: %w", err)
	}
	rt.Content.Required = spec.RequireContent
	typed := len(rt.Content.Types) > 0
	compile := func(stage string, steps []string) (*content.Pipeline, error) {
		if !typed && len(steps) == 0 {
			return nil, nil
		}
		return content.Compile(steps, content.Options{
			Stage: stage, Single: spec.Single, BinaryPass: spec.Binary == "pass", MaxBytes: spec.MaxMessage, Log: g.log,
		})
	}
	if rt.In, err = compile("in", spec.In); err != nil {
		return err
	}
	if rt.Out, err = compile("out", spec.Out); err != nil {
		return err
	}
	return g.onlyTaken(rt)
}

// onlyTaken leaves of the content types those that the steps can work on.
func (g *generation) onlyTaken(rt *gateway.Route) error {
	types := rt.Content.Types
	rt.Content.Types = slices.DeleteFunc(slices.Clone(types), func(t string) bool {
		return !rt.In.Takes(t) || !rt.Out.Takes(rt.In.Result(t))
	})
	if len(types) > 0 && len(rt.Content.Types) == 0 {
		return fmt.Errorf("content: the steps work on none of %s", strings.Join(types, ", "))
	}
	return nil
}

const filePrefix = "file:"

// onError is what the route does with bad messages.
func (g *generation) onError(rt *gateway.Route, spec config.Route) error {
	name, toRoute := strings.CutPrefix(spec.OnError, "route:")
	if !toRoute {
		rt.OnError = map[string]gateway.OnError{"close": gateway.Close, "drop": gateway.Drop, "reply": gateway.Reply}[spec.OnError]
		return nil
	}
	i := slices.IndexFunc(g.config.Routes, func(r config.Route) bool { return r.Name == name })
	if i < 0 {
		return fmt.Errorf("on-error: no route is named %q", name)
	}
	deliver, err := g.sink(g.config.Routes[i])
	if err != nil {
		return fmt.Errorf("on-error: %w", err)
	}
	rt.OnError, rt.Fault = gateway.Fault, &gateway.Faults{Name: name, Deliver: deliver, Log: g.log}
	g.faults = append(g.faults, rt.Fault)
	return nil
}

// sink is how a fault route takes a record.
func (g *generation) sink(spec config.Route) (func([]byte) error, error) {
	scheme, rest, _ := strings.Cut(spec.Target, ":")
	switch {
	case scheme == "file":
		return gateway.FileSink(rest), nil
	case scheme == "ws" || scheme == "wss" || scheme == "ws+unix":
		to, err := g.webSocket(spec)
		return gateway.MessageSink(to), err
	case scheme == "fme" && config.IsHub(spec.Target):
		return g.hubSink(rest, spec.Name)
	case strings.HasPrefix(scheme, "passthrough+") || spec.Target == "token:":
		return nil, fmt.Errorf("route %s cannot take messages: name one to file:, ws://, fme: or host:port", spec.Name)
	}
	to, err := g.streamTarget(spec)
	if err != nil {
		return nil, err
	}
	return gateway.LineSink(to), nil
}

// passthrough is a target that answers the handshake itself.
func (g *generation) passthrough(spec config.Route) (bridge.Relay, error) {
	to, err := passthrough.Parse(spec.Target)
	if err != nil {
		return nil, err
	}
	if to.TLS != nil {
		if to.TLS, err = g.targetTLS(spec); err != nil {
			return nil, err
		}
	}
	to.AllowCN, to.HostTarget, to.Forwarded = spec.AllowCN, spec.HostTarget, spec.Forwarded
	to.Idle, to.RefusedStatus, to.Log = spec.Idle, spec.Refused, g.log
	return relayed{to}, nil
}

// hiawathaRoutes are the routes of --websocket.
func hiawathaRoutes(lines []string) (specs []config.Route, err error) {
	for _, line := range lines {
		to, paths, idle, err := passthrough.ParseHiawatha(line)
		if err != nil {
			return nil, &config.UsageError{Msg: "--websocket: " + err.Error()}
		}
		for _, path := range paths {
			spec := config.RouteTo(to)
			spec.Path, spec.Name, spec.Idle, spec.Place = path, path, idle, "--websocket"
			specs = append(specs, spec)
		}
	}
	return specs, nil
}
