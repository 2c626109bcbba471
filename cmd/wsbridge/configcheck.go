package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/wsbridge/wsbridge/admin"
	"github.com/wsbridge/wsbridge/config"
	"github.com/wsbridge/wsbridge/listen"
	"github.com/wsbridge/wsbridge/logs"
)

// checkConfig opens all that c names and a start could stumble over, but
// nothing that others would notice. Every error is the person's: what a start
// would call a failure is a mistake of the configuration here.
func checkConfig(c *config.Config, stdout, stderr io.Writer) error {
	line, err := tryConfig(c, stderr)
	if err == nil {
		_, err = fmt.Fprintln(stdout, line)
		return err
	}
	usage := &config.UsageError{Msg: err.Error()}
	errors.As(c.Located(err), &usage)
	return &config.UsageError{Msg: usage.Msg, Hint: cmp.Or(usage.Hint, "wsbridge config dump tells what counts, and where it was set")}
}

// tryConfig gives the line to print when all is well.
func tryConfig(c *config.Config, stderr io.Writer) (string, error) {
	quiet := *c
	quiet.Record, quiet.HubEngine = "", "" // a recorder writes, an engine dials
	s, err := newDecision(&quiet, stderr)
	if err != nil {
		return "", err
	}
	defer s.close()
	for _, warning := range c.Warnings {
		s.log.Warn(warning)
	}
	steps := append(s.current.steps()[2:], // newDecision has done the first two
		[]step{
			{"listen", func() error { return checkListen(c) }},
			{"unix-listen-mode", func() error { _, err := listen.ParseMode(c.UnixListenMode); return err }},
			{"unix-listen", func() error { return checkFolder(c.UnixListen) }},
			{"admin", func() error { return checkAdmin(c) }},
			{"hub-engine", func() error { return checkEngine(c.HubEngine) }},
			{"record", func() error { return checkFolder(c.Record) }},
			{"pid-file", func() error { return checkFolder(c.PIDFile) }},
			{"log-file", func() error { return checkFolder(c.LogFile) }},
			{"syslog", func() error { return checkSyslog(c.Syslog) }},
		}...)
	for _, step := range steps {
		if err := step.do(); err != nil {
			return "", about(step.option, err)
		}
	}
	return s.verdict(c), checkProgram(c)
}

// about is err with the option that it is about, unless it says so itself.
func about(option string, err error) error {
	usage := new(config.UsageError)
	errors.As(err, &usage)
	if strings.HasPrefix(err.Error(), "--") {
		return &config.UsageError{Msg: err.Error(), Hint: usage.Hint}
	}
	return &config.UsageError{Msg: "--" + option + ": " + err.Error(), Hint: usage.Hint}
}

// verdict is the line of a configuration that is well.
func (s *service) verdict(c *config.Config) string {
	at := slices.Clone(c.Listen)
	if c.UnixListen != "" {
		at = append(at, "unix:"+c.UnixListen)
	}
	if c.Inetd {
		at = append(at, "standard input")
	}
	target, tls := s.current.summary.target, "no TLS"
	if len(c.Command) > 0 {
		target = c.Command[0]
	}
	if s.current.summary.tls {
		tls = "TLS"
	}
	routes := fmt.Sprintf("%d routes", len(s.current.summary.routes))
	if len(s.current.summary.routes) == 1 {
		routes = "1 route"
	}
	return fmt.Sprintf("ok: %s: %s, listens on %s, target %s, %s", cmp.Or(c.File, "command line"), routes, strings.Join(at, " "), target, tls)
}

func checkListen(c *config.Config) error {
	for _, text := range c.Listen {
		address, err := listen.Parse(text)
		if err != nil {
			return err
		}
		if address.Port+c.PortOffset > maxPort {
			return fmt.Errorf("--port-offset: port %d is not in the range 1 to %d", address.Port+c.PortOffset, maxPort)
		}
	}
	return nil
}

// checkAdmin judges where the administrator's side would be, a host by its name
// being anywhere.
func checkAdmin(c *config.Config) error {
	if c.Admin == "" {
		return nil
	}
	token, err := firstLine(c.AdminTokenFile)
	if err != nil {
		return about("admin-token-file", err)
	}
	var at net.Addr = &net.UnixAddr{Net: "unix"}
	if path, ok := strings.CutPrefix(c.Admin, "unix:"); ok {
		err = checkFolder(path)
	} else {
		at, err = adminAddress(c.Admin)
	}
	if err != nil {
		return err
	}
	if err := (&admin.Admin{Token: token}).Check(at); err != nil {
		return &config.UsageError{Msg: err.Error(), Hint: "name a file with a token by --admin-token-file"}
	}
	return nil
}

func adminAddress(text string) (net.Addr, error) {
	if !strings.Contains(text, ":") {
		text = "127.0.0.1:" + text
	}
	address, err := listen.Parse(text)
	if err != nil {
		return nil, err
	}
	ip, err := netip.ParseAddr(address.Host)
	if address.Host == "localhost" {
		ip, err = netip.IPv6Loopback(), nil
	}
	if err != nil {
		return &net.TCPAddr{Port: address.Port}, nil
	}
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(ip, uint16(address.Port))), nil
}

func checkEngine(url string) error {
	if url != "" && !strings.HasPrefix(url, "nats://") && !strings.HasPrefix(url, "tls://") {
		return &config.UsageError{Msg: "no engine", Hint: "write nats://host:4222"}
	}
	return nil
}

func checkSyslog(text string) error {
	if text == "" {
		return nil
	}
	_, err := logs.ParseAddress(text)
	return err
}

// checkFolder looks for the folder that a file is to be made in.
func checkFolder(file string) error {
	if file == "" {
		return nil
	}
	dir := filepath.Dir(file)
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is not a directory", dir)
	}
	if err != nil {
		return &config.UsageError{Msg: err.Error(), Hint: "make the directory first"}
	}
	return nil
}

// checkProgram looks for the program behind --.
func checkProgram(c *config.Config) error {
	if len(c.Command) == 0 {
		return nil
	}
	if _, err := exec.LookPath(c.Command[0]); err != nil {
		return &config.UsageError{Msg: "behind --: " + err.Error(), Hint: "name a program that is there"}
	}
	return nil
}
