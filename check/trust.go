package check

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// soon is when the end of a certificate is worth a warning.
const soon = 30 * 24 * time.Hour

// certificate is one of a chain, for a program.
type certificate struct {
	Subject    string    `json:"subject"`
	Issuer     string    `json:"issuer"`
	Names      []string  `json:"names"` // of the subjectAltName
	Key        string    `json:"key"`
	Signature  string    `json:"signature"`
	NotBefore  time.Time `json:"not_before"`
	NotAfter   time.Time `json:"not_after"`
	SelfSigned bool      `json:"self_signed"`
	SHA256     string    `json:"sha256"`
}

func describe(chain []*x509.Certificate) (all []certificate) {
	for _, c := range chain {
		all = append(all, certificate{c.Subject.String(), c.Issuer.String(), altNames(c), keyOf(c), c.SignatureAlgorithm.String(),
			c.NotBefore, c.NotAfter, selfSigned(c), fingerprint(c.Raw)})
	}
	return all
}

func subject(c *x509.Certificate) string { return `"` + c.Subject.String() + `"` }
func issuer(c *x509.Certificate) string  { return `"` + c.Issuer.String() + `"` }

func altNames(c *x509.Certificate) []string {
	names := append([]string{}, c.DNSNames...)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	return names
}

func keyOf(c *x509.Certificate) string {
	switch key := c.PublicKey.(type) {
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA %d bits", key.N.BitLen())
	case *ecdsa.PublicKey:
		return "ECDSA " + key.Curve.Params().Name
	case ed25519.PublicKey:
		return "Ed25519"
	}
	return c.PublicKeyAlgorithm.String()
}

func selfSigned(c *x509.Certificate) bool {
	return bytes.Equal(c.RawIssuer, c.RawSubject) && c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil
}

// doubts are what is not good about a chain as sent, whoever trusts it.
func doubts(chain []*x509.Certificate, now time.Time) (doubts []string) {
	for i, c := range chain {
		if left := c.NotAfter.Sub(now); left > 0 && left < soon {
			doubts = append(doubts, fmt.Sprintf("the certificate of %s ends on %s", subject(c), c.NotAfter.Format(time.DateOnly)))
		}
		if key, ok := c.PublicKey.(*rsa.PublicKey); ok && key.N.BitLen() < 2048 {
			doubts = append(doubts, fmt.Sprintf("the key of %s is too short: %s", subject(c), keyOf(c)))
		}
		if c.SignatureAlgorithm == x509.SHA1WithRSA && !selfSigned(c) {
			doubts = append(doubts, fmt.Sprintf("the signature of %s is with SHA-1, which clients refuse", subject(c)))
		}
		if doubt := outOfOrder(chain, i); doubt != "" {
			doubts = append(doubts, doubt)
		}
	}
	return doubts
}

// outOfOrder says so when the issuer of a certificate is sent, but not right
// behind it (RFC 5246, 7.4.2; RFC 8446, 4.4.2 lets clients cope).
func outOfOrder(chain []*x509.Certificate, i int) string {
	c := chain[i]
	if selfSigned(c) || i+1 < len(chain) && bytes.Equal(chain[i+1].RawSubject, c.RawIssuer) {
		return ""
	}
	if !slices.ContainsFunc(chain, func(other *x509.Certificate) bool { return bytes.Equal(other.RawSubject, c.RawIssuer) }) {
		return ""
	}
	return fmt.Sprintf("the chain is in the wrong order: %s belongs right behind %s; some clients refuse it", issuer(c), subject(c))
}

// verdict is the three questions to a certificate, apart; "" is yes.
type verdict struct {
	Chain    string `json:"chain,omitempty"`
	Name     string `json:"name,omitempty"`
	OnlyCN   bool   `json:"only_cn,omitempty"` // Name would be "" if the subject counted
	Validity string `json:"validity,omitempty"`
}

// judge answers them.
func (v *visit) judge(state tls.ConnectionState) verdict {
	chain, now := state.PeerCertificates, time.Now()
	verdict := verdict{Chain: v.chainFault(chain, now), Validity: dateFault(chain, now)}
	verdict.Name, verdict.OnlyCN = nameFault(chain[0], v.tls.ServerName)
	return verdict
}

// fault is all that is wrong, in one error.
func (d verdict) fault(allowCN bool) error {
	if allowCN && d.OnlyCN {
		d.Name = ""
	}
	all := slices.DeleteFunc([]string{d.Chain, d.Name, d.Validity}, func(s string) bool { return s == "" })
	if len(all) == 0 {
		return nil
	}
	return errors.New(strings.Join(all, "; "))
}

// trust is step 6.
func (v *visit) trust(context.Context) finding {
	if v.tls == nil {
		return skip("not over ws://")
	}
	d := v.judge(*v.state)
	fault := d.fault(v.AllowCN)
	data := map[string]verdict{"verdict": d}
	if v.tls.InsecureSkipVerify {
		return skip("not checked, as asked; it would be: %s", orGood(fault)).with(data)
	}
	v.trusted, v.doubted = fault == nil, fault != nil
	f := ok("%s: chain, name and dates are good", v.tls.ServerName)
	if fault != nil {
		f = fail("%v", fault)
	} else if d.OnlyCN {
		f = f.but(d.Name)
	}
	return f.with(data)
}

func orGood(fault error) string {
	if fault == nil {
		return "good"
	}
	return fault.Error()
}

// chainFault looks at signatures alone, at a time when the leaf is valid.
func (v *visit) chainFault(chain []*x509.Certificate, now time.Time) string {
	leaf, between := chain[0], x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	_, err := leaf.Verify(x509.VerifyOptions{Roots: v.tls.RootCAs, Intermediates: between, CurrentTime: within(leaf, now)})
	var unknown x509.UnknownAuthorityError
	if err == nil || !errors.As(err, &unknown) {
		return words(err)
	}
	top := topOf(chain)
	switch {
	case selfSigned(leaf):
		return "the certificate is self-signed, and nobody here vouches for it: name it with --ca FILE, or do not check with -n"
	case selfSigned(top):
		return fmt.Sprintf("the authority %s is not known here: name it with --ca FILE", subject(top))
	}
	return fmt.Sprintf("%s, who signed %s, is neither sent nor known here: the server leaves out an intermediate certificate, or its authority needs --ca FILE", issuer(top), subject(top))
}

func words(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// within is a time as near to now as c is valid.
func within(c *x509.Certificate, now time.Time) time.Time {
	switch {
	case now.Before(c.NotBefore):
		return c.NotBefore.Add(time.Second)
	case now.After(c.NotAfter):
		return c.NotAfter.Add(-time.Second)
	}
	return now
}

// topOf goes from the leaf to whoever vouches for it, as far as was sent.
func topOf(chain []*x509.Certificate) *x509.Certificate {
	top := chain[0]
	for range chain {
		i := slices.IndexFunc(chain, func(c *x509.Certificate) bool { return c != top && bytes.Equal(c.RawSubject, top.RawIssuer) })
		if i < 0 || selfSigned(top) {
			break
		}
		top = chain[i]
	}
	return top
}

// nameFault holds the certificate's names against the host's.
func nameFault(leaf *x509.Certificate, host string) (fault string, onlyCN bool) {
	if leaf.VerifyHostname(host) == nil {
		return "", false
	}
	names := altNames(leaf)
	switch cn := leaf.Subject.CommonName; {
	case len(names) > 0:
		return fmt.Sprintf("the certificate is for %s, not for %s", strings.Join(names, ", "), host), false
	case strings.EqualFold(cn, host):
		return fmt.Sprintf("the certificate has no SAN, only CN=%s: Go and browsers refuse it, Node and openssl s_client accept it; it needs subjectAltName DNS:%s", cn, host), true
	default:
		return fmt.Sprintf("the certificate has no SAN, and its CN is %q, not %s", cn, host), false
	}
}

func dateFault(chain []*x509.Certificate, now time.Time) string {
	for _, c := range chain {
		switch {
		case now.After(c.NotAfter):
			return fmt.Sprintf("the certificate of %s has expired on %s", subject(c), c.NotAfter.Format(time.DateOnly))
		case now.Before(c.NotBefore):
			return fmt.Sprintf("the certificate of %s is not valid before %s: is this machine's clock right?", subject(c), c.NotBefore.Format(time.DateTime))
		}
	}
	return ""
}
