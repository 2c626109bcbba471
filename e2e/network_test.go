//go:build linux

package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// A network is one of its own, with no way out but what is put into it. It is gone
// when the test has closed it and nobody is left inside; a test that is killed
// leaves none behind, for it has no name.
type network struct {
	t  *testing.T
	ns *os.File
}

func newNetwork(t *testing.T) *network {
	t.Helper()
	needRoot(t)
	n := &network{t: t}
	var err error
	onThreadOfItsOwn(func() {
		if err = unix.Unshare(unix.CLONE_NEWNET); err == nil {
			n.ns, err = os.Open("/proc/thread-self/ns/net")
		}
	})
	if err != nil {
		t.Fatalf("a network of its own: %v", err)
	}
	t.Cleanup(func() { n.ns.Close() })
	n.ip("link", "set", "lo", "up")
	return n
}

// onThreadOfItsOwn runs a job on a thread that nobody gets afterwards.
func onThreadOfItsOwn(job func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		job()
	}()
	<-done
}

// within runs a job inside: the sockets that it opens and the programs that it
// starts are there, and goroutines that it starts are not.
func (n *network) within(job func() error) error {
	var err error
	onThreadOfItsOwn(func() {
		if err = unix.Setns(int(n.ns.Fd()), unix.CLONE_NEWNET); err == nil {
			err = job()
		}
	})
	return err
}

func (n *network) ip(args ...string) {
	n.t.Helper()
	var said []byte
	err := n.within(func() (err error) {
		said, err = exec.Command("ip", args...).CombinedOutput()
		return err
	})
	if err != nil {
		n.t.Fatalf("ip %v: %v: %s", args, err, said)
	}
}

// dial connects from inside to a numeric address.
func (n *network) dial(address string) (conn net.Conn, err error) {
	err = n.within(func() (err error) {
		conn, err = net.DialTimeout("tcp", address, patience)
		return err
	})
	return conn, err
}

// target is target of support_test.go, inside, at a host of its own.
func (n *network) target(host string, talk func(net.Conn)) string {
	n.t.Helper()
	var l net.Listener
	err := n.within(func() (err error) {
		l, err = net.Listen("tcp", net.JoinHostPort(host, "0"))
		return err
	})
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { l.Close() })
	go acceptAll(l, talk)
	return l.Addr().String()
}

// serve starts a wsbridge inside that listens at host.
func (n *network) serve(host, target string, options ...string) (p *process, address string) {
	n.t.Helper()
	inside := fmt.Sprintf("--net=/proc/%d/fd/%d", os.Getpid(), n.ns.Fd())
	args := append([]string{inside, os.Getenv("E2E_WSBRIDGE")}, options...)
	p = start(n.t, nil, "nsenter", append(args, net.JoinHostPort(host, "0"), target)...)
	n.t.Cleanup(p.sound)
	return p, p.await(`Listen on (\d+\.\d+\.\d+\.\d+:[1-9]\d*)`)[1]
}
