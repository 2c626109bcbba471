package listen

import (
	"crypto/tls"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// openssl runs the real one and gives what it says. Where there is none the
// test is left out, except in CI.
func openssl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := tryOpenSSL(t, args...)
	if err != nil {
		t.Fatalf("openssl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// tryOpenSSL also gives the exit status.
func tryOpenSSL(t *testing.T, args ...string) (string, error) {
	t.Helper()
	path, err := exec.LookPath("openssl")
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatal(err)
	}
	if err != nil {
		t.Skipf("left out: %v", err)
	}
	out, err := exec.Command(path, args...).CombinedOutput()
	return string(out), err
}

// serveTLS greets every TLS client with "welcome" until the test ends.
func serveTLS(t *testing.T, s TLS) (address string) {
	t.Helper()
	l, _ := open(t, "127.0.0.1:0")
	config := s.Config()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			greet(tls.Server(c, config))
		}
	}()
	return l.Addr().String()
}

func greet(c net.Conn) {
	defer c.Close()
	io.WriteString(c, "welcome")
}

// The real OpenSSL gets in with a version, a cipher suite and a certificate
// that were asked for, and with no other.
func TestOpenSSLClient(t *testing.T) {
	d := newDir(t)
	a, mine := issue(t, "a", nil), issue(t, "mine", nil)
	cert, key, locked := d.write("a.pem", a.cert), d.write("a.key", a.key), d.path("locked.key")
	openssl(t, "pkcs8", "-topk8", "-in", key, "-out", locked, "-passout", "pass:"+passphrase)
	c, err := CertificateFiles{Cert: cert, Key: locked, Passphrase: passphrase}.Load(nil)
	check(t, err)
	authorities, err := LoadClientCAs(d.write("mine.pem", mine.cert), nil)
	check(t, err)
	shows := []string{"-cert", d.path("mine.pem"), "-key", d.write("mine.key", mine.key)}
	gcm, _, err := ParseCiphers("ECDHE+AESGCM:!AES128")
	check(t, err)
	tests := []struct {
		name string
		tls  TLS
		args []string
		ok   bool
	}{
		{"as it comes", TLS{}, nil, true},
		{"TLS 1.1", TLS{}, []string{"-tls1_1", "-cipher", "ALL:@SECLEVEL=0"}, false},
		{"TLS 1.1, asked for", TLS{MinVersion: tls.VersionTLS11}, []string{"-tls1_1", "-cipher", "ALL:@SECLEVEL=0"}, true},
		{"TLS 1.2 where 1.3 is asked for", TLS{MinVersion: tls.VersionTLS13}, []string{"-tls1_2"}, false},
		{"its cipher", TLS{Ciphers: gcm}, []string{"-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-GCM-SHA384"}, true},
		{"another cipher", TLS{Ciphers: gcm}, []string{"-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"}, false},
		{"its certificate", TLS{Clients: authorities}, shows, true},
		{"no certificate", TLS{Clients: authorities}, nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.tls.Certificate = c
			args := append([]string{"s_client", "-quiet", "-CAfile", cert, "-verify_return_error", "-connect", serveTLS(t, tt.tls)}, tt.args...)
			out, err := tryOpenSSL(t, args...)
			if strings.Contains(out, "welcome") != tt.ok {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
