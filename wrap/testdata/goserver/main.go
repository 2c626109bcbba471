// Command goserver answers HTTP on the network and address of its arguments.
package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
)

func main() {
	l, err := net.Listen(os.Args[1], os.Args[2])
	if err == nil {
		err = http.Serve(l, http.NotFoundHandler())
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
