package listen

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// load loads a certificate that must be fine, and returns its log too.
func load(t *testing.T, certFile, keyFile string) (*Certificate, *bytes.Buffer) {
	t.Helper()
	var log bytes.Buffer
	c, err := LoadCertificate(certFile, keyFile, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return c, &log
}

// shown is the name of the certificate Get gives now.
func shown(t *testing.T, c *Certificate) string {
	t.Helper()
	cert, err := c.Get(&tls.ClientHelloInfo{})
	if err != nil {
		t.Fatal(err)
	}
	return cert.Leaf.Subject.CommonName
}

// shake lets client do a handshake with server and read one byte behind it,
// which is also when the session ticket arrives.
func shake(t *testing.T, server, client *tls.Config) (tls.ConnectionState, error) {
	t.Helper()
	l, _ := open(t, "127.0.0.1:0")
	near, far := connect(t, l, l.Addr().String())
	var wg sync.WaitGroup
	wg.Go(func() {
		defer far.Close()
		io.WriteString(tls.Server(far, server), "x")
	})
	defer wg.Wait()
	defer near.Close()
	c := tls.Client(near, client)
	_, err := io.ReadFull(c, make([]byte, 1))
	return c.ConnectionState(), err
}

// Every mistake gets told what it is.
func TestLoadMistakes(t *testing.T) {
	d := newDir(t)
	a, b := issue(t, "a", nil), issue(t, "b", nil)
	good, goodKey := d.write("good.pem", a.cert), d.write("good.key", a.key)
	tests := []struct {
		name      string
		cert, key string
		want      string
	}{
		{"not PEM", d.write("x.pem", []byte("hello")), goodKey, "x.pem holds no PEM block BEGIN CERTIFICATE"},
		{"empty", d.write("empty.pem", nil), goodKey, "empty.pem holds no PEM block BEGIN CERTIFICATE"},
		{"damaged", d.write("bad.pem", garbled("CERTIFICATE")), goodKey, "bad.pem cannot be used with key"},
		{"key of another", good, d.write("b.key", b.key), "private key does not match"},
		{"root before leaf", d.write("order.pem", b.cert, a.cert), goodKey, "the leaf certificate must come first in "},
		{"no key inside", good, "", "good.pem holds no private key: name the key's file, or append the key to it"},
		{"no key in key file", good, d.write("c.key", a.cert), "c.key holds no PEM block BEGIN PRIVATE KEY"},
		{"damaged key", good, d.write("d.key", garbled("PRIVATE KEY")), "failed to parse private key"},
		{"encrypted key", good, d.write("e.key", garbled("ENCRYPTED PRIVATE KEY")), "e.key is encrypted: give its passphrase, or decrypt it with openssl pkey -in "},
		{"old encrypted key", good, d.write("f.key", oldEncrypted()), "f.key is encrypted"},
		{"key file absent", good, d.path("none.key"), "none.key not found"},
		{"directory", d.path("."), goodKey, "is not a regular file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := LoadCertificate(tt.cert, tt.key, nil)
			if err == nil || c != nil {
				t.Fatalf("LoadCertificate = %v, %v; want an error", c, err)
			}
			if !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%q does not say %q in one line", err, tt.want)
			}
		})
	}
}

func TestKeyInTheSameFile(t *testing.T) {
	d := newDir(t)
	a := issue(t, "a", nil)
	for _, file := range []string{d.write("ck.pem", a.cert, a.key), d.write("kc.pem", a.key, a.cert)} {
		c, _ := load(t, file, "")
		if got := shown(t, c); got != "a" {
			t.Errorf("%s shows %q", file, got)
		}
	}
}

// The whole chain goes out, so a client that knows only the root is content;
// it need not send a server name.
func TestChain(t *testing.T) {
	d := newDir(t)
	root := issue(t, "root", nil)
	middle := issue(t, "middle", root)
	leaf := issue(t, "leaf", middle)
	c, _ := load(t, d.write("chain.pem", leaf.cert, middle.cert), d.write("leaf.key", leaf.key))

	roots := x509.NewCertPool()
	roots.AddCert(root.leaf)
	for _, name := range []string{"leaf", "127.0.0.1"} { // an address is never sent as SNI
		state, err := shake(t, c.TLSConfig(), &tls.Config{RootCAs: roots, ServerName: name})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(state.PeerCertificates) != 2 || state.PeerCertificates[1].Subject.CommonName != "middle" {
			t.Errorf("%s: got %d certificates", name, len(state.PeerCertificates))
		}
	}
}

func TestVersions(t *testing.T) {
	d := newDir(t)
	a := issue(t, "a", nil)
	c, _ := load(t, d.write("a.pem", a.cert, a.key), "")
	tests := []struct {
		version uint16
		ok      bool
	}{{tls.VersionTLS10, false}, {tls.VersionTLS11, false}, {tls.VersionTLS12, true}, {tls.VersionTLS13, true}}
	for _, tt := range tests {
		state, err := shake(t, c.TLSConfig(), &tls.Config{
			InsecureSkipVerify: true, MinVersion: tt.version, MaxVersion: tt.version,
		})
		if ok := err == nil; ok != tt.ok {
			t.Errorf("%s: %v", tls.VersionName(tt.version), err)
		}
		if err == nil && state.Version != tt.version {
			t.Errorf("%s became %s", tls.VersionName(tt.version), tls.VersionName(state.Version))
		}
	}
}

// A browser that offers HTTP/2 first ends up with it where the server does too.
func TestNextProtocol(t *testing.T) {
	s, _ := offer(t)
	for _, want := range []string{"http/1.1", "h2"} {
		s.HTTP2 = want == "h2"
		state, err := shake(t, s.Config(), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2", "http/1.1"}})
		if err != nil || state.NegotiatedProtocol != want {
			t.Errorf("agreed on %q, %v; want %s", state.NegotiatedProtocol, err, want)
		}
	}
}

func TestResumption(t *testing.T) {
	d := newDir(t)
	a := issue(t, "a", nil)
	c, _ := load(t, d.write("a.pem", a.cert, a.key), "")
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		server := c.TLSConfig()
		client := &tls.Config{
			InsecureSkipVerify: true, ServerName: "a", MinVersion: version, MaxVersion: version,
			ClientSessionCache: tls.NewLRUClientSessionCache(1),
		}
		for i, want := range []bool{false, true} {
			state, err := shake(t, server, client)
			if err != nil || state.DidResume != want {
				t.Errorf("%s, handshake %d: resumed %v, %v", tls.VersionName(version), i+1, state.DidResume, err)
			}
		}
	}
}

// The files change, break, vanish and recover; the clock is the bubble's.
func TestReload(t *testing.T) {
	d := newDir(t)
	a, b := issue(t, "a", nil), issue(t, "b", nil)
	synctest.Test(t, func(t *testing.T) {
		file, key := d.write("x.pem", a.cert), d.write("x.key", a.key)
		c, log := load(t, file, key)
		steps := []struct {
			name   string
			change func()
			want   string
			logs   string // what is logged, once; "": nothing
		}{
			{"unchanged", func() {}, "a", ""},
			{"new certificate, old key", func() { d.write("x.pem", b.cert) }, "a", "private key does not match"},
			{"still so", func() {}, "a", ""},
			{"key follows", func() { d.write("x.key", b.key) }, "b", "certificate loaded"},
			{"garbage", func() { d.write("x.pem", []byte("oops")) }, "b", "holds no PEM block"},
			{"garbage again", func() { d.write("x.pem", []byte("oops")) }, "b", ""},
			{"vanished", func() { d.remove("x.pem") }, "b", "x.pem not found"},
			{"still gone", func() {}, "b", ""},
			{"back", func() { d.write("x.pem", a.cert); d.write("x.key", a.key) }, "a", "certificate loaded"},
			{"vanished once more", func() { d.remove("x.pem") }, "a", "x.pem not found"},
		}
		for _, step := range steps {
			step.change()
			time.Sleep(checkEvery) // the bubble's: takes no time
			log.Reset()
			for range 3 {
				if got := shown(t, c); got != step.want {
					t.Errorf("%s: shows %q, want %q", step.name, got, step.want)
				}
				time.Sleep(checkEvery)
			}
			lines := strings.Count(log.String(), "\n")
			if step.logs == "" && lines != 0 || step.logs != "" && lines != 1 || !strings.Contains(log.String(), step.logs) {
				t.Errorf("%s: wants to log %q once, logs %q", step.name, step.logs, log)
			}
		}
	})
}

// The files are looked at once a second, however many handshakes there are.
func TestChecksAreFew(t *testing.T) {
	d := newDir(t)
	a, b := issue(t, "a", nil), issue(t, "b", nil)
	synctest.Test(t, func(t *testing.T) {
		file := d.write("x.pem", a.cert, a.key)
		c, _ := load(t, file, "")
		d.write("x.pem", b.cert, b.key)
		time.Sleep(checkEvery - 1)
		if got := shown(t, c); got != "a" {
			t.Errorf("within the second: %q", got)
		}
		time.Sleep(time.Nanosecond)
		if got := shown(t, c); got != "b" {
			t.Errorf("after the second: %q", got)
		}
	})
}

func TestCertificateThatComesLater(t *testing.T) {
	d := newDir(t)
	a := issue(t, "a", nil)
	synctest.Test(t, func(t *testing.T) {
		c, log := load(t, d.path("x.pem"), "")
		time.Sleep(checkEvery)
		if c.Present() {
			t.Error("Present without a file")
		}
		if _, err := c.Get(nil); err == nil || err.Error() != "certificate "+d.path("x.pem")+" not found" {
			t.Errorf("Get without a file: %v", err)
		}
		if log.Len() > 0 {
			t.Errorf("waiting logs %q", log)
		}
		d.write("x.pem", a.cert)
		time.Sleep(checkEvery)
		if _, err := c.Get(nil); err == nil || !strings.Contains(err.Error(), "cannot be used") {
			t.Errorf("Get with half of it there: %v", err)
		}
		if !strings.Contains(log.String(), "holds no private key") {
			t.Errorf("a broken first file logs %q", log)
		}
		d.write("x.pem", a.cert, a.key)
		time.Sleep(checkEvery)
		if !c.Present() || shown(t, c) != "a" {
			t.Error("a file that came later is not served")
		}
	})
}

// A file replaced by another of the same size and time is still another.
func TestReplacedByRename(t *testing.T) {
	d := newDir(t)
	a, b := issue(t, "a", nil), issue(t, "b", nil)
	padded := append(bytes.Clone(b.cert), b.key...)
	whole := append(bytes.Clone(a.cert), a.key...)
	for len(padded) < len(whole) {
		padded = append(padded, '\n')
	}
	for len(whole) < len(padded) {
		whole = append(whole, '\n')
	}
	synctest.Test(t, func(t *testing.T) {
		file := d.write("x.pem", whole)
		c, _ := load(t, file, "")
		other := d.write("y.pem", padded)
		if err := os.Chtimes(other, d.mtime(file), d.mtime(file)); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(other, file); err != nil {
			t.Fatal(err)
		}
		time.Sleep(checkEvery)
		if got := shown(t, c); got != "b" {
			t.Errorf("shows %q after the rename", got)
		}
	})
}

// Handshakes and reloads together; the race detector watches.
func TestManyHandshakes(t *testing.T) {
	d := newDir(t)
	pairs := []*issued{issue(t, "a", nil), issue(t, "b", nil)}
	synctest.Test(t, func(t *testing.T) {
		c, _ := load(t, d.write("x.pem", pairs[0].cert, pairs[0].key), "")
		for i := range 10 {
			p := pairs[i%2]
			d.write("x.pem", p.cert, p.key)
			time.Sleep(checkEvery)
			var wg sync.WaitGroup
			for range 8 {
				wg.Go(func() {
					if got := shown(t, c); got != "a" && got != "b" {
						t.Errorf("shows %q", got)
					}
				})
			}
			wg.Wait()
			if got := shown(t, c); got != p.leaf.Subject.CommonName {
				t.Errorf("round %d shows %q", i, got)
			}
		}
	})
}
