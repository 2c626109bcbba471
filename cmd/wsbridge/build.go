package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"time"

	"github.com/wsbridge/wsbridge/admin"
	"github.com/wsbridge/wsbridge/bridge"
	"github.com/wsbridge/wsbridge/config"
	"github.com/wsbridge/wsbridge/gateway"
	"github.com/wsbridge/wsbridge/hub"
	"github.com/wsbridge/wsbridge/hub/fme"
	"github.com/wsbridge/wsbridge/listen"
	"github.com/wsbridge/wsbridge/logs"
	"github.com/wsbridge/wsbridge/policy"
	"github.com/wsbridge/wsbridge/web"
	"github.com/wsbridge/wsbridge/web/pages"
	"github.com/wsbridge/wsbridge/wrap"
)

// unlimited is what other rooms get for a timeout of 0: to them the zero value
// means their default.
const unlimited = 1_000_000_000 * time.Second

// faultPatience is how long the end waits for fault routes to take what is
// queued for them.
const faultPatience = 3 * time.Second

const maxPort = 65535

// logPatience is how long the end waits for a syslog server.
const logPatience = 3 * time.Second

// service is a bridge about to serve: what config asked for, opened.
type service struct {
	config        *config.Config
	startup       *startup
	upgrade       *upgrader // nil: there can be none
	out           *logs.Output
	log           *slog.Logger
	pid           *pidFile
	server        *bridge.Server
	policy        *policy.Policy
	router        *router
	hubs          map[string]*fme.Service
	broadcasts    *hub.Hub // of gateway routes
	faults        []*gateway.Faults
	closers       []func()
	program       *wrap.Program // nil: none is wrapped
	listeners     []net.Listener
	files         io.Closer
	admin         *admin.Admin // nil: none
	adminListener net.Listener
	stopAdmin     func()
	stopWatchdog  func()
	ended         chan struct{} // a session has ended
	busy          time.Time     // when somebody was last seen connected
	summary       summary
}

// newService opens everything that c names, or nothing. The caller closes it.
func newService(ctx context.Context, c *config.Config, l *startup, stdout, stderr io.Writer) (*service, error) {
	out, err := openLog(c, stderr)
	if err != nil {
		return nil, err
	}
	s := newBareService(c, out)
	s.startup = l
	for _, warning := range c.Warnings {
		s.log.Warn(warning)
	}
	if err := s.build(ctx, stdout); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// newBareService has opened nothing but its log.
func newBareService(c *config.Config, out *logs.Output) *service {
	return &service{config: c, startup: new(startup), out: out, log: out.Logger(), ended: make(chan struct{}, 1), hubs: map[string]*fme.Service{}}
}

// build opens the target's side, then TLS and files, then listeners, and starts
// a wrapped program when its port is ours.
func (s *service) build(ctx context.Context, stdout io.Writer) error {
	s.server = s.newServer(stdout)
	for _, step := range []func() error{s.openTarget, s.loadTLS, s.openWeb} {
		if err := step(); err != nil {
			return startError(err)
		}
	}
	for _, step := range []func(context.Context) error{s.listen, s.openAdmin} {
		if err := step(ctx); err != nil {
			return startError(err)
		}
	}
	s.closeRest()
	return startError(s.startProgram(ctx, stdout))
}

// startError is err as the person's mistake if it is one, else as a failure.
func startError(err error) error {
	var usage *config.UsageError
	if err == nil || errors.As(err, &usage) {
		return err
	}
	return &failure{err}
}

// newServer gives each field of the config to the field it is for.
func (s *service) newServer(stdout io.Writer) *bridge.Server {
	c := s.config
	server := &bridge.Server{
		TLSOnly:      c.SSLOnly || c.VerifyClient,
		Subprotocols: c.Subprotocol,
		Text:         c.Text,
		Heartbeat:    c.Heartbeat,
		SessionIdle:  c.SessionIdle,
		Limits: bridge.Limits{
			Sessions:      c.MaxSessions,
			SessionsPerIP: c.MaxSessionsPerIP,
			EndTimeout:    orUnlimited(c.EndTimeout),
		},
		Log:          s.log,
		SessionEnded: s.sessionEnded,
	}
	if c.Pump == "goroutines" {
		server.Pump = bridge.PumpGoroutines
	}
	if c.RunOnce {
		server.Limits.Sessions = 1
	}
	if c.Traffic {
		server.Traffic = stdout
	}
	s.summary = summary{routes: []string{}, pages: c.Pages, web: c.Web, fileOnly: c.FileOnly, tlsOnly: server.TLSOnly, record: c.Record, daemon: c.Daemon}
	return server
}

func (s *service) sessionEnded() {
	select {
	case s.ended <- struct{}{}:
	default:
	}
}

func orUnlimited(d time.Duration) time.Duration {
	if d == 0 {
		return unlimited
	}
	return d
}

// loadTLS offers TLS even while there is no certificate: it may come.
func (s *service) loadTLS() error {
	c := s.config
	if c.Cert == "" {
		return nil
	}
	passphrase, err := readPassphrase(c)
	if err != nil {
		return err
	}
	certificate, err := listen.CertificateFiles{Cert: c.Cert, Key: c.Key, Passphrase: passphrase}.Load(s.log)
	if err != nil {
		return err
	}
	s.summary.tls = certificate.Present()
	if !s.summary.tls && c.Origin("cert").Source != config.Default {
		s.log.Warn("certificate not found, TLS is off until it appears", "cert", c.Cert)
	}
	s.server.TLS, err = s.tlsConfig(certificate)
	return err
}

func (s *service) tlsConfig(certificate *listen.Certificate) (*tls.Config, error) {
	c := s.config
	version, err := listen.ParseVersion(c.SSLVersion)
	if err != nil {
		return nil, &config.UsageError{Msg: "--ssl-version: " + err.Error()}
	}
	ciphers, notes, err := listen.ParseCiphers(c.SSLCiphers)
	if err != nil {
		return nil, &config.UsageError{Msg: "--ssl-ciphers: " + err.Error()}
	}
	for _, note := range notes {
		s.log.Warn("--ssl-ciphers: " + note)
	}
	settings := listen.TLS{Certificate: certificate, MinVersion: version, Ciphers: ciphers}
	if c.VerifyClient {
		if settings.Clients, err = listen.LoadClientCAs(c.CAFile, s.log); err != nil {
			return nil, err
		}
	}
	return settings.Config(), nil
}

// openWeb serves files or pages, behind the policy where that is asked for.
func (s *service) openWeb() error {
	plain := web.Default()
	if s.config.Pages {
		plain = pages.New(pages.Options{Offers: s.offers})
	}
	if s.config.Web != "" {
		files, err := web.Open(s.config.Web, !s.config.FileOnly)
		if err != nil {
			return fmt.Errorf("web: %w", err)
		}
		s.files, plain = files, files
	}
	s.server.Handler = s.withConsole(s.router.plain(plain))
	if s.config.WebAuth {
		s.server.Handler = s.policy.Guard(s.server.Handler)
	}
	return nil
}

// listen opens all listeners before any is served.
func (s *service) listen(ctx context.Context) error {
	c := s.config
	for _, text := range c.Listen {
		if err := s.listenAt(ctx, text); err != nil {
			return err
		}
	}
	if c.UnixListen != "" {
		if err := s.listenUnix(ctx); err != nil {
			return err
		}
	}
	if c.Inetd {
		l, err := listen.Inherited(0)
		if err != nil {
			return fmt.Errorf("--inetd: %w", err)
		}
		s.addListener(l, "inetd", "  - Listen for inetd connections")
	}
	return nil
}

func (s *service) listenAt(ctx context.Context, text string) error {
	if name, ok := config.SystemdSocket(text); ok {
		return s.openSystemd(name)
	}
	return s.listenTCP(ctx, text)
}

func (s *service) listenTCP(ctx context.Context, text string) error {
	address, err := listen.Parse(text)
	if err != nil {
		return &config.UsageError{Msg: "listen " + err.Error()}
	}
	if address.Port += s.config.PortOffset; address.Port > maxPort {
		return &config.UsageError{Msg: fmt.Sprintf("--port-offset: port %d is not in the range 1 to %d", address.Port, maxPort)}
	}
	address.PreferIPv6 = s.config.PreferIPv6
	l, err := s.startup.sockets.TCP(ctx, address)
	if err != nil {
		return err
	}
	if tcp, ok := l.Addr().(*net.TCPAddr); ok {
		address.Port = tcp.Port
	}
	s.addListener(l, address.String(), "  - Listen on "+address.String())
	return nil
}

func (s *service) listenUnix(ctx context.Context) error {
	mode, err := listen.ParseMode(s.config.UnixListenMode)
	if err != nil {
		return &config.UsageError{Msg: "--unix-listen-mode: " + err.Error()}
	}
	l, err := s.startup.sockets.Unix(ctx, listen.Unix{Path: s.config.UnixListen, Mode: mode})
	if err != nil {
		return err
	}
	s.addListener(l, s.config.UnixListen, "  - Listen on unix socket "+s.config.UnixListen)
	return nil
}

func (s *service) addListener(l net.Listener, name, line string) {
	s.listeners = append(s.listeners, l)
	s.summary.listen = append(s.summary.listen, name)
	s.summary.listenLines = append(s.summary.listenLines, line)
}

// startProgram wraps the command. Its output is ours.
func (s *service) startProgram(ctx context.Context, stdout io.Writer) (err error) {
	c := s.config
	if len(c.Command) == 0 {
		return nil
	}
	modes := map[string]wrap.Mode{"exit": wrap.Exit, "ignore": wrap.Ignore, "respawn": wrap.Respawn}
	s.program, err = wrap.Start(ctx, wrap.Options{
		Command: c.Command, Port: c.WrapPort, Mode: modes[c.WrapMode], Wait: orUnlimited(c.WrapWait),
		Stdin: os.Stdin, Stdout: stdout, Stderr: s.programStderr(), Log: s.log,
	})
	var unsupported *wrap.UnsupportedError
	if errors.As(err, &unsupported) {
		return &failure{&config.UsageError{Msg: err.Error(), Hint: unsupported.Hint}}
	}
	if err != nil {
		return err
	}
	s.summary.target = fmt.Sprintf("'%s' (port %d)", strings.Join(c.Command, " "), c.WrapPort)
	return nil
}

// programStderr is ours; nil, which is nowhere, for a daemon, whose own must
// not be held open by a program when the start is over.
func (s *service) programStderr() io.Writer {
	if s.config.Daemon {
		return nil
	}
	return os.Stderr
}

// close gives back what build opened; a listener may have been closed before.
func (s *service) close() {
	for _, l := range s.listeners {
		l.Close()
	}
	if s.program != nil {
		s.program.Stop(context.Background())
	}
	if s.adminListener != nil {
		s.adminListener.Close()
	}
	for _, f := range s.faults {
		f.Close(faultPatience)
	}
	for _, closeIt := range s.closers {
		closeIt()
	}
	if s.policy != nil {
		s.policy.Close()
	}
	if s.files != nil {
		s.files.Close()
	}
	if err := s.pid.remove(); err != nil {
		s.log.Warn("pid file not removed", "err", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), logPatience)
	defer cancel()
	if err := s.out.Close(ctx); err != nil {
		s.log.Warn("end of the log", "err", err)
	}
}
