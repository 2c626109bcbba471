package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/wsbridge/wsbridge/bridge"
	"github.com/wsbridge/wsbridge/config"
	"github.com/wsbridge/wsbridge/listen"
	"github.com/wsbridge/wsbridge/target"
	"github.com/wsbridge/wsbridge/web"
)

// unlimited is what other rooms get for a timeout of 0: to them the zero value
// means their default.
const unlimited = 1_000_000_000 * time.Second

// service is a bridge about to serve: what config asked for, opened.
type service struct {
	config    *config.Config
	log       *slog.Logger
	server    *bridge.Server
	listeners []net.Listener
	files     io.Closer
	summary   summary
}

// newService opens everything that c names, or nothing. The caller closes it.
func newService(ctx context.Context, c *config.Config, stdout, stderr io.Writer) (*service, error) {
	s := &service{config: c, log: newLogger(c, stderr)}
	for _, warning := range c.Warnings {
		s.log.Warn(warning)
	}
	if err := s.build(ctx, stdout); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *service) build(ctx context.Context, stdout io.Writer) error {
	addresses, err := parseAddresses(s.config.Listen)
	if err != nil {
		return err
	}
	if err := s.buildServer(stdout); err != nil {
		return &failure{err}
	}
	if err := s.open(ctx, addresses); err != nil {
		return &failure{err}
	}
	return nil
}

func parseAddresses(texts []string) (addresses []listen.Address, err error) {
	for _, text := range texts {
		address, err := listen.Parse(text)
		if err != nil {
			return nil, &config.UsageError{Msg: "listen " + err.Error()}
		}
		addresses = append(addresses, address)
	}
	return addresses, nil
}

// buildServer gives each field of the config to the room it is for.
func (s *service) buildServer(stdout io.Writer) error {
	c := s.config
	to := target.TCP{Address: c.Target, Timeout: orUnlimited(c.DialTimeout)}
	s.server = &bridge.Server{
		Route:        func(*http.Request) (bridge.Target, error) { return to, nil },
		TLSOnly:      c.SSLOnly,
		Subprotocols: c.Subprotocol,
		Text:         c.Text,
		Heartbeat:    c.Heartbeat,
		SessionIdle:  c.SessionIdle,
		Limits: bridge.Limits{
			Sessions:      c.MaxSessions,
			SessionsPerIP: c.MaxSessionsPerIP,
			EndTimeout:    orUnlimited(c.EndTimeout),
		},
		Log: s.log,
	}
	if c.Traffic {
		s.server.Traffic = stdout
	}
	s.summary = summary{target: to.String(), web: c.Web, fileOnly: c.FileOnly, tlsOnly: c.SSLOnly}
	if err := s.loadCertificate(); err != nil {
		return err
	}
	return s.openWeb()
}

func orUnlimited(d time.Duration) time.Duration {
	if d == 0 {
		return unlimited
	}
	return d
}

// loadCertificate offers TLS even while there is no certificate: it may come.
func (s *service) loadCertificate() error {
	c := s.config
	if c.Cert == "" {
		return nil
	}
	certificate, err := listen.LoadCertificate(c.Cert, c.Key, s.log)
	if err != nil {
		return err
	}
	s.server.TLS = certificate.TLSConfig()
	s.summary.tls = certificate.Present()
	if !s.summary.tls && c.Origin("cert").Source != config.Default {
		s.log.Warn("certificate not found, TLS is off until it appears", "cert", c.Cert)
	}
	return nil
}

func (s *service) openWeb() error {
	if s.config.Web == "" {
		s.server.Handler = web.Default()
		return nil
	}
	files, err := web.Open(s.config.Web, !s.config.FileOnly)
	if err != nil {
		return fmt.Errorf("web: %w", err)
	}
	s.server.Handler, s.files = files, files
	return nil
}

// open opens all listeners before any is served.
func (s *service) open(ctx context.Context, addresses []listen.Address) error {
	for _, address := range addresses {
		l, err := address.Listen(ctx)
		if err != nil {
			return err
		}
		s.listeners = append(s.listeners, l)
		if tcp, ok := l.Addr().(*net.TCPAddr); ok {
			address.Port = tcp.Port
		}
		s.summary.listen = append(s.summary.listen, address.String())
	}
	return nil
}

// close gives back what was opened; a listener may have been closed before.
func (s *service) close() {
	for _, l := range s.listeners {
		l.Close()
	}
	if s.files != nil {
		s.files.Close()
	}
}
