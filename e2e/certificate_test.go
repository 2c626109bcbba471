//go:build linux

package e2e

import (
	"path/filepath"
	"testing"
)

// certificate is a self-signed one for loopback, made by openssl.
type certificate struct{ cert, key string }

// certify writes name.crt and name.key into dir.
func certify(t *testing.T, dir, name string) certificate {
	t.Helper()
	c := certificate{filepath.Join(dir, name+".crt"), filepath.Join(dir, name+".key")}
	start(t, nil, "openssl", "req", "-x509", "-newkey", "ec",
		"-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
		"-subj", "/CN="+name, "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost",
		"-keyout", c.key, "-out", c.cert).succeed()
	return c
}

// options are the flags that make the bridge use the certificate.
func (c certificate) options() []string { return []string{"--cert", c.cert, "--key", c.key} }
