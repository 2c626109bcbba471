package main

import (
	"fmt"
	"net"
	"strings"

	"github.com/wsbridge/wsbridge/config"
	"github.com/wsbridge/wsbridge/listen"
	"github.com/wsbridge/wsbridge/systemd"
)

// startup is what a process found at its start, and how to start it once more.
type startup struct {
	args, environ []string // without the program's name
	starter       *readiness
	predecessor   *predecessor
	manager       *systemd.Manager
	sockets       listen.Sockets
	reread        func() (*config.Config, error) // for a reload; nil: there is none
}

// newStartup is for the very start: what is in the environment for this process
// alone is gone after it.
func newStartup(args, environ []string) (l *startup, err error) {
	l = &startup{args: args, environ: environ}
	if l.predecessor, err = newPredecessor(environ, &l.sockets); err != nil {
		return nil, err
	}
	if l.manager, err = systemd.Meet(environ); err != nil {
		return nil, &failure{err}
	}
	for _, s := range l.manager.Sockets() {
		l.sockets.GiveSystemd(s.Name, s.File)
	}
	l.starter, err = newReadiness(environ)
	return l, err
}

// front tells a process that is to go to the background, and has not.
func (l *startup) front() bool { return l.starter == nil && l.predecessor == nil }

// serves says that everything is open. With a predecessor it returns when that
// one accepts no more.
func (l *startup) serves() error {
	if l.predecessor == nil {
		return l.starter.ready()
	}
	if err := l.predecessor.succeed(); err != nil {
		return err
	}
	l.sockets.Own()
	return nil
}

// openSystemd listens on systemd's sockets of a name, or on all that no option
// names.
func (s *service) openSystemd(name string) error {
	all, err := s.startup.sockets.Systemd(name, s.systemdNames()...)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return s.noSocket(name)
	}
	for _, l := range all {
		s.addListener(l, l.Addr().String(), "  - Listen on "+l.Addr().String()+", opened by systemd")
	}
	return nil
}

// openSystemdAdmin is the administrator's one socket of a name.
func (s *service) openSystemdAdmin(name string) (net.Listener, error) {
	if name == "" {
		return nil, &config.UsageError{Msg: "--admin: systemd alone is every socket", Hint: "name one: --admin systemd:NAME, with FileDescriptorName=NAME in its unit"}
	}
	all, err := s.startup.sockets.Systemd(name)
	switch {
	case err != nil:
		return nil, err
	case len(all) == 0:
		return nil, s.noSocket(name)
	case len(all) > 1:
		return nil, &config.UsageError{Msg: fmt.Sprintf("--admin: %d sockets of systemd are called %s", len(all), name), Hint: "give each a unit of its own, with a FileDescriptorName="}
	}
	return all[0], nil
}

// systemdNames are the names that options have for sockets of systemd.
func (s *service) systemdNames() (names []string) {
	for _, text := range append([]string{s.config.Admin}, s.config.Listen...) {
		if name, ok := config.SystemdSocket(text); ok && name != "" {
			names = append(names, name)
		}
	}
	return names
}

// noSocket is the error where systemd has opened nothing of a name.
func (s *service) noSocket(name string) error {
	there := strings.Join(s.startup.sockets.SystemdNames(), ", ")
	switch {
	case there == "":
		return &failure{&config.UsageError{Msg: "systemd has opened no socket for this process", Hint: "start it by its socket unit, systemctl start wsbridge.socket, or listen on an address: 6080"}}
	case name == "":
		return &failure{&config.UsageError{Msg: "systemd has opened no socket but those that other options name: " + there, Hint: "leave out systemd, or add a socket unit"}}
	}
	return &failure{&config.UsageError{Msg: fmt.Sprintf("systemd has opened no socket called %s, only %s", name, there), Hint: "write FileDescriptorName=" + name + " in the socket unit"}}
}

// closeRest closes what was given to this process and no option names. Clients
// of a socket of systemd would wait there for nobody.
func (s *service) closeRest() {
	for _, name := range s.startup.sockets.CloseRest() {
		s.log.Warn("systemd has opened a socket that no option names: nobody answers there", "name", name)
	}
}

// tellManager logs what systemd could not be told.
func (s *service) tellManager(err error) {
	if err != nil {
		s.log.Warn("systemd could not be told", "err", err)
	}
}
