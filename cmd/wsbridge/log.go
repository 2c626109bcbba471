package main

import (
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/wsbridge/wsbridge/config"
	"github.com/wsbridge/wsbridge/logs"
	"github.com/wsbridge/wsbridge/memory"
)

// openLog opens all the places the log goes to. The caller closes it.
func openLog(c *config.Config, stderr io.Writer) (*logs.Output, error) {
	options := logs.Options{Stderr: stderr, JSON: c.LogFormat == "json", File: c.LogFile, Legacy: c.OldSyslog, Daemon: c.Daemon}
	options.Level = logLevel(c)
	if c.Syslog != "" {
		address, err := logs.ParseAddress(c.Syslog)
		if err != nil {
			return nil, &config.UsageError{Msg: "--syslog: " + err.Error()}
		}
		options.Syslog = address
	}
	out, err := logs.Open(options)
	return out, startError(err)
}

func logLevel(c *config.Config) slog.Level {
	if c.Verbose {
		return slog.LevelDebug
	}
	return slog.LevelInfo
}

// summary is what the start says about itself. Tools look for websockify's
// words in it to learn that the bridge is up, and where.
type summary struct {
	listen      []string // with the ports the system picked
	listenLines []string // websockify's words for the same
	pages       bool     // the built-in ones
	admin       string   // empty: none
	target      string
	routes      []string // besides the target: "/chat to ws://..."
	web         string   // empty: no files
	fileOnly    bool
	tls         bool
	tlsOnly     bool
	daemon      bool
	record      string // empty: nothing is recorded
	memory      memory.Limit
}

func (s summary) lines() []string {
	lines := append([]string{"WebSocket server settings:"}, s.listenLines...)
	if s.web != "" && s.fileOnly {
		lines = append(lines, "  - Web server (no directory listings). Web root: "+s.web)
	} else if s.web != "" {
		lines = append(lines, "  - Web server. Web root: "+s.web)
	}
	if s.pages {
		lines = append(lines, "  - Built-in pages")
	}
	if s.tls {
		lines = append(lines, "  - SSL/TLS support")
	} else {
		lines = append(lines, "  - No SSL/TLS support (no cert file)")
	}
	if s.tlsOnly {
		lines = append(lines, "  - Deny non-SSL/TLS connections")
	}
	if s.daemon {
		lines = append(lines, "  - Backgrounding (daemon)")
	}
	if s.record != "" {
		lines = append(lines, "  - Recording to '"+s.record+".*'")
	}
	if s.memory.Bytes > 0 {
		lines = append(lines, memoryLine(s.memory))
	}
	if s.admin != "" {
		lines = append(lines, "  - Administration on "+s.admin)
	}
	for _, route := range s.routes {
		lines = append(lines, "  - Route "+route)
	}
	for _, address := range s.listen {
		lines = append(lines, fmt.Sprintf("  - proxying from %s to %s", address, s.target))
	}
	return lines
}

// status is one line for systemctl status.
func (s summary) status() string {
	return fmt.Sprintf("proxying from %s to %s", strings.Join(s.listen, ", "), s.target)
}

// print writes the lines to w, or in a JSON log one record. A log that goes to
// more places than w gets a record for each line.
func (s summary) print(w io.Writer, c *config.Config, log *slog.Logger) {
	switch {
	case c.LogFormat == "json":
		log.Info("listening", "listen", s.listen, "target", s.target, "routes", s.routes, "web", s.web,
			"listings", s.web != "" && !s.fileOnly, "pages", s.pages, "admin", s.admin, "tls", s.tls, "tls_only", s.tlsOnly, "record", s.record,
			"memory_limit", s.memory.Bytes)
	case c.LogFile != "" || c.Syslog != "":
		for _, line := range s.lines() {
			log.Info(line)
		}
	default:
		fmt.Fprintln(w, strings.Join(s.lines(), "\n"))
	}
}
