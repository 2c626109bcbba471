package listen

import "golang.org/x/sys/windows"

// What bind(2) answers; the names of package syscall are not Winsock's.
const (
	errInUse      = windows.WSAEADDRINUSE
	errNotHere    = windows.WSAEADDRNOTAVAIL
	errNotAllowed = windows.WSAEACCES
)
