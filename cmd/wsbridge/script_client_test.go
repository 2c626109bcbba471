package main

import (
	"io"
	"net"

	"github.com/rogpeppe/go-internal/testscript"
)

// welcome NAME TEXT: a target says TEXT to whoever comes, and leaves when they
// do. $NAME is its address.
func welcome(ts *testscript.TestScript, _ bool, args []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { l.Close() })
	ts.Setenv(args[0], l.Addr().String())
	go welcomeAll(l, args[1])
}

func welcomeAll(l net.Listener, text string) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			io.WriteString(c, text)
			io.Copy(io.Discard, c)
		}()
	}
}
