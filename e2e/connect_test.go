//go:build linux

package e2e

import (
	"bytes"
	"crypto/sha256"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/wsbridge/wsbridge/internal/freeport"
)

// TestSSHThroughConnect: ssh reaches a server behind a bridge by ProxyCommand,
// runs a command there, and brings 20 MB through it and back.
func TestSSHThroughConnect(t *testing.T) {
	for _, scheme := range []string{"ws", "wss"} {
		t.Run(scheme, func(t *testing.T) {
			need(t, "ssh", "openssl")
			server, cert := startSSHD(t), certify(t, t.TempDir(), "bridge")
			b := serve(t, server.address, cert.options()...)
			proxy := os.Getenv("E2E_WSBRIDGE") + " connect --ca " + cert.cert + " " + b.url(scheme)

			sent, got := noise(20<<20), new(bytes.Buffer)
			session := func(c *exec.Cmd) { c.Stdin, c.Stdout = bytes.NewReader(sent), got }
			start(t, session, "ssh", server.options(t, proxy, "bridge", "cat")...).succeed()
			if sha256.Sum256(got.Bytes()) != sha256.Sum256(sent) {
				t.Errorf("%d bytes came back of %d, or others", got.Len(), len(sent))
			}
			if code := start(t, nil, "ssh", server.options(t, proxy, "bridge", "exit 7")...).wait(); code != 7 {
				t.Errorf("the command's status 7 arrived as %d", code)
			}
		})
	}
}

// options let ssh log in over a ProxyCommand, and run a command.
func (s sshd) options(t *testing.T, proxy string, more ...string) []string {
	t.Helper()
	known := write(t, s.dir, "known", []byte("bridge "+string(read(t, filepath.Join(s.dir, "host.pub")))))
	return append([]string{
		"-F", "none", "-i", filepath.Join(s.dir, "user"),
		"-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none",
		"-o", "UserKnownHostsFile=" + known, "-o", "StrictHostKeyChecking=yes",
		"-o", "ProxyCommand=" + proxy,
	}, more...)
}

// TestConnectListen: a program that knows only TCP sends 100 MB through a local
// port, over a bridge, to a server, and gets them back.
func TestConnectListen(t *testing.T) {
	need(t, "openssl")
	cert := certify(t, t.TempDir(), "bridge")
	b := serve(t, target(t, echo), cert.options()...)
	front := start(t, nil, os.Getenv("E2E_WSBRIDGE"), "connect", "--listen", "0", "--ca", cert.cert, b.url("wss"))
	t.Cleanup(front.sound)
	address := front.await(`Listen on (127\.0\.0\.1:\d+) for wss://127\.0\.0\.1:`)[1]

	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	sent, got := noise(100<<20), sha256.New()
	go func() {
		c.Write(sent)
		c.(*net.TCPConn).CloseWrite()
	}()
	n, err := io.Copy(got, c)
	if want := sha256.Sum256(sent); err != nil || !bytes.Equal(got.Sum(nil), want[:]) {
		t.Errorf("%d bytes came back of %d, or others: %v", n, len(sent), err)
	}
	front.signal(syscall.SIGTERM)
	front.succeed()
}

// TestConnectFails: what ssh's user sees, and what a script can tell apart.
func TestConnectFails(t *testing.T) {
	need(t, "openssl")
	cert := certify(t, t.TempDir(), "bridge")
	b := serve(t, target(t, echo), cert.options()...)
	status, said := wsbridge(t, "connect", b.url("wss"))
	if want := "hint: wsbridge check " + b.url("wss") + " tells more\n"; status != 6 || !bytes.HasSuffix([]byte(said), []byte(want)) {
		t.Errorf("status %d, want 6 and %q", status, want)
	}
	away := "ws://127.0.0.1:" + freeport.Port(t) + "/"
	if status, _ := wsbridge(t, "connect", away); status != 4 {
		t.Errorf("status %d, want 4", status)
	}
	gone := serve(t, freeport.Address(t), "--cert", "")
	if status, said := wsbridge(t, "connect", gone.url("ws")); status != 8 {
		t.Errorf("status %d, want 8:\n%s", status, said)
	}
}
