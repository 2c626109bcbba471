//go:build linux

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wsbridge/wsbridge/internal/freeport"
)

// guided is a certificate as sites have it that follow the guide for FME: a key
// of RSA 4096 bits, signed by an authority of their own.
func guided(t *testing.T, dir string) (c certificate, authority string) {
	t.Helper()
	ca := certificate{filepath.Join(dir, "c2.crt"), filepath.Join(dir, "c2.key")}
	c = certificate{filepath.Join(dir, "core.crt"), filepath.Join(dir, "core.key")}
	openssl(t, "req", "-x509", "-newkey", "rsa:4096", "-nodes", "-days", "365", "-subj", "/CN=c2", "-keyout", ca.key, "-out", ca.cert)
	openssl(t, "req", "-newkey", "rsa:4096", "-nodes", "-subj", "/C=NL/O=C2/CN=gsd-fme-core", "-keyout", c.key, "-out", filepath.Join(dir, "core.csr"))
	names := write(t, dir, "names", []byte("subjectAltName=IP:127.0.0.1,DNS:localhost,DNS:gsd-fme-core\n"))
	openssl(t, "x509", "-req", "-in", filepath.Join(dir, "core.csr"), "-CA", ca.cert, "-CAkey", ca.key, "-CAcreateserial",
		"-days", "365", "-extfile", names, "-out", c.cert)
	return c, ca.cert
}

func openssl(t *testing.T, args ...string) {
	t.Helper()
	start(t, nil, "openssl", args...).succeed()
}

// wsbridge runs a command of the binary under test, which ends by itself.
func wsbridge(t *testing.T, args ...string) (status int, said string) {
	t.Helper()
	p := start(t, nil, os.Getenv("E2E_WSBRIDGE"), args...)
	t.Cleanup(p.sound)
	return p.wait(), p.out.String()
}

// TestCheckAgreesWithTheGuide: the guide has a person type a handshake into
// openssl s_client, and call wscat three times. The bridge passes or fails each
// as a server should, and wsbridge check comes to the same verdicts.
func TestCheckAgreesWithTheGuide(t *testing.T) {
	need(t, "openssl", "node", modules, "script")
	cert, authority := guided(t, t.TempDir())
	b := serve(t, target(t, echo), cert.options()...)

	t.Run("openssl", func(t *testing.T) {
		person := converse(t, "openssl", "s_client", "-connect", "localhost:"+b.port, "-CAfile", authority)
		person.await(`No client certificate CA names sent`)
		person.await(`Server public key is 4096 bit`)
		person.await(`Verify return code: 0 \(ok\)`)
		person.say(handshake)
		person.await(`HTTP/1\.1 101 Switching Protocols`)
		person.await(`(?i)Sec-WebSocket-Accept: AEwKHncza7ZXcfBb5yM/aluzmpE=`)
	})
	for _, tt := range []struct {
		name    string
		options []string
		wscat   string
		status  int
		verdict string
	}{
		{"--ca", []string{"--ca", authority}, `Connected`, 0, "Successfully established secure WebSocket connection\nRESULT ok\n"},
		{"-n", []string{"-n"}, `Connected`, 0, "RESULT ok\n"},
		{"nothing", nil, `error: unable to verify the first certificate`, 6, "RESULT FAIL in step trust (exit status 6)\n"},
	} {
		t.Run("wscat "+tt.name, func(t *testing.T) {
			wscat(t, b, tt.options...).await(tt.wscat)
			status, said := wsbridge(t, append([]string{"check", b.url("wss"), "--send", "open sesame", "--expect", "sesame$"}, tt.options...)...)
			if status != tt.status || !strings.HasSuffix(said, tt.verdict) {
				t.Errorf("check ends with %d, want %d and\n%s", status, tt.status, tt.verdict)
			}
		})
	}
}

// TestCheckAndTheGuideSeeTheSameFaults: what each method finds wrong with a
// server, check finds too, and says it before a browser does.
func TestCheckAndTheGuideSeeTheSameFaults(t *testing.T) {
	need(t, "openssl", "node", modules, "script")
	dir := t.TempDir()
	_, authority := guided(t, dir)

	t.Run("plain ws where wss should be", func(t *testing.T) {
		b := serve(t, target(t, echo), "--cert", "")
		person := converse(t, "openssl", "s_client", "-connect", "localhost:"+b.port)
		person.await(`alert handshake failure`)
		status, said := wsbridge(t, "check", b.url("wss"), "--ca", authority)
		if status != 5 || !strings.Contains(said, "the server speaks plain ws on this port: try ws://") {
			t.Errorf("check ends with %d", status)
		}
	})
	t.Run("a name without a SAN", func(t *testing.T) {
		bare := certificate{filepath.Join(dir, "bare.crt"), filepath.Join(dir, "bare.key")}
		openssl(t, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "365", "-subj", "/CN=localhost", "-keyout", bare.key, "-out", bare.cert)
		b := serve(t, target(t, echo), bare.options()...)
		url := "wss://localhost:" + b.port + "/"
		person := converse(t, "script", "--quiet", "--return", "--command",
			strings.Join([]string{modules + "/.bin/wscat", "--no-color", "--connect", url, "--ca", bare.cert}, " "), "/dev/null")
		person.await(`Connected`)
		status, said := wsbridge(t, "check", url, "--ca", bare.cert)
		if status != 6 || !strings.Contains(said, "has no SAN, only CN=localhost: Go and browsers refuse it, Node and openssl s_client accept it") {
			t.Errorf("check ends with %d", status)
		}
	})
	t.Run("another authority, and an end that is near", func(t *testing.T) {
		b := serve(t, target(t, echo), certify(t, dir, "other").options()...)
		other := filepath.Join(dir, "other.crt")
		url := "wss://" + b.address() + "/"
		if status, _ := wsbridge(t, "check", url, "--ca", other, "--strict"); status != 1 { // it ends in two days
			t.Errorf("check ends with %d", status)
		}
		status, said := wsbridge(t, "check", url, "--ca", authority)
		if status != 6 || !strings.Contains(said, "the certificate is self-signed") {
			t.Errorf("check ends with %d", status)
		}
	})
}

// TestCheckKnowsFMEHubs: an FME message hub passes, an echo server does not.
func TestCheckKnowsFMEHubs(t *testing.T) {
	for to, want := range map[string]int{"fme:main": 0, target(t, echo): 9} {
		b := serve(t, to, "--cert", "")
		if status, said := wsbridge(t, "check", b.url("ws")+"websocket", "--fme", "sd_plane", "--fme-admin"); status != want {
			t.Errorf("%s: check ends with %d, want %d:\n%s", to, status, want, said)
		}
	}
}

// TestCheckOfTheAncestor: websockify is well, and takes nothing but binary.
func TestCheckOfTheAncestor(t *testing.T) {
	need(t, "websockify")
	port := freeport.Port(t)
	start(t, nil, "websockify", "127.0.0.1:"+port, target(t, echo))
	eventually(t, "websockify listens", func() bool { return answers("127.0.0.1:" + port) })
	url := "ws://127.0.0.1:" + port + "/"
	for option, want := range map[string]int{"-sbinary": 0, "-q": 8} {
		if status, said := wsbridge(t, "check", url, "--send", "hello", "--expect", "^hello$", option); status != want {
			t.Errorf("%s: check ends with %d, want %d:\n%s", option, status, want, said)
		}
	}
}
