//go:build !unix

package main

import (
	"io"

	"github.com/wsbridge/wsbridge/config"
)

// daemonize would start this program once more in the background, which there
// is no way to do here.
func daemonize(_, _ []string, stderr io.Writer) (exit int) {
	return report(stderr, &config.UsageError{Msg: "--daemon: not on this system", Hint: "let the system's service manager start it"})
}

// readiness is a daemon's line to its starter. There are no daemons here.
type readiness struct{}

// newReadiness is nil: this is the foreground.
func newReadiness([]string) (*readiness, error) { return nil, nil }

// ready has nobody to tell.
func (*readiness) ready() error { return nil }

// pidFile is none here, where no lock tells a live process from a dead one.
type pidFile struct{}

// openPidFile makes no file, which is an error if one is wanted.
func openPidFile(path string) (*pidFile, error) {
	if path == "" {
		return nil, nil
	}
	return nil, &config.UsageError{Msg: "--pid-file: not on this system", Hint: "leave it out"}
}

// remove has nothing to remove.
func (*pidFile) remove() error { return nil }
