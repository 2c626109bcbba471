package listen

import (
	"bytes"
	"crypto/tls"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// overdue makes the next handshake look at the files.
func overdue[T any](f *follower[T]) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.next = time.Time{}
}

// offer is a server with the certificate a.
func offer(t *testing.T) (TLS, *issued) {
	t.Helper()
	a := issue(t, "a", nil)
	c, _ := load(t, newDir(t).write("a.pem", a.cert, a.key), "")
	return TLS{Certificate: c}, a
}

func TestMinVersion(t *testing.T) {
	s, _ := offer(t)
	for name, lowest := range map[string]uint16{
		"default": tls.VersionTLS12, "tlsv1_1": tls.VersionTLS11, "tlsv1_2": tls.VersionTLS12, "tlsv1_3": tls.VersionTLS13,
	} {
		version, err := ParseVersion(name)
		check(t, err)
		s.MinVersion = version
		for v := uint16(tls.VersionTLS10); v <= tls.VersionTLS13; v++ {
			_, err := shake(t, s.Config(), &tls.Config{InsecureSkipVerify: true, MinVersion: v, MaxVersion: v})
			if (err == nil) != (v >= lowest) {
				t.Errorf("%s: a client of %s gets %v", name, tls.VersionName(v), err)
			}
		}
	}
}

// What was chosen is what is spoken, and a client that has none of it is
// refused.
func TestCiphersAreSpoken(t *testing.T) {
	s, _ := offer(t)
	tests := []struct {
		ciphers string
		client  []uint16
		ok      bool
	}{
		{"ECDHE-ECDSA-AES256-SHA", nil, true},
		{"ECDHE-ECDSA-AES256-SHA", []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}, false},
		{"ECDHE-RSA-AES256-SHA", nil, false}, // a's key is no RSA key
		{"TLS_AES_128_GCM_SHA256", nil, false},
	}
	for _, tt := range tests {
		ids, _, err := ParseCiphers(tt.ciphers)
		check(t, err)
		s.Ciphers = ids
		state, err := shake(t, s.Config(), &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12, CipherSuites: tt.client})
		if (err == nil) != tt.ok || tt.ok && state.CipherSuite != ids[0] {
			t.Errorf("%s: spoke %s, %v", tt.ciphers, tls.CipherSuiteName(state.CipherSuite), err)
		}
		state, err = shake(t, s.Config(), &tls.Config{InsecureSkipVerify: true})
		if err != nil || state.Version != tls.VersionTLS13 {
			t.Errorf("%s: TLS 1.3 gets %s, %v", tt.ciphers, tls.VersionName(state.Version), err)
		}
	}
}

// client shows a certificate.
func client(who *issued, version uint16) *tls.Config {
	c := &tls.Config{InsecureSkipVerify: true, MinVersion: version, MaxVersion: version}
	if who != nil {
		c.Certificates = []tls.Certificate{{Certificate: [][]byte{who.leaf.Raw}, PrivateKey: who.signer}}
	}
	return c
}

// Clients show a certificate of an authority in the file; when the file
// changes, so does who gets in, and a broken one changes nothing.
func TestClientCertificates(t *testing.T) {
	d := newDir(t)
	one, two := issue(t, "one", nil), issue(t, "two", nil)
	mine, yours := issue(t, "mine", one), issue(t, "yours", two)
	var log bytes.Buffer
	authorities, err := LoadClientCAs(d.write("ca.pem", one.cert), slog.New(slog.NewTextHandler(&log, nil)))
	check(t, err)
	s, _ := offer(t)
	s.Clients = authorities
	server := s.Config()
	steps := []struct {
		name        string
		change      func()
		mine, yours bool
		logs        string
	}{
		{"first", func() {}, true, false, ""},
		{"another authority", func() { d.write("ca.pem", two.cert) }, false, true, "client CA file loaded"},
		{"garbage", func() { d.write("ca.pem", garbled("CERTIFICATE")) }, false, true, "new client CA file cannot be used, the old one stays"},
		{"vanished", func() { d.remove("ca.pem") }, false, true, "ca.pem not found"},
		{"both", func() { d.write("ca.pem", one.cert, two.cert) }, true, true, "client CA file loaded"},
	}
	for _, step := range steps {
		step.change()
		overdue(&authorities.follow)
		log.Reset()
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			for _, c := range []struct {
				name string
				who  *issued
				ok   bool
			}{{"mine", mine, step.mine}, {"yours", yours, step.yours}, {"nobody", nil, false}, {"the server's own", issue(t, "x", nil), false}} {
				_, err := shake(t, server, client(c.who, version))
				if (err == nil) != c.ok {
					t.Errorf("%s, %s, %s: %v", step.name, tls.VersionName(version), c.name, err)
				}
			}
		}
		if lines := strings.Count(log.String(), "\n"); !strings.Contains(log.String(), step.logs) || lines > 1 || (lines == 0) != (step.logs == "") {
			t.Errorf("%s: wants to log %q once, logs %q", step.name, step.logs, &log)
		}
	}
}

// A session is resumed with its certificate, but not once its authority is no
// longer trusted.
func TestResumptionWithClientCertificate(t *testing.T) {
	d := newDir(t)
	one, two := issue(t, "one", nil), issue(t, "two", nil)
	mine := issue(t, "mine", one)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		authorities, err := LoadClientCAs(d.write("ca.pem", one.cert), nil)
		check(t, err)
		s, _ := offer(t)
		s.Clients = authorities
		server, browser := s.Config(), client(mine, version)
		browser.ServerName, browser.ClientSessionCache = "a", tls.NewLRUClientSessionCache(1)
		for i, want := range []bool{false, true} {
			state, err := shake(t, server, browser)
			if err != nil || state.DidResume != want {
				t.Errorf("%s, handshake %d: resumed %v, %v", tls.VersionName(version), i+1, state.DidResume, err)
			}
		}
		d.write("ca.pem", two.cert)
		overdue(&authorities.follow)
		if state, err := shake(t, server, browser); err == nil {
			t.Errorf("%s: still gets in, resumed %v", tls.VersionName(version), state.DidResume)
		}
	}
}

func TestClientCAMistakes(t *testing.T) {
	d := newDir(t)
	a := issue(t, "a", nil)
	for file, want := range map[string]string{
		d.path("none.pem"):                               "client CA file " + d.path("none.pem") + " not found",
		d.write("k.pem", a.key):                          "holds no PEM block BEGIN CERTIFICATE",
		d.write("x.pem", []byte("hello")):                "holds no PEM block BEGIN CERTIFICATE",
		d.path("."):                                      "is not a regular file",
		d.write("g.pem", a.cert, garbled("CERTIFICATE")): "g.pem: certificate 2: ",
	} {
		if c, err := LoadClientCAs(file, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v; want %q", file, c, err, want)
		}
	}
}

// Without a file the system says who is an authority, and our own is none.
func TestSystemClientCAs(t *testing.T) {
	authorities, err := LoadClientCAs("", nil)
	check(t, err)
	s, _ := offer(t)
	s.Clients = authorities
	if _, err := shake(t, s.Config(), client(issue(t, "mine", nil), tls.VersionTLS13)); err == nil {
		t.Error("a certificate that signed itself gets in")
	}
}
