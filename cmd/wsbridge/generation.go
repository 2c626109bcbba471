package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/wsbridge/wsbridge/bridge"
	"github.com/wsbridge/wsbridge/config"
	"github.com/wsbridge/wsbridge/gateway"
	"github.com/wsbridge/wsbridge/hub/fme"
	"github.com/wsbridge/wsbridge/listen"
	"github.com/wsbridge/wsbridge/policy"
	"github.com/wsbridge/wsbridge/web"
	"github.com/wsbridge/wsbridge/web/pages"
	"github.com/wsbridge/wsbridge/wrap"
)

// faultPatience is how long the end waits for fault routes to take what is
// queued for them.
const faultPatience = 3 * time.Second

// generation is what one reading of the configuration made: who may enter, where
// they go, what they see besides. A reload makes the next one; this one is
// closed once nobody uses it any more.
type generation struct {
	uses
	config  *config.Config
	log     *slog.Logger
	hubs    *hubs                // of all generations
	program func() *wrap.Program // that is wrapped

	rules    bridge.Rules
	policy   *policy.Policy
	router   *router
	services map[string]*fme.Service // by the names of their hubs
	faults   []*gateway.Faults
	acme     *authority
	before   *generation // while this one is made; nil: it is the first
	gate     *gate
	quotas   *quotas      // of all generations
	believed listen.Peers // proxies that say whose requests theirs are
	closers  []func()
	files    io.Closer
	summary  summary
}

// newGeneration opens all that c asks for, or nothing. The caller closes it.
func (s *service) newGeneration(c *config.Config) (*generation, error) {
	g := s.bareGeneration(c)
	g.before = s.current
	for _, step := range g.steps() {
		if err := step.do(); err != nil {
			g.close()
			return nil, c.Located(err)
		}
	}
	g.inherit()
	return g, nil
}

// step is a part of what is opened, and the option that it is about.
type step struct {
	option string
	do     func() error
}

func (g *generation) steps() []step {
	return []step{{"client-rules", g.openGate}, {"target", g.openTarget}, {"acme", g.openACME}, {"cert", g.loadTLS}, {"proxy-protocol", g.openProxies}, {"web", g.openWeb}}
}

// inherit takes over what the generation before remembers, and lets go of it.
func (g *generation) inherit() {
	if tickets := g.tickets(); tickets != nil && g.before != nil {
		tickets.Inherit(g.before.policy.Tokens)
	}
	g.before = nil
}

// bareGeneration has opened nothing.
func (s *service) bareGeneration(c *config.Config) *generation {
	g := &generation{config: c, log: s.log, hubs: s.hubs, quotas: s.quotas, program: func() *wrap.Program { return s.program }}
	g.services = map[string]*fme.Service{}
	g.rules = bridge.Rules{
		Admits:       g.admits,
		TLSOnly:      c.SSLOnly || c.VerifyClient,
		Subprotocols: c.Subprotocol,
		Text:         c.Text,
		Legacy:       c.Legacy,
		Heartbeat:    c.Heartbeat,
		SessionIdle:  c.SessionIdle,
		Limits: bridge.Limits{
			Sessions:      c.MaxSessions,
			SessionsPerIP: c.MaxSessionsPerIP,
			EndTimeout:    orUnlimited(c.EndTimeout),
		},
	}
	if c.RunOnce {
		g.rules.Limits.Sessions = 1
	}
	g.summary = summary{routes: []string{}, pages: c.Pages, web: c.Web, fileOnly: c.FileOnly, tlsOnly: g.rules.TLSOnly, record: c.Record, daemon: c.Daemon}
	return g
}

// close gives back what was opened; nobody uses it.
func (g *generation) close() {
	for _, f := range g.faults {
		f.Close(faultPatience)
	}
	for _, closeIt := range g.closers {
		closeIt()
	}
	g.acme.leave()
	if g.policy != nil {
		g.policy.Close()
	}
	if g.files != nil {
		g.files.Close()
	}
}

// route is the router's, for as long as it is open.
func (g *generation) route(r *http.Request) (bridge.Route, error) {
	if !g.hold() {
		return bridge.Route{}, errChanged
	}
	defer g.release()
	return g.router.route(r)
}

// errChanged is for whom a reload came between two steps.
var errChanged = &bridge.Refusal{Status: http.StatusServiceUnavailable, Reason: "the configuration has just changed: try again"}

// held is h, which is in use while it answers.
func (g *generation) held(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !g.hold() {
			http.Error(w, errChanged.Reason, errChanged.Status)
			return
		}
		defer g.release()
		h.ServeHTTP(w, r)
	})
}

// loadTLS offers TLS even while there is no certificate: it may come.
func (g *generation) loadTLS() error {
	c := g.config
	if c.Cert == "" {
		if g.acme != nil {
			var err error
			g.rules.TLS, err = g.tlsConfig(nil)
			return err
		}
		return nil
	}
	passphrase, err := readPassphrase(c)
	if err != nil {
		return err
	}
	certificate, err := listen.CertificateFiles{Cert: c.Cert, Key: c.Key, Passphrase: passphrase}.Load(g.log)
	if err != nil {
		return err
	}
	g.summary.tls = certificate.Present() || g.acme != nil
	if !g.summary.tls && c.Origin("cert").Source != config.Default {
		g.log.Warn("certificate not found, TLS is off until it appears", "cert", c.Cert)
	}
	g.rules.TLS, err = g.tlsConfig(certificate)
	return err
}

func (g *generation) tlsConfig(certificate *listen.Certificate) (*tls.Config, error) {
	c := g.config
	version, err := listen.ParseVersion(c.SSLVersion)
	if err != nil {
		return nil, &config.UsageError{Msg: "--ssl-version: " + err.Error()}
	}
	ciphers, notes, err := listen.ParseCiphers(c.SSLCiphers)
	if err != nil {
		return nil, &config.UsageError{Msg: "--ssl-ciphers: " + err.Error()}
	}
	for _, note := range notes {
		g.log.Warn("--ssl-ciphers: " + note)
	}
	settings := listen.TLS{Certificate: certificate, ACME: g.acme.obtained(), MinVersion: version, Ciphers: ciphers, HTTP2: c.HTTP2 != "off"}
	if c.VerifyClient {
		if settings.Clients, err = listen.LoadClientCAs(c.CAFile, g.log); err != nil {
			return nil, err
		}
	}
	return settings.Config(), nil
}

// openWeb serves files or pages, behind the policy where that is asked for.
func (g *generation) openWeb() error {
	plain := web.Default()
	if g.config.Pages {
		plain = pages.New(pages.Options{Offers: g.offers})
	}
	if g.config.Web != "" {
		files, err := web.Open(g.config.Web, !g.config.FileOnly)
		if err != nil {
			return fmt.Errorf("web: %w", err)
		}
		g.files, plain = files, files
	}
	g.rules.Handler = g.withExchange(g.withConsole(g.router.plain(plain)))
	if g.config.WebAuth {
		g.rules.Handler = g.policy.Guard(g.rules.Handler)
	}
	g.rules.Handler = g.held(g.rules.Handler)
	return nil
}
