package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/wsbridge/wsbridge/access"
	"github.com/wsbridge/wsbridge/admin"
	"github.com/wsbridge/wsbridge/bridge"
	"github.com/wsbridge/wsbridge/config"
)

// reviewTimeout bounds one question about a live session, of a token API say.
const reviewTimeout = 5 * time.Second

// reloaded is what came of a reload.
type reloaded struct {
	Sessions int      // live
	Refused  int      // of them, that the new rules would not let in
	Kept     []string // options that only a restart changes
}

// reload reads the configuration again, and puts it in force: certificates,
// tokens, users, routes, limits, pages, for who comes from now on. An error
// leaves all as it was.
func (s *service) reload(ctx context.Context) (*reloaded, error) {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	s.tellManager(s.startup.manager.Reloading())
	defer func() { s.tellManager(s.startup.manager.Ready(s.summary.status())) }()
	s.out.Reopen()
	r, err := s.renew(ctx)
	if err != nil {
		err = s.explainShut(err)
		s.log.Error("reload failed, all stays as it was", "err", oneLine(err))
		return nil, err
	}
	s.log.Info("reloaded", "sessions", r.Sessions, "refused_by_new_rules", r.Refused, "on_reload", s.current.config.OnReload)
	return r, nil
}

// oneLine is err with its hint.
func oneLine(err error) string {
	text := err.Error()
	var usage *config.UsageError
	if errors.As(err, &usage) && usage.Hint != "" {
		text += " (" + usage.Hint + ")"
	}
	return strings.ReplaceAll(text, "\n", " ")
}

// renew needs reloading.
func (s *service) renew(ctx context.Context) (*reloaded, error) {
	if s.reread == nil {
		return nil, errors.New("there is no configuration to read again")
	}
	c, err := s.reread()
	if err != nil {
		return nil, err
	}
	r := &reloaded{Kept: keepFixed(s.config, c)}
	if (s.config.LogFile == "") != (c.LogFile == "") {
		r.Kept, c.LogFile = append(r.Kept, "log-file"), s.config.LogFile
	}
	for _, option := range r.Kept {
		s.log.Warn("a reload does not change this option: restart or upgrade", "option", option)
	}
	next, err := s.newGeneration(c)
	if err != nil {
		return nil, err
	}
	token, err := s.newToken(c)
	if err == nil {
		err = s.renewLog(c) // the last that can fail: what it changes stays changed
	}
	if err != nil {
		next.close()
		return nil, err
	}
	if s.admin != nil {
		s.admin.SetToken(token)
	}
	next.acme.start() // what the cache holds is at hand before anybody asks
	s.server.Use(next.rules)
	s.succeed(next)
	s.review(ctx, r)
	return r, nil
}

// succeed makes next the current generation. The one before is closed once
// nobody uses it.
func (s *service) succeed(next *generation) {
	old := s.current
	s.current = next
	next.gate.agreed()
	s.retiring.Add(1)
	old.retire(func() {
		go func() {
			defer s.retiring.Done()
			old.close()
		}()
	})
}

// review counts the live sessions that the rules in force would refuse, and ends
// them if that is asked for.
func (s *service) review(ctx context.Context, r *reloaded) {
	refused := s.refusedNow(ctx)
	r.Sessions, r.Refused = s.server.Stats().Sessions, len(refused)
	switch grace, ends := s.current.config.EndsOnReload(); {
	case !ends || len(refused) == 0:
	case grace == 0:
		s.forbid(refused)
	default:
		time.AfterFunc(grace, func() {
			s.reloading.Lock()
			defer s.reloading.Unlock()
			if _, ends := s.current.config.EndsOnReload(); ends { // still: another reload may have come
				s.forbid(s.refusedNow(context.Background()))
			}
		})
	}
}

// refusedNow needs reloading.
func (s *service) refusedNow(ctx context.Context) map[string]error {
	router := s.current.router
	return s.server.Review(func(r *http.Request) error {
		ctx, cancel := context.WithTimeout(ctx, reviewTimeout)
		defer cancel()
		return router.review(r.WithContext(ctx))
	})
}

func (s *service) forbid(refused map[string]error) {
	for id, why := range refused {
		if s.server.Forbid(id) {
			s.log.Info("session ended: the new rules refuse it", "session", id, "reason", why.Error())
		}
	}
}

// review is the decision on an upgrade that was let in before: nothing is
// counted, spent or guessed. The error is why it would be refused.
func (r *router) review(request *http.Request) error {
	if err := r.gate.Enter(request, access.Address(request.RemoteAddr)); err != nil {
		return err
	}
	d, found := r.table.Find(request)
	if !found {
		return errNoRoute
	}
	guard := r.guard
	if d.byToken {
		guard = r.policy
	}
	decision, err := guard.Again(request)
	var refusal *bridge.Refusal
	switch {
	case errors.As(asBridgeRefusal(err), &refusal) && refusal.Status >= http.StatusInternalServerError:
		return nil // whoever knows cannot be asked
	case err != nil:
		return err
	case d.byToken && decision.Target.String() != "":
		_, err = r.streamTarget(d, decision)
	}
	return err
}

// keepFixed puts back what a running bridge cannot change, and tells the
// options of it that were to be changed.
func keepFixed(is, wanted *config.Config) (changed []string) {
	for _, option := range []struct {
		name       string
		is, wanted any
	}{
		{"listen", &is.Listen, &wanted.Listen}, {"prefer-ipv6", &is.PreferIPv6, &wanted.PreferIPv6},
		{"unix-listen", &is.UnixListen, &wanted.UnixListen}, {"unix-listen-mode", &is.UnixListenMode, &wanted.UnixListenMode},
		{"port-offset", &is.PortOffset, &wanted.PortOffset}, {"inetd", &is.Inetd, &wanted.Inetd},
		{"the wrapped program", &is.Command, &wanted.Command}, {"wrap-mode", &is.WrapMode, &wanted.WrapMode},
		{"hub-engine", &is.HubEngine, &wanted.HubEngine}, {"hub-slow", &is.HubSlow, &wanted.HubSlow},
		{"run-once", &is.RunOnce, &wanted.RunOnce}, {"timeout", &is.Timeout, &wanted.Timeout},
		{"idle-timeout", &is.IdleTimeout, &wanted.IdleTimeout}, {"daemon", &is.Daemon, &wanted.Daemon}, {"sandbox", &is.Sandbox, &wanted.Sandbox}, {"drain-timeout", &is.DrainTimeout, &wanted.DrainTimeout},
		{"upgrade-timeout", &is.UpgradeTimeout, &wanted.UpgradeTimeout}, {"pid-file", &is.PIDFile, &wanted.PIDFile}, {"pump", &is.Pump, &wanted.Pump}, {"memory-limit", &is.MemoryLimit, &wanted.MemoryLimit}, {"http2", &is.HTTP2, &wanted.HTTP2}, {"traffic", &is.Traffic, &wanted.Traffic},
		{"admin", &is.Admin, &wanted.Admin}, {"admin-name", &is.AdminNames, &wanted.AdminNames},
		{"log-format", &is.LogFormat, &wanted.LogFormat},
		{"syslog", &is.Syslog, &wanted.Syslog}, {"legacy-syslog", &is.OldSyslog, &wanted.OldSyslog},
	} {
		is, wanted := reflect.ValueOf(option.is).Elem(), reflect.ValueOf(option.wanted).Elem()
		if !reflect.DeepEqual(is.Interface(), wanted.Interface()) {
			changed = append(changed, option.name)
			wanted.Set(is)
		}
	}
	return changed
}

// newToken reads the administrator's token again.
func (s *service) newToken(c *config.Config) (string, error) {
	if s.admin == nil {
		return "", nil
	}
	token, err := firstLine(c.AdminTokenFile)
	if err != nil {
		return "", fmt.Errorf("--admin-token-file: %w", err)
	}
	return token, admin.CheckToken(token, s.adminListener.Addr())
}

// renewLog goes on in another file, if there is one, with as much as is wanted.
func (s *service) renewLog(c *config.Config) error {
	if err := s.out.MoveTo(c.LogFile); err != nil {
		return err
	}
	s.out.SetLevel(logLevel(c))
	return nil
}

// reloadsOnHangup tells whether a SIGHUP is for us, and not the end of the
// terminal that we were started from.
func (s *service) reloadsOnHangup() bool {
	c := s.config
	return c.File != "" || c.LogFile != "" || c.Daemon || !hasTerminal()
}

// hasTerminal tells whether there is a terminal whose end is ours.
func hasTerminal() bool {
	tty, err := os.Open("/dev/tty")
	if err != nil {
		return false
	}
	tty.Close()
	return true
}
