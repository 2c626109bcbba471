//go:build linux

package main

import (
	"cmp"
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
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
	mixed  bool // with tls: the loads' clients are plain all the same

	sessions int // to be ready for; 0: what the proxy takes by default
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

// A program is a build of wsbridge: file, or one to be made of this tree as dest.
type program struct{ file, dest string }

func (b *program) prepare(ctx context.Context) error {
	if b.file != "" {
		_, err := os.Stat(b.file)
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, buildTime)
	defer cancel()
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", b.dest, "github.com/wsbridge/wsbridge/cmd/wsbridge")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w: %s", err, lastLines(out))
	}
	b.file = b.dest
	return nil
}

func (b *program) version() string {
	info, err := buildinfo.ReadFile(b.file)
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

// wsbridge is this repository's program.
type wsbridge struct {
	title string
	*program
	scheme string // before the target's address; "fme:" has no address behind it
	pump   string // for --pump; empty: its default
}

func (p *wsbridge) name() string { return p.title }
func (p *wsbridge) framed() bool { return true }
func (p *wsbridge) divisor() int { return 1 }

func (p *wsbridge) argv(s setup) ([]string, error) {
	argv := []string{p.file, s.listen, p.scheme + s.to}
	if s.tls != nil {
		argv = append(argv, "--cert", s.tls.certFile, "--key", s.tls.keyFile)
	}
	if s.sessions > 0 {
		argv = append(argv, "--max-sessions", strconv.Itoa(s.sessions))
	}
	if p.pump != "" {
		argv = append(argv, "--pump", p.pump)
	}
	return argv, nil
}

// haproxy forwards raw TCP: no frames, no log; one thread. With http it forwards
// the request too and tunnels what follows its 101.
type haproxy struct {
	title     string
	splice    bool
	http      bool
	webSocket bool // what it forwards is WebSocket
}

func (p *haproxy) name() string                  { return p.title }
func (p *haproxy) framed() bool                  { return p.webSocket }
func (p *haproxy) divisor() int                  { return 1 }
func (p *haproxy) prepare(context.Context) error { return installed("haproxy") }
func (p *haproxy) version() string               { return firstLine("haproxy", "-v") }

func (p *haproxy) argv(s setup) ([]string, error) {
	file := filepath.Join(s.dir, "haproxy.cfg")
	err := os.WriteFile(file, []byte(p.config(s)), 0o600)
	return []string{"haproxy", "-db", "-q", "-f", file}, err
}

// config has the cheaper of the TLS 1.3 ciphers, the one Go's server takes too.
func (p *haproxy) config(s setup) string {
	mode, option, crypto := "  mode tcp\n", "", ""
	if p.http {
		mode = "  mode http\n  timeout tunnel 10m\n"
	}
	if p.splice {
		option = "  option splice-auto\n"
	}
	if s.tls != nil {
		crypto = " ssl crt " + s.tls.bothFile + " ciphersuites TLS_AES_128_GCM_SHA256"
	}
	return fmt.Sprintf("global\n  nbthread 1\n  maxconn %d\n", cmp.Or(s.sessions, 4000)) +
		"defaults\n" + mode + "  timeout connect 10s\n  timeout client 10m\n  timeout server 10m\n" + option +
		"listen bench\n  bind " + s.listen + crypto + "\n  server target " + s.to + "\n"
}

// websockify is the Python program whose place wsbridge takes; a process per session.
type websockify struct{ title, file string }

func (p *websockify) name() string                  { return p.title }
func (p *websockify) framed() bool                  { return true }
func (p *websockify) divisor() int                  { return 10 }
func (p *websockify) prepare(context.Context) error { return installed(p.file) }

// version is the package's, or what a program from elsewhere says of itself.
func (p *websockify) version() string {
	if p.file != "websockify" {
		return cmp.Or(firstLine(p.file, "--version"), "unknown")
	}
	return cmp.Or(firstLine("dpkg-query", "-W", "-f", "${Version}\n", "websockify"), "unknown")
}

func (p *websockify) argv(s setup) ([]string, error) {
	argv := []string{p.file, s.listen, s.to}
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
