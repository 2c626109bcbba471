package main

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// servetls NAME TEXT CERT [CA]: as serve, over TLS. With CA a client must show
// a certificate of its.
func serveTLS(ts *testscript.TestScript, _ bool, args []string) {
	pair, err := tls.LoadX509KeyPair(ts.MkAbs(args[2]), ts.MkAbs(args[2]))
	ts.Check(err)
	config := &tls.Config{Certificates: []tls.Certificate{pair}}
	if len(args) > 3 {
		config.ClientAuth, config.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
		config.ClientCAs.AppendCertsFromPEM([]byte(ts.ReadFile(args[3])))
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", config)
	ts.Check(err)
	hold(ts, l, args[1])
	ts.Setenv(args[0], l.Addr().String())
}

// stall ADDRESS: a client sends one byte and no more, to the script's end.
func stall(ts *testscript.TestScript, _ bool, args []string) {
	conn, err := net.DialTimeout("tcp", args[0], patience)
	ts.Check(err)
	ts.Defer(func() { conn.Close() })
	_, err = io.WriteString(conn, "G")
	ts.Check(err)
}

// deserted ADDRESS: soon nobody listens there any more.
func deserted(ts *testscript.TestScript, _ bool, args []string) {
	for late := time.Now().Add(patience); time.Now().Before(late); time.Sleep(10 * time.Millisecond) {
		conn, err := net.DialTimeout("tcp", args[0], patience)
		if err != nil {
			return
		}
		conn.Close()
	}
	ts.Fatalf("%s still listens", args[0])
}

// stale PATH: a unix socket that nobody listens on any more.
func stale(ts *testscript.TestScript, _ bool, args []string) {
	l, err := net.Listen("unix", ts.MkAbs(args[0]))
	ts.Check(err)
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	ts.Check(l.Close())
}

// inetd ARG...: wsbridge runs, with standard input that listens at $PORT.
func inetd(ts *testscript.TestScript, _ bool, args []string) {
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	ts.Check(err)
	defer l.Close()
	socket, err := l.File()
	ts.Check(err)
	launch(ts, socket, args)
	ts.Setenv("PORT", strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
}

// nowait STATUS ARG...: wsbridge runs, with standard input that is connected
// to a client which asks for a session; see upgrade.
func nowait(ts *testscript.TestScript, _ bool, args []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	ts.Check(err)
	defer client.Close()
	client.SetDeadline(time.Now().Add(patience))
	server, err := l.Accept()
	ts.Check(err)
	defer server.Close()
	socket, err := server.(*net.TCPConn).File()
	ts.Check(err)
	launch(ts, socket, args[1:])
	status, text, err := askOn(client, "localhost", "", nil)
	ts.Check(err)
	io.WriteString(ts.Stdout(), text)
	if strconv.Itoa(status) != args[0] {
		ts.Fatalf("status %d, want %s", status, args[0])
	}
}

// launch starts wsbridge with this standard input, which it closes here.
func launch(ts *testscript.TestScript, stdin *os.File, args []string) {
	defer stdin.Close()
	p := bridgeOf(ts)
	p.changed, p.exited = make(chan struct{}), make(chan struct{})
	p.text.Reset()
	p.cmd = exec.Command("wsbridge", args...)
	p.cmd.Dir, p.cmd.Stdin, p.cmd.Stderr = ts.MkAbs("."), stdin, p
	ts.Check(p.cmd.Start())
	go reap(p.cmd, p.exited)
	ts.Defer(func() {
		p.cmd.Process.Kill()
		<-p.exited
	})
	p.await(ts, "proxying from")
}
