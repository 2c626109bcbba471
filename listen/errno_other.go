//go:build !windows

package listen

import "syscall"

// What bind(2) and connect(2) answer.
const (
	errInUse      = syscall.EADDRINUSE
	errNotHere    = syscall.EADDRNOTAVAIL
	errNotAllowed = syscall.EACCES
	errRefused    = syscall.ECONNREFUSED
)
