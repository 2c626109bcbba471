package listen

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/acme"
)

// What cannot work is said at the start, in one line that says what to do.
func TestACMESettings(t *testing.T) {
	d := newDir(t)
	d.write("file")
	check(t, os.Mkdir(d.path("open"), 0o700))
	check(t, os.Chmod(d.path("open"), 0o777))
	good := ACME{Names: []string{"desk.example.com"}, Cache: d.path("cache")}
	tests := []struct {
		name   string
		change func(*ACME)
		want   string // "": all is well
	}{
		{"as it comes", func(*ACME) {}, ""},
		{"a name as people write it", func(a *ACME) { a.Names = []string{"Desk.Example.COM.", "desk.example.com"} }, ""},
		{"no names", func(a *ACME) { a.Names = nil }, "1 to 100 names"},
		{"too many names", func(a *ACME) { a.Names = manyNames(101) }, "and not 101"},
		{"a wildcard", func(a *ACME) { a.Names = []string{"*.example.com"} }, "name each host"},
		{"an address", func(a *ACME) { a.Names = []string{"192.0.2.1"} }, "is an address"},
		{"an IPv6 address", func(a *ACME) { a.Names = []string{"2001:db8::1"} }, "is an address"},
		{"half a name", func(a *ACME) { a.Names = []string{"localhost"} }, "write the full name"},
		{"other letters", func(a *ACME) { a.Names = []string{"müller.example"} }, "xn--"},
		{"a path", func(a *ACME) { a.Names = []string{"../x.example"} }, "not a host name"},
		{"no cache", func(a *ACME) { a.Cache = "" }, "need a folder"},
		{"a file as cache", func(a *ACME) { a.Cache = d.path("file") }, "not a directory"},
		{"everybody's cache", func(a *ACME) { a.Cache = d.path("open") }, "chmod 700"},
		{"no CA file", func(a *ACME) { a.CAFile = d.path("none.pem") }, "none.pem cannot be read"},
		{"a wrong CA file", func(a *ACME) { a.CAFile = d.path("file") }, "no PEM block"},
		{"a key for the account", func(a *ACME) { a.KeyID, a.Key = "kid", "c2VjcmV0LXNlY3JldA==" }, ""},
		{"a wrong key for the account", func(a *ACME) { a.KeyID, a.Key = "kid", "?" }, "not base64url"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := good
			tt.change(&a)
			o, err := a.Open()
			switch {
			case tt.want == "" && err != nil:
				t.Error(err)
			case tt.want == "" && (!o.Has("DESK.example.com") || len(o.Names()) != 1):
				t.Errorf("names: %v", o.Names())
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
	if info, err := os.Stat(d.path("cache")); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the cache it made: %v, %v", info.Mode(), err)
	}
}

func manyNames(n int) (names []string) {
	for i := range n {
		names = append(names, "n"+strings.Repeat("x", i)[:i%20]+string(rune('a'+i%26))+strings.Repeat("y", i/20)+".example")
	}
	return names
}

// cached is a certificate as the cache keeps it.
func cached(i *issued) []byte {
	der, _ := x509.MarshalECPrivateKey(i.signer)
	return append(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), i.cert...)
}

// mostlyGone is a certificate for name with little of its time left.
func mostlyGone(t *testing.T, name string, left time.Duration) *issued {
	t.Helper()
	signer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{name},
		NotBefore: time.Now().AddDate(0, 0, -80), NotAfter: time.Now().Add(left),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &signer.PublicKey, signer)
	check(t, err)
	leaf, err := x509.ParseCertificate(der)
	check(t, err)
	return &issued{cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), leaf: leaf, signer: signer}
}

// journal is a log that can be read while it is written.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

func (j *journal) log() *slog.Logger { return slog.New(slog.NewTextHandler(j, nil)) }

// await polls until the log holds text.
func (j *journal) await(t *testing.T, text string) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		j.mu.Lock()
		all := j.text.String()
		j.mu.Unlock()
		if strings.Contains(all, text) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the log does not say %q; it says:\n%s", text, all)
		}
	}
}

// brokenAuthority refuses everything, as an authority does.
func brokenAuthority(t *testing.T, d *dir) (url, caFile string) {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusForbidden)
		io.WriteString(w, `{"type": "urn:ietf:params:acme:error:unauthorized", "detail": "not today"}`)
	}))
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.URL, d.write("authority.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
}

// closes ends o when the test does.
func closes(t *testing.T, o *Obtained) {
	t.Cleanup(func() {
		o.Close()
		o.wire.base.(*http.Transport).CloseIdleConnections()
		o.running.Wait()
	})
}

// Names whose certificates are in the cache are served at once; others are
// refused at once and in words. A certificate in files goes before, for the
// names it holds.
func TestWhichCertificateIsShown(t *testing.T) {
	d, log := newDir(t), new(journal)
	url, caFile := brokenAuthority(t, d)
	check(t, os.Mkdir(d.path("cache"), 0o700))
	for _, name := range []string{"one.example", "two.example"} {
		d.write("cache/"+name, cached(issue(t, name, nil)))
	}
	d.write("cache/old.example", cached(mostlyGone(t, "old.example", -time.Hour)))
	d.write("cache/odd.example", []byte("nonsense"))
	o, err := ACME{Names: []string{"one.example", "two.example", "old.example", "odd.example"}, Cache: d.path("cache"), Directory: url, CAFile: caFile, Log: log.log()}.Open()
	check(t, err)
	closes(t, o)
	o.Start()
	own := issue(t, "two.example", nil)
	files, err := LoadCertificate(d.write("own.pem", own.cert, own.key), "", nil)
	check(t, err)
	absent, err := LoadCertificate(d.path("absent.pem"), "", nil)
	check(t, err)
	tests := []struct {
		name, asks string
		tls        TLS
		want       string // of the certificate, or of the error
	}{
		{"a name that was obtained", "one.example", TLS{ACME: o}, "one.example"},
		{"in capitals", "ONE.example", TLS{ACME: o}, "one.example"},
		{"no name", "", TLS{ACME: o}, "one.example"},
		{"a name nobody obtains", "three.example", TLS{ACME: o}, `no certificate for "three.example"`},
		{"a name not obtained yet", "old.example", TLS{ACME: o}, "has not been obtained yet"},
		{"a name whose cache is broken", "odd.example", TLS{ACME: o}, "has not been obtained yet"},
		{"beside files, a name of the files", "two.example", TLS{ACME: o, Certificate: files}, "two.example of the files"},
		{"beside files, an obtained one", "one.example", TLS{ACME: o, Certificate: files}, "one.example"},
		{"beside files, another name", "three.example", TLS{ACME: o, Certificate: files}, "two.example of the files"},
		{"beside files, no name", "", TLS{ACME: o, Certificate: files}, "two.example of the files"},
		{"beside files that are not there", "two.example", TLS{ACME: o, Certificate: absent}, "two.example"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := ""
			cert, err := tt.tls.Config().GetCertificate(&tls.ClientHelloInfo{ServerName: tt.asks})
			if err != nil {
				got = err.Error()
			} else if got = cert.Leaf.DNSNames[0]; cert.Leaf.Equal(own.leaf) {
				got += " of the files"
			}
			if got != tt.want && (err == nil || !strings.Contains(got, tt.want)) {
				t.Errorf("shows %q, want %q", got, tt.want)
			}
		})
	}
	log.await(t, `msg="certificate in the ACME cache cannot be used" name=odd.example`)
	log.await(t, `msg="certificate not obtained" name=old.example err="403 urn:ietf:params:acme:error:unauthorized: not today" retry_in=2m0s`)
}

// A certificate that should have been renewed, and was not, is complained of,
// with the authority's reason.
func TestRenewalThatFails(t *testing.T) {
	d, log := newDir(t), new(journal)
	url, caFile := brokenAuthority(t, d)
	check(t, os.Mkdir(d.path("cache"), 0o700))
	d.write("cache/desk.example", cached(mostlyGone(t, "desk.example", 24*time.Hour)))
	o, err := ACME{Names: []string{"desk.example"}, Cache: d.path("cache"), Directory: url, CAFile: caFile, Log: log.log()}.Open()
	check(t, err)
	o.recall("desk.example")
	for end := time.Now().Add(time.Minute); o.wire.lastRefusal() == "" && time.Now().Before(end); {
		time.Sleep(5 * time.Millisecond)
	}
	closes(t, o)
	o.Start()
	log.await(t, `level=WARN msg="certificate not renewed yet" name=desk.example`)
	log.await(t, `err="not today"`)
	if cert, err := o.Get(&tls.ClientHelloInfo{}); err != nil || cert.Leaf.DNSNames[0] != "desk.example" {
		t.Errorf("meanwhile it is not shown: %v", err)
	}
}

// The authority's own look at the port is answered, even where clients must show
// a certificate; and nobody else is spoken to in its protocol.
func TestChallengeIsAnswered(t *testing.T) {
	d := newDir(t)
	check(t, os.Mkdir(d.path("cache"), 0o700))
	token := issue(t, "desk.example", nil)
	d.write("cache/desk.example+token", cached(token))
	d.write("cache/desk.example", cached(issue(t, "desk.example", nil)))
	mine, err := LoadClientCAs(d.write("mine.pem", issue(t, "mine", nil).cert), nil)
	check(t, err)
	o, err := ACME{Names: []string{"desk.example"}, Cache: d.path("cache")}.Open()
	check(t, err)
	o.recall("desk.example")
	for name, s := range map[string]TLS{"any client": {ACME: o}, "clients with certificates": {ACME: o, Clients: mine}} {
		t.Run(name, func(t *testing.T) {
			shown, protocol, err := greeted(t, s, acme.ALPNProto)
			if err != nil || protocol != acme.ALPNProto || !shown.Equal(token.leaf) {
				t.Errorf("the authority is shown %v by %q, %v", shown, protocol, err)
			}
			shown, protocol, err = greeted(t, s, "http/1.1", acme.ALPNProto)
			if err != nil || protocol != "http/1.1" || shown.DNSNames[0] != "desk.example" {
				t.Errorf("a client is shown %v by %q, %v", shown, protocol, err)
			}
		})
	}
	d.remove("cache/desk.example+token")
	if _, _, err := greeted(t, TLS{ACME: o}, acme.ALPNProto); err == nil {
		t.Error("a challenge that nobody asked for is answered")
	}
}

// greeted is what a client that speaks protocols sees of the handshake.
func greeted(t *testing.T, s TLS, protocols ...string) (*x509.Certificate, string, error) {
	t.Helper()
	conn, err := tls.Dial("tcp", serveTLS(t, s), &tls.Config{ServerName: "desk.example", NextProtos: protocols, InsecureSkipVerify: true})
	if err != nil {
		return nil, "", err
	}
	defer conn.Close()
	state := conn.ConnectionState()
	return state.PeerCertificates[0], state.NegotiatedProtocol, nil
}

// What an authority complains of is found wherever it says it.
func TestComplaint(t *testing.T) {
	for body, want := range map[string]string{
		`{"type": "urn:ietf:params:acme:error:rateLimited", "detail": "too many", "status": 429}`:                 "too many",
		`{"type": "urn:ietf:params:acme:error:badNonce", "detail": "old nonce", "status": 400}`:                   "",
		`{"status": "invalid", "challenges": [{"type": "http-01"}, {"error": {"detail": "connection refused"}}]}`: "connection refused",
		`{"status": "invalid", "error": {"type": "x", "detail": "no CAA"}}`:                                       "no CAA",
		`{"status": "valid"}`: "",
		`<html>`:              "",
		`["detail"]`:          "",
	} {
		if got := complaint([]byte(body)); got != want {
			t.Errorf("%s: %q, want %q", body, got, want)
		}
	}
}
