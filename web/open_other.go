//go:build !unix

package web

// openFlags: no FIFO has a name in a directory here.
const openFlags = 0
