package target

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// sServer starts openssl s_server on a port of its own and gives its address.
// Where there is none the test is left out, except in CI.
func sServer(t *testing.T, args ...string) (address string) {
	t.Helper()
	path, err := exec.LookPath("openssl")
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatal(err)
	}
	if err != nil {
		t.Skipf("left out: %v", err)
	}
	server := exec.Command(path, append([]string{"s_server", "-accept", "127.0.0.1:0"}, args...)...)
	out, err := server.StdoutPipe()
	check(t, err)
	check(t, server.Start())
	t.Cleanup(func() {
		server.Process.Kill()
		server.Wait()
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if address, ok := strings.CutPrefix(lines.Text(), "ACCEPT "); ok {
			go io.Copy(io.Discard, out)
			return address
		}
	}
	t.Fatalf("openssl s_server %v says nothing of its port", args)
	return ""
}

// The real OpenSSL, which reverses each line it gets: with tickets, asking for
// a client certificate, and asking in vain.
func TestOpenSSL(t *testing.T) {
	ours := issue(t, "localhost", nil, nextYear())
	cert, key := ours.files(t)
	known, knownKey := issue(t, "client", ours, nextYear()).files(t)
	base := []string{"-cert", cert, "-key", key, "-rev"}
	verify := append(base, "-Verify", "1", "-CAfile", cert, "-verify_return_error")
	for _, version := range []string{"-tls1_2", "-tls1_3"} {
		reversed(t, sServer(t, append(base, version)...), TLSOptions{CAFile: cert})
		reversed(t, sServer(t, append(verify, version)...), TLSOptions{CAFile: cert, CertFile: known, KeyFile: knownKey})
	}
	address := sServer(t, append(verify, "-tls1_3")...)
	c, err := TLS{Over: at("localhost", address), Config: &tls.Config{RootCAs: ours.pool()}}.Dial(t.Context())
	check(t, err)
	defer c.Close()
	_, err = c.Read(make([]byte, 1))
	hasReason(t, err, "target wants a client certificate")
}

// reversed speaks first, twice, and wants each line back in reverse.
func reversed(t *testing.T, address string, options TLSOptions) {
	t.Helper()
	config, err := options.Load()
	check(t, err)
	c, err := TLS{Over: at("localhost", address), Config: config}.Dial(t.Context())
	check(t, err)
	defer c.Close()
	lines := bufio.NewReader(c)
	for range 2 {
		fmt.Fprintln(c, "stressed")
		if got, err := lines.ReadString('\n'); got != "desserts\n" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
	}
}
