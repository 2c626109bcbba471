// Package freeport has ports for tests: for programs that cannot choose one
// themselves, and for addresses where nobody is.
package freeport

import (
	"math/rand/v2"
	"net"
	"strconv"
	"testing"
)

// The ports are none of those that systems give to whoever wants any, to listen or
// to connect: one of them would soon be somebody else's.
const (
	first = 20_000
	last  = 32_767
)

// Port is one of 127.0.0.1 on which nobody listens.
func Port(t testing.TB) string {
	t.Helper()
	for range 1000 {
		port := strconv.Itoa(first + rand.IntN(last-first+1))
		if l, err := net.Listen("tcp", "127.0.0.1:"+port); err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal("no port is free")
	return ""
}

// Address is 127.0.0.1 with such a port.
func Address(t testing.TB) string {
	t.Helper()
	return net.JoinHostPort("127.0.0.1", Port(t))
}
