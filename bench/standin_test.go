//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/gobwas/ws"
	"go.uber.org/goleak"
)

// TestMain runs the test binary as a stand-in proxy, or as an attacker, when a test
// started it as one.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == attackWord {
		os.Exit(attacker(os.Args[2:], os.Stdin, os.Stdout, os.Stderr))
	}
	if len(os.Args) > 1 && os.Args[1] == "-standin" {
		fmt.Fprintln(os.Stderr, serveStandIn(os.Args[2:]))
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

// A standIn is a proxy of a few lines, on another WebSocket implementation than the
// loads have, so that the bench is tested where nothing is installed.
type standIn struct{ kind string }

func (p *standIn) name() string                  { return "stand-in " + p.kind }
func (p *standIn) framed() bool                  { return p.kind == "framed" }
func (p *standIn) divisor() int                  { return 1 }
func (p *standIn) prepare(context.Context) error { return nil }
func (p *standIn) version() string               { return "test" }

func (p *standIn) argv(s setup) ([]string, error) {
	self, err := os.Executable()
	argv := []string{self, "-standin", p.kind, s.listen, s.to}
	if s.tls != nil {
		argv = append(argv, s.tls.certFile, s.tls.keyFile)
	}
	return argv, err
}

// serveStandIn is the stand-in's process; args are kind, listen, target and, for TLS,
// two files. The kind "dead" ends at once.
func serveStandIn(args []string) error {
	kind, listen, target := args[0], args[1], args[2]
	if kind == "dead" {
		return errors.New("out of order")
	}
	ln, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	if len(args) == 5 {
		cert, err := tls.LoadX509KeyPair(args[3], args[4])
		if err != nil {
			return err
		}
		ln = tls.NewListener(ln, &tls.Config{Certificates: []tls.Certificate{cert}})
	}
	for {
		client, err := ln.Accept()
		if err != nil {
			return err
		}
		go serveStandInClient(client, kind, target)
	}
}

func serveStandInClient(client net.Conn, kind, address string) {
	defer client.Close()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	target := conn.(*net.TCPConn)
	defer target.Close()
	if kind == "framed" {
		carryFrames(client, target)
		return
	}
	go func() {
		defer target.CloseWrite()
		io.Copy(target, client)
	}()
	if kind == "lying" {
		io.Copy(liar{client}, target)
		return
	}
	io.Copy(client, target)
}

// carryFrames ends when the client says Close or either side is gone.
func carryFrames(client net.Conn, target *net.TCPConn) {
	upgrader := ws.Upgrader{Protocol: func([]byte) bool { return true }}
	if _, err := upgrader.Upgrade(client); err != nil {
		return
	}
	go func() {
		defer client.Close()
		buf := make([]byte, 50_000)
		for {
			n, err := target.Read(buf)
			if err != nil {
				return
			}
			ws.WriteFrame(client, ws.NewBinaryFrame(buf[:n]))
		}
	}()
	r := bufio.NewReader(client)
	for {
		f, err := readFrame(r)
		if err != nil || f.Header.OpCode == ws.OpClose {
			return
		}
		target.Write(ws.UnmaskFrameInPlace(f).Payload)
	}
}

// readFrame reads a frame of the tests' own peers, whose lengths are trusted.
func readFrame(r io.Reader) (f ws.Frame, err error) {
	if f.Header, err = ws.ReadHeader(r); err != nil {
		return f, err
	}
	f.Payload = make([]byte, f.Header.Length)
	_, err = io.ReadFull(r, f.Payload)
	return f, err
}

// A liar changes the last byte of every write.
type liar struct{ io.Writer }

func (l liar) Write(b []byte) (int, error) {
	b = bytes.Clone(b)
	b[len(b)-1]++
	return l.Writer.Write(b)
}

// testPlan is a quick plan.
func testPlan(t *testing.T) plan {
	t.Helper()
	dir := t.TempDir()
	crypto, err := newCertificate(dir)
	if err != nil {
		t.Fatal(err)
	}
	return plan{rounds: 1, amounts: quickAmounts(), dir: dir, progress: io.Discard, crypto: crypto}
}

// streams is the first section, for these proxies, with a target of its own.
func streams(t *testing.T, proxies ...proxy) section {
	t.Helper()
	s := section{title: "plain", loads: allLoads()}
	for _, p := range proxies {
		s.columns = append(s.columns, column{p.name(), p})
	}
	serveSections(t, []section{s}, func(all []section) { s = all[0] })
	return s
}

// serveSections gives the sections their targets until the test ends.
func serveSections(t *testing.T, all []section, then func([]section)) {
	t.Helper()
	stop, err := serveTargets(all)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	then(all)
}

// measured is the table of s.
func measured(t *testing.T, p plan, s section) *table {
	t.Helper()
	got, err := p.measure(context.Background(), s)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// realSections are those of the command line without a flag, with the proxies of the
// machine; with CI=true none may be missing.
func realSections(t *testing.T) []section {
	t.Helper()
	built := &program{dest: filepath.Join(t.TempDir(), "wsbridge")}
	all := options{}.sections(built, quickAmounts())
	if missing := prepare(context.Background(), all); missing != "" {
		if os.Getenv("CI") == "true" {
			t.Error(missing)
		}
		t.Log(missing)
	}
	return all
}
