// Command binder binds an IPv4 socket to the port of its argument, by system
// calls alone, and prints the port that it has then.
package main

import (
	"os"
	"strconv"
	"syscall"
)

func main() {
	port, _ := strconv.Atoi(os.Args[1])
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err == nil {
		err = syscall.Bind(fd, &syscall.SockaddrInet4{Port: port})
	}
	if err != nil {
		println(err.Error())
		os.Exit(1)
	}
	name, _ := syscall.Getsockname(fd)
	os.Stdout.WriteString(strconv.Itoa(name.(*syscall.SockaddrInet4).Port))
}
