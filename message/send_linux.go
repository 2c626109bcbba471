package message

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// send is for a socket that does not wait. For the system it is less work than
// write, which has a file's position to look after.
func send(fd uintptr, p []byte) (int, syscall.Errno) {
	n, _, errno := unix.Syscall6(unix.SYS_SENDTO, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT, 0, 0)
	return int(n), errno
}
