//go:build !windows

package check

import "syscall"

const (
	refused            = syscall.ECONNREFUSED
	hostUnreachable    = syscall.EHOSTUNREACH
	networkUnreachable = syscall.ENETUNREACH
)
