//go:build !linux

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "soak: needs Linux (one of the two pumps it compares is an event loop)")
	os.Exit(1)
}
