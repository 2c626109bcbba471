package check

import "syscall"

// What Winsock says; package syscall has names for Unix's alone.
const (
	refused            = syscall.Errno(10061)
	hostUnreachable    = syscall.Errno(10065)
	networkUnreachable = syscall.Errno(10051)
)
