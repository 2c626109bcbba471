//go:build !windows

package listen

import "syscall"

// What bind(2) answers.
const (
	errInUse      = syscall.EADDRINUSE
	errNotHere    = syscall.EADDRNOTAVAIL
	errNotAllowed = syscall.EACCES
)
