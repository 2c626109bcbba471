package config

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"
)

// Validate checks options against each other and against the files they name.
// The error is a *UsageError.
func (c *Config) Validate() error {
	for _, check := range []func() error{c.checkTLS, c.checkWeb, c.checkSubprotocol, c.checkCompanions, c.checkChoices, c.checkOnReload} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (c *Config) checkTLS() error {
	if c.Key != "" && c.Cert == "" {
		return usageErrorf("add --cert F", "--key without a certificate")
	}
	option := "--ssl-only"
	switch {
	case c.VerifyClient:
		option = "--verify-client"
	case !c.SSLOnly:
		return nil
	}
	if len(c.ACME) > 0 {
		return nil
	}
	if c.Cert == "" {
		return usageErrorf("add --cert F", "%s without a certificate", option)
	}
	if _, err := os.Stat(c.Cert); errors.Is(err, fs.ErrNotExist) {
		return usageErrorf("name an existing PEM file with --cert F", "%s: certificate %s not found", option, c.Cert)
	}
	return nil
}

func (c *Config) checkWeb() error {
	if c.Web == "" {
		if c.FileOnly {
			return usageErrorf("add --web DIR", "--file-only without --web")
		}
		return nil
	}
	info, err := os.Stat(c.Web)
	if err != nil {
		return usageErrorf("name an existing directory", "--web: %s", err)
	}
	if !info.IsDir() {
		return usageErrorf("name the directory that holds it", "--web: %s is not a directory", c.Web)
	}
	return nil
}

// checkSubprotocol keeps names that no client could offer out of the list.
func (c *Config) checkSubprotocol() error {
	for _, name := range c.Subprotocol {
		if strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return usageErrorf("leave it out", "--subprotocol: %q has a character that no header field may hold", name)
		}
	}
	return nil
}

// checkCompanions refuses options that say nothing without another.
func (c *Config) checkCompanions() error {
	for _, pair := range []struct {
		option string
		set    bool
		needs  string
		there  bool
	}{
		{"--token-source", c.TokenSource != "", "--token-plugin", c.TokenPlugin != ""},
		{"--host-token", c.HostToken, "--token-plugin", c.TokenPlugin != "" || c.TargetConfig != ""},
		{"--token-from", len(c.TokenFrom) > 0, "--token-plugin", c.TokenPlugin != "" || c.TargetConfig != ""},
		{"--auth-source", c.AuthSource != "", "--auth-plugin", c.AuthPlugin != ""},
		{"--web-auth", c.WebAuth, "--auth-plugin", c.AuthPlugin != ""},
		{"--web-auth", c.WebAuth, "--web", c.Web != "" || c.Pages},
		{"--legacy-syslog", c.OldSyslog, "--syslog", c.Syslog != ""},
		{"--cafile", c.CAFile != "", "--verify-client", c.VerifyClient},
		{"--target-ca", c.TargetCA != "", "--ssl-target", c.mayTLS()},
		{"--target-insecure", c.TargetInsecure, "--ssl-target", c.mayTLS()},
		{"--target-cert", c.TargetCert != "", "--ssl-target", c.mayTLS()},
		{"--target-name", c.TargetName != "", "--ssl-target", c.mayTLS()},
		{"--target-key", c.TargetKey != "", "--target-cert", c.TargetCert != ""},
		{"--acme-email", c.ACMEEmail != "", "--acme", len(c.ACME) > 0},
		{"--acme-directory", c.ACMEDirectory != "", "--acme", len(c.ACME) > 0},
		{"--acme-cache", c.ACMECache != "", "--acme", len(c.ACME) > 0},
		{"--acme-ca", c.ACMECA != "", "--acme", len(c.ACME) > 0},
		{"--acme-key-id", c.ACMEKeyID != "", "--acme", len(c.ACME) > 0},
		{"--acme", len(c.ACME) > 0, "--acme-cache", c.ACMECache != ""},
		{"--acme-key-id", c.ACMEKeyID != "", "--acme-key-file", c.ACMEKeyFile != ""},
		{"--acme-key-file", c.ACMEKeyFile != "", "--acme-key-id", c.ACMEKeyID != ""},
		{"--admin-token-file", c.AdminTokenFile != "", "--admin", c.Admin != ""},
		{"--admin-name", len(c.AdminNames) > 0, "--admin", c.Admin != ""},
		{"--ready-dial", c.ReadyDial, "--admin", c.Admin != ""},
		{"--record-limit", c.RecordLimit > 0, "--record", c.Record != ""},
	} {
		if pair.set && !pair.there {
			return usageErrorf("add "+pair.needs, "%s without %s", pair.option, pair.needs)
		}
	}
	return nil
}

// wantsSystemd tells whether sockets are needed that systemd gives to the
// process that it starts, and not to a daemon of that one.
func (c *Config) wantsSystemd() bool {
	return slices.ContainsFunc(append([]string{c.Admin}, c.Listen...), func(address string) bool {
		_, ok := SystemdSocket(address)
		return ok
	})
}

// mayTLS tells whether TLS is spoken to a target, as far as this room knows.
func (c *Config) mayTLS() bool {
	return c.SSLTarget || HasScheme(c.Target) || len(c.Routes) > 0 || len(c.WebSockets) > 0
}

// checkChoices refuses options that contradict each other.
func (c *Config) checkChoices() error {
	for _, pair := range []struct {
		one, other string
		both       bool
	}{
		{"--target-config", "--token-plugin", c.TargetConfig != "" && c.TokenPlugin != ""},
		{"--unix-target", "--token-plugin", c.UnixTarget != "" && (c.TokenPlugin != "" || c.TargetConfig != "")},
		{"--unix-target", "--target", c.UnixTarget != "" && c.Target != ""},
		{"--host-token", "--token-from", c.HostToken && len(c.TokenFrom) > 0},
		{"--key-password", "--key-password-file", c.KeyPassword != "" && c.KeyPasswordFile != ""},
		{"--daemon", "--inetd", c.Daemon && c.Inetd},
		{"--daemon", "systemd's sockets", c.Daemon && c.wantsSystemd()},
		{"--web", "--pages", c.Web != "" && c.Pages},
		{"--target-ca", "--target-insecure", c.TargetCA != "" && c.TargetInsecure},
	} {
		if pair.both {
			return usageErrorf("leave out one of them", "%s and %s cannot both be", pair.one, pair.other)
		}
	}
	return nil
}

// EndsOnReload tells whether live sessions are ended that newly read rules
// refuse, and after how long.
func (c *Config) EndsOnReload() (grace time.Duration, ends bool) {
	text, isGrace := strings.CutPrefix(c.OnReload, "grace=")
	if isGrace {
		grace, _ = parseSeconds(text) // checkOnReload has read it
	}
	return grace, isGrace || c.OnReload == "kill"
}

func (c *Config) checkOnReload() error {
	text, isGrace := strings.CutPrefix(c.OnReload, "grace=")
	if isGrace {
		if _, err := parseSeconds(text); err != nil {
			return usageErrorf(err.Hint, "--on-reload: %s", err.Msg)
		}
		return nil
	}
	if c.OnReload != "keep" && c.OnReload != "kill" && c.OnReload != "" {
		return usageErrorf("write keep, kill or grace=5m", "--on-reload: %q is none of keep, kill and grace=TIME", c.OnReload)
	}
	return nil
}
