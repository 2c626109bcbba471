// Package packaging_test holds what is shipped beside the binary against the
// binary: configurations are read by its own parser, and numbers that have to
// agree in several files do.
package packaging_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wsbridge/wsbridge/config"
)

// TestDefault: the configuration that packages install is one.
func TestDefault(t *testing.T) {
	c := parse(t, "wsbridge.yaml")
	if diff := cmp.Diff([]string{"127.0.0.1:6080"}, c.Listen); diff != "" {
		t.Errorf("it listens elsewhere (-want +got):\n%s", diff)
	}
}

// TestStop: systemd and OpenRC wait longer than the bridge drains.
func TestStop(t *testing.T) {
	drain := parse(t, "wsbridge.yaml").DrainTimeout
	for file, form := range map[string]string{
		"systemd/wsbridge.service": `(?m)^TimeoutStopSec=(\d+)$`,
		"openrc/wsbridge":          `(?m)^retry=TERM/(\d+)/KILL/5$`,
	} {
		if wait := seconds(t, file, form); wait < drain+10*time.Second {
			t.Errorf("%s waits %v for a drain of %v", file, wait, drain)
		}
	}
}

// TestInstances: wsbridge@.service is wsbridge.service but for the names that
// differ between two of them, and some words.
func TestInstances(t *testing.T) {
	one, many := settings(t, "systemd/wsbridge.service"), settings(t, "systemd/wsbridge@.service")
	for i, line := range one {
		line = strings.Replace(line, "/etc/wsbridge/wsbridge.yaml", "/etc/wsbridge/%i.yaml", 1)
		line = regexp.MustCompile(`^((?:Runtime|State)Directory=wsbridge|WorkingDirectory=/var/lib/wsbridge)$`).ReplaceAllString(line, "$1/%i")
		one[i] = strings.Replace(line, "Description=WebSocket to TCP bridge", "Description=WebSocket to TCP bridge %i", 1)
	}
	if diff := cmp.Diff(one, many); diff != "" {
		t.Errorf("the units differ (-one +many):\n%s", diff)
	}
}

// TestReasons: every setting of the units has a comment above it, or above the
// settings it stands with.
func TestReasons(t *testing.T) {
	units, err := filepath.Glob("systemd/*")
	if err != nil || len(units) < 6 {
		t.Fatalf("units: %q, %v", units, err)
	}
	free := regexp.MustCompile(`^(Description|Documentation|ExecStart|WantedBy)=`)
	for _, unit := range units {
		reason := false
		for i, line := range strings.Split(read(t, unit), "\n") {
			switch {
			case strings.HasPrefix(line, "# "):
				reason = true
			case line == "" || strings.HasPrefix(line, "["):
				reason = false
			case !reason && !free.MatchString(line):
				t.Errorf("%s:%d: %s has no comment", unit, i+1, line)
			}
		}
	}
}

// settings are a unit's lines but for comments.
func settings(t *testing.T, unit string) (lines []string) {
	t.Helper()
	for _, line := range strings.Split(read(t, unit), "\n") {
		if line != "" && !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	return lines
}

func seconds(t *testing.T, file, form string) time.Duration {
	t.Helper()
	found := regexp.MustCompile(form).FindStringSubmatch(read(t, file))
	if found == nil {
		t.Fatalf("%s has no line like %s", file, form)
	}
	n, err := strconv.Atoi(found[1])
	if err != nil {
		t.Fatal(err)
	}
	return time.Duration(n) * time.Second
}

// parse reads a configuration as the program does.
func parse(t *testing.T, file string) *config.Config {
	t.Helper()
	c, err := config.Parse([]string{"--config", file}, nil, nil)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return c
}

func read(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
