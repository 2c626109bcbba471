//go:build unix && !linux

package listen

import "golang.org/x/sys/unix"

// replace makes descriptor fd another name of from.
func replace(from, fd int) error { return unix.Dup2(from, fd) }
