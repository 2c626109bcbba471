//go:build unix

package web

import "syscall"

// openFlags keep a FIFO from holding up the one who opens it.
const openFlags = syscall.O_NONBLOCK
