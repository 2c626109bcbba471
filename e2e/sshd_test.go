//go:build linux

package e2e

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/wsbridge/wsbridge/internal/freeport"
)

// TestSSHBanner: whoever opens a session in front of an SSH server reads its
// banner at once.
func TestSSHBanner(t *testing.T) {
	b := serve(t, startSSHD(t).address)
	connect(t, b.url("ws")).await(`SSH-2\.0-OpenSSH`)
}

// TestSCP: real scp carries 100 MB to a server behind the bridge and back,
// over plain WebSocket and over TLS.
func TestSCP(t *testing.T) {
	for _, scheme := range []string{"ws", "wss"} {
		t.Run(scheme, func(t *testing.T) {
			need(t, "scp", "node", modules, "openssl")
			server, dir := startSSHD(t), t.TempDir()
			b := serve(t, server.address, certify(t, dir, "bridge").options()...)
			sent := noise(100 << 20)
			here := write(t, dir, "here", sent)
			there, back := filepath.Join(dir, "there"), filepath.Join(dir, "back")

			server.scp(t, b.url(scheme), here, "bridge:"+there)
			same(t, there, sent)
			server.scp(t, b.url(scheme), "bridge:"+there, back)
			same(t, back, sent)
		})
	}
}

// same compares a file with what it should be, by SHA-256.
func same(t *testing.T, path string, want []byte) {
	t.Helper()
	got := read(t, path)
	if a, b := sha256.Sum256(got), sha256.Sum256(want); a != b {
		t.Errorf("%s: %d bytes of SHA-256 %x; sent were %d of %x", path, len(got), a, len(want), b)
	}
}

// sshd is a running OpenSSH server with keys of its own.
type sshd struct {
	address string
	dir     string
}

const sshdConfig = `
ListenAddress %[2]s
HostKey %[1]s/host
AuthorizedKeysFile %[1]s/user.pub
PermitRootLogin prohibit-password
PasswordAuthentication no
StrictModes no
UsePAM no
PidFile none
Subsystem sftp internal-sftp
`

func startSSHD(t *testing.T) sshd {
	t.Helper()
	need(t, "/usr/sbin/sshd", "ssh-keygen")
	s := sshd{freeport.Address(t), t.TempDir()}
	if os.Getuid() == 0 { // root's sshd wants a folder that its service would have made
		os.MkdirAll("/run/sshd", 0o755)
	}
	for _, key := range []string{"host", "user"} {
		start(t, nil, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(s.dir, key)).succeed()
	}
	config := write(t, s.dir, "config", fmt.Appendf(nil, sshdConfig, s.dir, s.address))
	start(t, nil, "/usr/sbin/sshd", "-D", "-e", "-f", config).await(`Server listening`)
	return s
}

// scp copies through the bridge at url; the host's name in from or to is "bridge".
func (s sshd) scp(t *testing.T, url, from, to string) {
	t.Helper()
	known := write(t, s.dir, "known", []byte("bridge "+string(read(t, filepath.Join(s.dir, "host.pub")))))
	options := []string{
		"-B", "-q", "-F", "none", "-i", filepath.Join(s.dir, "user"),
		"-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none",
		"-o", "UserKnownHostsFile=" + known, "-o", "StrictHostKeyChecking=yes",
		"-o", "ProxyCommand=node stdio.mjs " + url,
	}
	start(t, nil, "scp", append(options, from, to)...).succeed()
}
