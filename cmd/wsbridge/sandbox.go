package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/wsbridge/wsbridge/config"
	"github.com/wsbridge/wsbridge/sandbox"
)

// shutIn leaves the process no files but those that its options name, where the
// kernel can. Programs of the user's would be shut in with us: then it does not.
func (s *service) shutIn() (err error) {
	c := s.config
	if c.Sandbox == "off" || startsPrograms(c) {
		return nil
	}
	if s.shut, err = filesOf(c).Enter(); err != nil {
		return &failure{&config.UsageError{Msg: err.Error(), Hint: "--sandbox off goes without"}}
	}
	s.log.Debug("sandbox", "active", s.shut)
	return nil
}

func startsPrograms(c *config.Config) bool {
	calls := func(plugin string) bool { return plugin == "exec" || strings.HasPrefix(plugin, "exec:") }
	return len(c.Command) > 0 || calls(c.TokenPlugin) || calls(c.AuthPlugin)
}

// filesOf is what c names, to be read and written now and after reloads.
func filesOf(c *config.Config) sandbox.Sandbox {
	read := append([]string{
		c.Key, c.KeyPasswordFile, c.CAFile, c.TargetCA, c.TargetCert, c.TargetKey, c.AdminTokenFile,
		c.ACMECA, c.ACMEKeyFile, c.Web, c.TargetConfig, os.Getenv("SSL_CERT_FILE"), os.Getenv("SSL_CERT_DIR"),
	}, c.Files()...)
	if _, err := os.Stat(c.Cert); err == nil || c.Origin("cert").Source != config.Default {
		read = append(read, c.Cert) // else the folder we were started in would be left, for nothing
	}
	read = append(read, pathsIn(c.TokenSource)...)
	read = append(read, pathsIn(c.AuthSource)...)
	write := []string{c.LogFile, c.PIDFile, c.UnixListen, c.ACMECache, strings.TrimPrefix(c.Admin, "unix:")}
	if c.Record != "" {
		write = append(write, filepath.Dir(c.Record)+"/recording")
	}
	for _, route := range c.Routes {
		read = append(read, route.TargetCA, route.TargetCert, route.TargetKey)
		for _, step := range append(route.In[:len(route.In):len(route.In)], route.Out...) {
			_, file, _ := strings.Cut(step, ":")
			read = append(read, pathsIn(file)...)
		}
		if sink, ok := strings.CutPrefix(route.Target, filePrefix); ok {
			write = append(write, sink)
		}
	}
	if !strings.HasPrefix(c.Admin, "unix:") {
		write = without(write, c.Admin)
	}
	self, _ := os.Executable() // for an upgrade, which says what is missing
	return sandbox.Sandbox{Read: without(read, ""), Write: without(write, ""), Run: without([]string{self}, "")}
}

// pathsIn is the files that a source names, whatever else is in it.
func pathsIn(source string) (paths []string) {
	source, _, _ = strings.Cut(source, "#")
	for _, word := range append(strings.FieldsFunc(source, func(r rune) bool { return r == ',' || r == ' ' }), source) {
		word = cmp.Or(strings.TrimPrefix(word, "raw:"), word)
		if _, err := os.Stat(word); err == nil {
			paths = append(paths, word)
		}
	}
	return paths
}

func without(all []string, what string) (rest []string) {
	for _, s := range all {
		if s != what && s != "" {
			rest = append(rest, s)
		}
	}
	return rest
}

// explainShut adds what the system does not say: a file may be there and
// readable, and yet not for us.
func (s *service) explainShut(err error) error {
	if !s.shut || !errors.Is(err, fs.ErrPermission) && !strings.Contains(err.Error(), "permission denied") {
		return err
	}
	return fmt.Errorf("%w (since the start only the folders are left that were named then: restart, or --sandbox off)", err)
}
