//go:build unix && !linux

package message

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// send is for a socket that does not wait.
func send(fd uintptr, p []byte) (n int, errno syscall.Errno) {
	n, err := unix.Write(int(fd), p)
	errors.As(err, &errno)
	return n, errno
}
