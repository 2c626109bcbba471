package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/wsbridge/wsbridge/admin"
	"github.com/wsbridge/wsbridge/bridge"
	"github.com/wsbridge/wsbridge/config"
	"github.com/wsbridge/wsbridge/hub"
	"github.com/wsbridge/wsbridge/hub/fme"
	"github.com/wsbridge/wsbridge/listen"
	"github.com/wsbridge/wsbridge/logs"
	"github.com/wsbridge/wsbridge/memory"
	"github.com/wsbridge/wsbridge/wrap"
)

// unlimited is what other rooms get for a timeout of 0: to them the zero value
// means their default.
const unlimited = 1_000_000_000 * time.Second

const maxPort = 65535

// logPatience is how long the end waits for a syslog server.
const logPatience = 3 * time.Second

// service is a bridge about to serve: what config asked for, opened.
type service struct {
	config        *config.Config // that of the start
	startup       *startup
	upgrade       *upgrader // nil: there can be none
	out           *logs.Output
	log           *slog.Logger
	pid           *pidFile
	server        *bridge.Server
	hubs          *hubs
	quotas        *quotas
	program       *wrap.Program // nil: none is wrapped
	gauge         *memory.Gauge // nil: no limit of memory is known
	listeners     []net.Listener
	admin         *admin.Admin // nil: none
	adminListener net.Listener
	stopAdmin     func()
	stopWatchdog  func()
	ended         chan struct{} // a session has ended
	busy          time.Time     // when somebody was last seen connected
	summary       summary

	reloading sync.Mutex
	current   *generation // changed under reloading
	retiring  sync.WaitGroup
	shut      bool                           // in a sandbox
	reread    func() (*config.Config, error) // nil: there is nothing to reload
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
	s := &service{config: c, startup: new(startup), out: out, log: out.Logger(), ended: make(chan struct{}, 1), quotas: newQuotas()}
	s.hubs = &hubs{log: s.log, groups: map[string]*hub.Hub{}, services: map[string]*fme.Service{}}
	return s
}

// build opens the target's side, then TLS and files, then listeners, and starts
// a wrapped program when its port is ours.
func (s *service) build(ctx context.Context, stdout io.Writer) error {
	var err error
	if s.current, err = s.newGeneration(s.config); err != nil {
		return startError(err)
	}
	s.summary = s.current.summary
	s.current.gate.agreed()
	if err := s.boundMemory(); err != nil {
		return startError(err)
	}
	s.server = s.newServer(stdout)
	for _, step := range []func(context.Context) error{s.listen, s.openAdmin} {
		if err := step(ctx); err != nil {
			return startError(err)
		}
	}
	s.closeRest()
	s.current.acme.start()
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
	server := &bridge.Server{Rules: s.current.rules, Log: s.log, SessionEnded: s.sessionEnded, CleartextHTTP2: s.config.HTTP2 == "cleartext"}
	if s.gauge != nil {
		server.Memory = s.gauge.Full
	}
	if s.config.Pump == "goroutines" {
		server.Pump = bridge.PumpGoroutines
	}
	if s.config.Traffic {
		server.Traffic = stdout
	}
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
	if s.current != nil {
		s.current.close()
	}
	s.retiring.Wait()
	s.hubs.close()
	s.gauge.Close()
	if err := s.pid.remove(); err != nil {
		s.log.Warn("pid file not removed", "err", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), logPatience)
	defer cancel()
	if err := s.out.Close(ctx); err != nil {
		s.log.Warn("end of the log", "err", err)
	}
}
