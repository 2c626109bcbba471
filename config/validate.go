package config

import (
	"errors"
	"io/fs"
	"os"
	"strings"
)

// Validate checks options against each other and against the files they name.
// The error is a *UsageError.
func (c *Config) Validate() error {
	for _, check := range []func() error{c.checkTLS, c.checkWeb, c.checkSubprotocol} {
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
	if !c.SSLOnly {
		return nil
	}
	if c.Cert == "" {
		return usageErrorf("add --cert F", "--ssl-only without a certificate")
	}
	if _, err := os.Stat(c.Cert); errors.Is(err, fs.ErrNotExist) {
		return usageErrorf("name an existing PEM file with --cert F", "--ssl-only: certificate %s not found", c.Cert)
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
			return usageErrorf("", "--subprotocol: %q has a character that no header field may hold", name)
		}
	}
	return nil
}
