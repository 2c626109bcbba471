package passthrough

import (
	"crypto/tls"
	"crypto/x509"
	"net"
)

// tlsConfig is TLS, or one that AllowCN relaxes.
func (t *Target) tlsConfig() *tls.Config {
	if !t.AllowCN || t.TLS.InsecureSkipVerify {
		return t.TLS
	}
	config := t.TLS.Clone()
	if config.ServerName == "" {
		config.ServerName, _, _ = net.SplitHostPort(t.Address)
	}
	name := config.ServerName
	config.InsecureSkipVerify = true // VerifyConnection does all of it
	config.VerifyConnection = func(state tls.ConnectionState) error {
		err := verify(state.PeerCertificates, config, name)
		if err == nil {
			return nil
		}
		return &tls.CertificateVerificationError{UnverifiedCertificates: state.PeerCertificates, Err: err}
	}
	return config
}

// verify checks a chain as crypto/tls would, but for a certificate without
// names: that has its common name for one.
func verify(chain []*x509.Certificate, config *tls.Config, name string) error {
	leaf := chain[0]
	options := x509.VerifyOptions{Roots: config.RootCAs, Intermediates: x509.NewCertPool()}
	for _, c := range chain[1:] {
		options.Intermediates.AddCert(c)
	}
	if _, err := leaf.Verify(options); err != nil {
		return err
	}
	return named(leaf).VerifyHostname(name)
}

// named is c, or, when c has no names, one whose name is c's common name: the
// rules for a name, wildcards and all, are then the usual ones.
func named(c *x509.Certificate) *x509.Certificate {
	if len(c.DNSNames)+len(c.IPAddresses)+len(c.URIs)+len(c.EmailAddresses) > 0 {
		return c
	}
	if ip := net.ParseIP(c.Subject.CommonName); ip != nil {
		return &x509.Certificate{Subject: c.Subject, IPAddresses: []net.IP{ip}}
	}
	return &x509.Certificate{Subject: c.Subject, DNSNames: []string{c.Subject.CommonName}}
}
