// Package loop watches sockets: one goroutine waits for all of them (epoll) and
// calls the owner of each that is ready, so that a socket on which nothing
// happens has no goroutine and no buffer. It exists on Linux only; elsewhere
// the package is empty.
package loop
