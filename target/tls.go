package target

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"strings"
	"time"
)

// TLS is a target that speaks TLS over another one.
type TLS struct {
	Over Target
	// Config comes from TLSOptions.Load; nil is that of empty options.
	// Without a ServerName in it, the host of a TCP target is meant.
	Config  *tls.Config
	Timeout time.Duration // for connection and handshake; default 10 s
}

// Dial connects and does the handshake: TLS 1.2 or 1.3, the target's name sent
// (SNI) unless it is an IP address, and its certificate verified as the Config
// says. CloseWrite of the connection sends close_notify, and what the target
// still sends can be read; a target that just closes, between two records, has
// ended well. The caller closes the connection.
func (t TLS) Dial(ctx context.Context) (net.Conn, error) {
	config, err := t.config()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(t.Timeout, defaultTimeout))
	defer cancel()
	raw, err := t.Over.Dial(ctx)
	if err != nil {
		return nil, err
	}
	conn := tls.Client(raw, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, handshakeError(err)
	}
	return tlsConn{conn}, nil
}

// String is the address with a word behind it.
func (t TLS) String() string { return t.Over.String() + " (TLS)" }

// config knows the name that the certificate must have.
func (t TLS) config() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if t.Config != nil {
		config = t.Config.Clone()
	}
	if config.ServerName == "" {
		config.ServerName = hostOf(t.Over)
	}
	if config.ServerName == "" && !config.InsecureSkipVerify {
		return nil, &Error{"target certificate cannot be verified", fmt.Errorf("%s has no host name: say which name its certificate has", t.Over)}
	}
	return config, nil
}

// hostOf is the host of a TCP target, without the zone, which no certificate
// has in it.
func hostOf(t Target) string {
	tcp, ok := t.(TCP)
	if !ok {
		return ""
	}
	host, _, err := net.SplitHostPort(tcp.Address)
	if err != nil {
		return ""
	}
	host, _, _ = strings.Cut(host, "%")
	return host
}

// handshakeError is an *Error unless time ran out.
func handshakeError(err error) error {
	if isTimeout(err) {
		return err
	}
	return &Error{cmp.Or(tlsReason(err), "TLS handshake with target failed"), err}
}

// tlsConn tells what its target failed by.
type tlsConn struct{ *tls.Conn }

func (c tlsConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	return n, explain(err, tlsReason)
}

// TLSOptions says whom to believe to be the target, and who we are to it.
type TLSOptions struct {
	CAFile   string // PEM; "": the authorities of the system, else these alone
	Insecure bool   // believe anyone: the connection can be read and changed on its way
	Name     string // the name in the target's certificate, and sent to it; "": its host
	CertFile string // a client certificate and its chain, PEM; "": none
	KeyFile  string // its key, PEM, not encrypted; "": in CertFile
}

// Load reads the files, once: a changed one counts after the next Load.
func (o TLSOptions) Load() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: o.Name, InsecureSkipVerify: o.Insecure}
	if o.CAFile != "" && o.Insecure {
		return nil, fmt.Errorf("target CA file %s is of no use when anyone is believed: leave out one of the two", o.CAFile)
	}
	if o.KeyFile != "" && o.CertFile == "" {
		return nil, fmt.Errorf("target key %s has no certificate to belong to: name that too", o.KeyFile)
	}
	if o.CAFile != "" {
		pool, err := readCAs(o.CAFile)
		if err != nil {
			return nil, err
		}
		config.RootCAs = pool
	}
	if o.CertFile != "" {
		cert, err := readCertificate(o.CertFile, cmp.Or(o.KeyFile, o.CertFile))
		if err != nil {
			return nil, err
		}
		// Shown whatever authorities the target names: it can tell best what is
		// wrong with it.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return cert, nil }
	}
	return config, nil
}

func readCAs(name string) (*x509.CertPool, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("target CA file: %w", err)
	}
	pool, n := x509.NewCertPool(), 0
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		n++
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("target CA file %s: certificate %d: %w", name, n, err)
		}
		pool.AddCert(cert)
	}
	if n == 0 {
		return nil, fmt.Errorf("target CA file %s holds no PEM block BEGIN CERTIFICATE", name)
	}
	return pool, nil
}

func readCertificate(certFile, keyFile string) (*tls.Certificate, error) {
	if key, err := os.ReadFile(keyFile); err == nil && bytes.Contains(key, []byte("ENCRYPTED")) {
		return nil, fmt.Errorf("target key %s is encrypted: decrypt it with openssl pkey -in %s -out FILE", keyFile, keyFile)
	}
	cert, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, fmt.Errorf("target certificate %s with key %s: %w", certFile, keyFile, err)
	}
	return &cert, nil
}
