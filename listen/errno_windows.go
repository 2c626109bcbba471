package listen

import "golang.org/x/sys/windows"

// What bind(2) and connect(2) answer; the names of package syscall are not Winsock's.
const (
	errInUse      = windows.WSAEADDRINUSE
	errNotHere    = windows.WSAEADDRNOTAVAIL
	errNotAllowed = windows.WSAEACCES
	errRefused    = windows.WSAECONNREFUSED
)
