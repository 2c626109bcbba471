package passthrough

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"testing"
	"time"
)

// trusting believes ours alone.
func trusting(ours *issued) *tls.Config { return &tls.Config{RootCAs: ours.pool()} }

// issueCN makes a certificate whose common name is its only name.
func issueCN(t *testing.T, name string) *issued {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Unix(0, 0), NotAfter: nextYear(),
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	check(t, err)
	leaf, err := x509.ParseCertificate(der)
	check(t, err)
	return &issued{leaf, key}
}

// HIA-07: whom we believe to be the target.
func TestTargetCertificate(t *testing.T) {
	ours, other := issue(t, "localhost", nil, nextYear()), issue(t, "localhost", nil, nextYear())
	named, old := issue(t, "elsewhere.example", nil, nextYear()), issueCN(t, "localhost")
	wild, address := issueCN(t, "*.example.com"), issueCN(t, "127.0.0.1")
	const trust, wrong = "target certificate is not trusted", "target certificate is for another name"
	tests := map[string]struct {
		has     *issued
		config  *tls.Config
		allowCN bool
		reason  string // "": believed
	}{
		"right ca":                        {has: ours, config: trusting(ours)},
		"the system's ca":                 {has: ours, config: &tls.Config{}, reason: trust},
		"another ca":                      {has: ours, config: trusting(other), reason: trust},
		"insecure":                        {has: ours, config: &tls.Config{InsecureSkipVerify: true}},
		"wrong name":                      {has: ours, config: &tls.Config{RootCAs: ours.pool(), ServerName: "else.example"}, reason: wrong},
		"tls_name":                        {has: named, config: &tls.Config{RootCAs: named.pool(), ServerName: "elsewhere.example"}},
		"common name":                     {has: old, config: trusting(old), reason: wrong},
		"common name, allow_cn":           {has: old, config: trusting(old), allowCN: true},
		"common name, allow_cn, insecure": {has: old, config: &tls.Config{InsecureSkipVerify: true}, allowCN: true},
		"another common name, allow_cn":   {has: old, config: &tls.Config{RootCAs: old.pool(), ServerName: "else.example"}, allowCN: true, reason: wrong},
		"common name, another ca":         {has: old, config: trusting(other), allowCN: true, reason: trust},
		"wild common name, allow_cn":      {has: wild, config: &tls.Config{RootCAs: wild.pool(), ServerName: "a.example.com"}, allowCN: true},
		"address in it, allow_cn":         {has: address, config: &tls.Config{RootCAs: address.pool(), ServerName: "127.0.0.1"}, allowCN: true},
		"names and allow_cn":              {has: ours, config: trusting(ours), allowCN: true},
		"other names and allow_cn":        {has: ours, config: &tls.Config{RootCAs: ours.pool(), ServerName: "else.example"}, allowCN: true, reason: wrong},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			target := startTLSTarget(t, test.has, echo)
			_, port, _ := net.SplitHostPort(target.address)
			to := tcp("localhost:" + port)
			to.TLS, to.AllowCN = test.config, test.allowCN
			front := startFront(t, to)
			c := front.send(upgradeHead("/"))
			if test.reason == "" {
				c.join()
				return
			}
			if status, _, body := c.answer(); status != 502 || body != test.reason+"\n" {
				t.Errorf("answer %d %q, want 502 %q", status, body, test.reason)
			}
		})
	}
}

// HIA-05: wss to a target that speaks plain HTTP is told from everything else.
func TestTargetSpeaksNoTLS(t *testing.T) {
	l := listen(t, "tcp", "127.0.0.1:0")
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		c.Read(make([]byte, 4096))
		c.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
		c.Close()
	}()
	to := tcp(l.Addr().String())
	to.TLS = &tls.Config{}
	front := startFront(t, to)
	if status, _, body := front.send(upgradeHead("/")).answer(); status != 502 || body != "target does not speak TLS\n" {
		t.Errorf("answer %d %q", status, body)
	}
	front.wantLog("level=WARN", "backend does not speak TLS (got 'HTTP/')", "target=passthrough+wss://"+to.Address)
}

// A target that takes the connection and leaves its ClientHello unanswered.
func TestTargetSilentOnTLS(t *testing.T) {
	to := tcp(listen(t, "tcp", "127.0.0.1:0").Addr().String())
	to.TLS, to.DialTimeout = &tls.Config{}, 50*time.Millisecond
	front := startFront(t, to)
	if status, _, body := front.send(upgradeHead("/")).answer(); status != 504 || body != "target did not answer in time\n" {
		t.Errorf("answer %d %q", status, body)
	}
}
