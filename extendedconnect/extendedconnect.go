// Package extendedconnect has net/http offer extended CONNECT (RFC 8441), which
// carries WebSockets over HTTP/2. Importing it is enough.
//
// net/http offers it only if the environment's GODEBUG holds http2xconnect=1
// when its init runs, and has no other switch (golang.org/issue/53208). A
// package is initialised as soon as all it imports is, the first by import path
// first; this one imports os alone, and its path sorts before net/http.
package extendedconnect

import "os"

const setting = "http2xconnect="

// before is GODEBUG as it was, and whether it was there; touched: it was changed.
var before, wasSet, touched = enter()

// enter leaves a GODEBUG alone that decides on the matter already.
func enter() (before string, wasSet, touched bool) {
	before, wasSet = os.LookupEnv("GODEBUG")
	if decides(before) {
		return before, wasSet, false
	}
	value := setting + "1"
	if before != "" {
		value = before + "," + value
	}
	return before, wasSet, os.Setenv("GODEBUG", value) == nil
}

func decides(godebug string) bool {
	for i := 0; i+len(setting) <= len(godebug); i++ {
		if godebug[i:i+len(setting)] == setting {
			return true
		}
	}
	return false
}

// Restore gives the environment its own GODEBUG back, for the programs that are
// started from here. main calls it first.
func Restore() {
	switch {
	case !touched:
	case wasSet:
		os.Setenv("GODEBUG", before)
	default:
		os.Unsetenv("GODEBUG")
	}
}
