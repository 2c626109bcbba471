//go:build linux

package main

import (
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// buildTime is how long building wsbridge may take.
const buildTime = 5 * time.Minute

// A setup is what a proxy is started with.
type setup struct {
	dir    string // for generated files
	listen string // host:port to listen on
	to     string // host:port of the target
	tls    *certificate
}

// A proxy is one program that can stand between the loads and the target.
type proxy interface {
	name() string                  // heading of its column
	framed() bool                  // its clients speak WebSocket
	divisor() int                  // how many times less work it is given, for slow ones
	prepare(context.Context) error // find or build the program; an error leaves the column out
	version() string
	argv(setup) ([]string, error)
}

// wsbridge is this repository's program, built anew unless file names a ready one.
type wsbridge struct {
	title string
	file  string
	built string // where a new one is built to
}

func (p *wsbridge) name() string { return p.title }
func (p *wsbridge) framed() bool { return true }
func (p *wsbridge) divisor() int { return 1 }

func (p *wsbridge) prepare(ctx context.Context) error {
	if p.file != "" {
		_, err := os.Stat(p.file)
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, buildTime)
	defer cancel()
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", p.built, "github.com/wsbridge/wsbridge/cmd/wsbridge")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w: %s", err, lastLines(out))
	}
	p.file = p.built
	return nil
}

func (p *wsbridge) version() string {
	info, err := buildinfo.ReadFile(p.file)
	if err != nil {
		return "unknown"
	}
	revision, state := "no revision recorded", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value[:min(12, len(s.Value))]
		case s.Key == "vcs.modified" && s.Value == "true":
			state = ", modified"
		}
	}
	return revision + state + ", " + info.GoVersion
}

func (p *wsbridge) argv(s setup) ([]string, error) {
	argv := []string{p.file, s.listen, s.to}
	if s.tls != nil {
		argv = append(argv, "--cert", s.tls.certFile, "--key", s.tls.keyFile)
	}
	return argv, nil
}

// haproxy forwards raw TCP: no frames, no HTTP, no log. One thread.
type haproxy struct{ splice bool }

func (p *haproxy) framed() bool                  { return false }
func (p *haproxy) divisor() int                  { return 1 }
func (p *haproxy) prepare(context.Context) error { return installed("haproxy") }
func (p *haproxy) version() string               { return firstLine("haproxy", "-v") }

func (p *haproxy) name() string {
	if p.splice {
		return "HAProxy, splice"
	}
	return "HAProxy"
}

func (p *haproxy) argv(s setup) ([]string, error) {
	file := filepath.Join(s.dir, "haproxy.cfg")
	err := os.WriteFile(file, []byte(p.config(s)), 0o600)
	return []string{"haproxy", "-db", "-q", "-f", file}, err
}

// config has the cheaper of the TLS 1.3 ciphers, the one Go's server takes too.
func (p *haproxy) config(s setup) string {
	option, crypto := "", ""
	if p.splice {
		option = "  option splice-auto\n"
	}
	if s.tls != nil {
		crypto = " ssl crt " + s.tls.bothFile + " ciphersuites TLS_AES_128_GCM_SHA256"
	}
	return "global\n  nbthread 1\n  maxconn 4000\n" +
		"defaults\n  mode tcp\n  timeout connect 10s\n  timeout client 10m\n  timeout server 10m\n" + option +
		"listen bench\n  bind " + s.listen + crypto + "\n  server target " + s.to + "\n"
}

// websockify is the Python program whose place wsbridge takes; a process per session.
type websockify struct{}

func (p *websockify) name() string                  { return "websockify" }
func (p *websockify) framed() bool                  { return true }
func (p *websockify) divisor() int                  { return 10 }
func (p *websockify) prepare(context.Context) error { return installed("websockify") }

func (p *websockify) version() string {
	if v := firstLine("dpkg-query", "-W", "-f", "${Version}\n", "websockify"); v != "" {
		return v
	}
	return "unknown"
}

func (p *websockify) argv(s setup) ([]string, error) {
	argv := []string{"websockify", s.listen, s.to}
	if s.tls != nil {
		argv = append(argv, "--cert", s.tls.certFile, "--key", s.tls.keyFile)
	}
	return argv, nil
}

// installed says whether a program is in PATH.
func installed(program string) error {
	if _, err := exec.LookPath(program); err != nil {
		return errors.New("not installed (apt-get install " + program + ")")
	}
	return nil
}

// firstLine is what a program prints first, empty when it fails.
func firstLine(name string, args ...string) string {
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	out, err := exec.CommandContext(ctx, name, args...).Output()
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return strings.TrimSpace(line)
}

// lastLines is the end of a program's complaint, on one line.
func lastLines(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return strings.Join(lines[max(0, len(lines)-3):], "; ")
}
