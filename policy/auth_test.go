package policy

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
)

// enter says who a request is from, or the answer's status.
func enter(t *testing.T, p *Policy, r *http.Request) string {
	t.Helper()
	p.guesses = guesses{}
	d, err := p.Decide(r)
	if err == nil {
		return "in: " + d.User
	}
	refusal := err.(*Refusal)
	if (refusal.Status == 401) != strings.HasPrefix(refusal.Header.Get("WWW-Authenticate"), `Basic realm="Websockify"`) {
		t.Errorf("%d with %v", refusal.Status, refusal.Header)
	}
	return fmt.Sprint(refusal.Status)
}

func newAuth(t *testing.T, plugin, source string) *Policy {
	t.Helper()
	auth, err := OpenAuth(plugin, source, (&journal{}).logger())
	if err != nil {
		t.Fatal(err)
	}
	return &Policy{Auth: auth, Log: (&journal{}).logger()}
}

// Everything that comes as an Authorization header gets an answer.
func TestBasicHeader(t *testing.T) {
	code := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	p := newAuth(t, "websockify.auth_plugins.BasicHTTPAuth", "alice:pass:word ")
	for value, want := range map[string]string{
		"Basic " + code("alice:pass:word "): "in: alice", "basic " + code("alice:pass:word "): "in: alice", "BASIC " + code("alice:pass:word "): "in: alice",
		"": "401", "Basic": "401", "Basic ": "401", "Basic !!!": "401", "Basic YWxpY2U": "401", "Basic " + code("alice"): "401",
		"Basic " + code("alice:pass:word"): "401", "Basic " + code(":"): "401", "Basic " + code("alice:"): "401", "Basic " + code("bob:pass:word "): "401",
		"Basic " + code("alice:pass:word \x00"): "401", "Basic " + code("ALICE:pass:word "): "401", "Bearer " + code("alice:pass:word "): "401",
		"Basic " + code("alice:"+strings.Repeat("x", 1<<20)): "401", "Basic\r\nX: y": "401", "Basic \xff\xfe": "401",
	} {
		r := upgrade("")
		r.Header["Authorization"] = []string{value}
		if got := enter(t, p, r); got != want {
			t.Errorf("%.60q: %s, want %s", value, got, want)
		}
	}
}

func login(name, password string) *http.Request {
	r := upgrade("")
	r.SetBasicAuth(name, password)
	return r
}

func TestHTPasswd(t *testing.T) {
	salt := []byte("saltsalt")
	sum := argon2.IDKey([]byte("argon pass"), salt, 1, 1024, 1, 32)
	phc := fmt.Sprintf("$argon2id$v=19$m=1024,t=1,p=1$%s$%s", base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(sum))
	bc := string(must(bcrypt.GenerateFromPassword([]byte("bcrypt pass"), bcrypt.MinCost)))
	name := temp(t, strings.Join([]string{
		"# users", "",
		"bcrypt:" + bc,
		"bcrypt-y:$2y$" + bc[4:],
		"argon:" + phc,
		"sha:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=",      // password
		"apr1:$apr1$saltsalt$S3EhD7.bFG8pfgL9zoNAb/", // made by openssl passwd -apr1
		"empty:$apr1$abc$BfqKdn9xFDWJPa3kcp/PH0",
		"apr1:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=",
		"plain:secret-text",
		"crypt:$6$salt$secret",
		"short:$2y$05$secret",
		"costly:$2y$31" + bc[6:],
		"greedy:" + strings.Replace(phc, "m=1024", "m=99999999", 1),
		"nonsense", ":{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=",
	}, "\n"))
	log := &journal{}
	auth, err := OpenAuth("BasicHTTPAuth", name, log.logger())
	if err != nil {
		t.Fatal(err)
	}
	p := &Policy{Auth: auth}
	right := map[string]string{"bcrypt": "bcrypt pass", "bcrypt-y": "bcrypt pass", "argon": "argon pass", "sha": "password", "apr1": "a longer password, of 30 bytes.", "empty": ""}
	for user, password := range right {
		for range 2 { // the second time it is known
			if got := enter(t, p, login(user, password)); got != "in: "+user {
				t.Errorf("%s: %s", user, got)
			}
		}
		for _, wrong := range []string{password + "x", "password", "secret-text", strings.Repeat("x", 900)} {
			if got := enter(t, p, login(user, wrong)); got != "401" && wrong != password {
				t.Errorf("%s with %.40q: %s", user, wrong, got)
			}
		}
	}
	for _, user := range []string{"plain", "crypt", "short", "costly", "greedy", "nonsense", "", "nobody", "# users"} {
		for _, password := range []string{"secret-text", "bcrypt pass", "argon pass", "password", ""} {
			if got := enter(t, p, login(user, password)); got != "401" {
				t.Errorf("%q: %s", user, got)
			}
		}
	}
	for line := 9; line <= 16; line++ {
		if !strings.Contains(log.String(), fmt.Sprintf("%s:%d\n", name, line)) {
			t.Errorf("line %d was not named", line)
		}
	}
	if strings.Contains(log.String(), "secret") || !strings.Contains(log.String(), "htpasswd -B") {
		t.Error(log)
	}
}

// A password that was changed in the file is changed at once, known or not.
func TestHTPasswdChanges(t *testing.T) {
	line := func(password string) string {
		return "alice:" + string(must(bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost))) + "\n"
	}
	name := temp(t, line("one"))
	p := newAuth(t, "BasicHTTPAuth", name)
	if enter(t, p, login("alice", "one")) != "in: alice" || enter(t, p, login("alice", "two")) != "401" {
		t.Error("before")
	}
	list := must(p.Auth.(*basic).users())
	write(t, name, line("two"))
	fresh, _ := parseUsers([]content{{path: name, data: must(os.ReadFile(name))}})
	p.Auth.(*basic).users = func() (users, error) { return fresh, nil }
	if enter(t, p, login("alice", "one")) != "401" || enter(t, p, login("alice", "two")) != "in: alice" {
		t.Error("after")
	}
	p.Auth.(*basic).users = func() (users, error) { return list, nil }
	if enter(t, p, login("alice", "two")) != "401" {
		t.Error("what was known of one hash is known of another")
	}
}

// What is known stays little, however many users there are.
func TestKnownIsBounded(t *testing.T) {
	var k known
	for i := range 3 * maxKnown {
		k.add(k.digest(fmt.Sprint(i)))
	}
	if len(k.pairs) > maxKnown {
		t.Error(len(k.pairs))
	}
	if string(k.digest("ab", "c")) == string(k.digest("a", "bc")) {
		t.Error("two pairs are one")
	}
}

func TestSeveralUsersInLine(t *testing.T) {
	hashed := string(must(bcrypt.GenerateFromPassword([]byte("hidden"), bcrypt.MinCost)))
	p := newAuth(t, "BasicHTTPAuth", "alice:one two\nbob:{SHA}no hash\r\n\ncarol:"+hashed+"\ndave:")
	for user, password := range map[string]string{"alice": "one two", "bob": "{SHA}no hash", "carol": "hidden", "dave": ""} {
		if got := enter(t, p, login(user, password)); got != "in: "+user {
			t.Errorf("%s: %s", user, got)
		}
	}
	if got := enter(t, p, login("carol", hashed)); got != "401" {
		t.Error("a hash is no password:", got)
	}
}

func TestOpenAuthMistakes(t *testing.T) {
	tests := []struct{ plugin, source, want string }{
		{"NoSuch", "x", "auth plugin NoSuch: there is none of that name: known are BasicHTTPAuth, ClientCertCNAuth, ExpectOrigin, ForwardAuth, exec, http"},
		{"BasicHTTPAuth", "", "its source is missing"},
		{"BasicHTTPAuth", "secretfile", "neither a file that is there nor user:password"},
		{"BasicHTTPAuth", "/no/such:secret", "neither a file that is there nor user:password"},
		{"BasicHTTPAuth", temp(t, "alice:plain-secret\n"), "no user in it: make one with htpasswd -B"},
		{"BasicHTTPAuth", ":secret", "write user:password"},
		{"BasicHTTPAuth", "a:secret\na:secret", "write user:password"},
		{"BasicHTTPAuth", "a:secret\nsecret", "write user:password"},
		{"ExpectOrigin", " ", "there is no origin"},
		{"ExpectOrigin", "example.com", `"example.com" is no origin: write https://host`},
		{"ExpectOrigin", "https://example.com/", "without a path"},
		{"ExpectOrigin", "https://ok.example *", `"*" is no origin`},
		{"ExpectOrigin", "null", "is no origin"},
		{"ClientCertCNAuth", " ", "there is no name"},
		{"ClientCertCNAuth", `"John`, "no partner"},
		{"exec", "/no/such/program", "no such file"},
		{"http", "secret", "no URL"},
	}
	for _, tt := range tests {
		auth, err := OpenAuth(tt.plugin, tt.source, (&journal{}).logger())
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s %q: %v; want %q and no secret", tt.plugin, tt.source, err, tt.want)
		}
		if auth != nil {
			t.Errorf("%s %q: there is an Authenticator beside the error", tt.plugin, tt.source)
		}
	}
}

func TestExpectOrigin(t *testing.T) {
	p := newAuth(t, "ExpectOrigin", "https://desk.example http://Other.example:8080 https://[2001:db8::1] app://inner")
	for origin, want := range map[string]string{
		"https://desk.example": "in: ", "https://DESK.example:443": "in: ", "HTTPS://desk.example": "in: ", "http://other.example:8080": "in: ",
		"https://[2001:DB8::1]": "in: ", "app://inner": "in: ",
		"http://desk.example": "403", "https://desk.example:8443": "403", "https://desk.example.evil": "403", "https://evil.desk.example": "403",
		"https://desk.example@evil.example": "403", "https://desk.example/x": "403", "https://desk.example https://evil.example": "403",
		"http://other.example": "403", "null": "403", "": "403", "://": "403", "https://": "403", "https://desk.example\x00": "403", strings.Repeat("A", 1<<20): "403",
	} {
		r := upgrade("")
		r.Header["Origin"] = []string{origin}
		if got := enter(t, p, r); got != want {
			t.Errorf("%.60q: %s, want %s", origin, got, want)
		}
	}
	if got := enter(t, p, upgrade("")); got != "403" {
		t.Error("no Origin:", got)
	}
	r := upgrade("")
	r.Header["Origin"] = []string{"https://desk.example", "https://evil.example"}
	if got := enter(t, p, r); got != "403" {
		t.Error("two Origins:", got)
	}
}

// A real TLS server and client: the certificate counts, and headers that claim
// one do not.
func TestClientCertCNAuth(t *testing.T) {
	p := newAuth(t, "ClientCertCNAuth", `"John Doe" alice desk.example john@example.com spiffe://example/john 192.0.2.1`)
	caKey := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "alice"}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	pool := x509.NewCertPool()
	pool.AddCert(must(x509.ParseCertificate(must(x509.CreateCertificate(rand.Reader, ca, ca, caKey.Public(), caKey)))))
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, enter(t, p, r)) }))
	s.TLS = &tls.Config{ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: pool}
	s.StartTLS()
	defer s.Close()
	get := func(cert *x509.Certificate) string {
		transport := s.Client().Transport.(*http.Transport).Clone()
		defer transport.CloseIdleConnections()
		if cert != nil {
			cert.SerialNumber, cert.NotAfter, cert.ExtKeyUsage = big.NewInt(2), time.Now().Add(time.Hour), []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
			key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
			der := must(x509.CreateCertificate(rand.Reader, cert, ca, key.Public(), caKey))
			transport.TLSClientConfig.Certificates = []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}
		}
		req := must(http.NewRequest("GET", s.URL, nil))
		req.Header.Set("SSL_CLIENT_S_DN_CN", "alice")
		req.Header.Set("X-SSL-Client-CN", "alice")
		resp, err := (&http.Client{Transport: transport}).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		return string(must(readAll(resp.Body, 1000)))
	}
	for name, tt := range map[string]struct {
		cert *x509.Certificate
		want string
	}{
		"common name":     {&x509.Certificate{Subject: pkix.Name{CommonName: "alice"}}, "in: alice"},
		"with spaces":     {&x509.Certificate{Subject: pkix.Name{CommonName: "John Doe"}}, "in: John Doe"},
		"DNS name":        {&x509.Certificate{Subject: pkix.Name{CommonName: "x"}, DNSNames: []string{"y", "desk.example"}}, "in: desk.example"},
		"mail":            {&x509.Certificate{EmailAddresses: []string{"john@example.com"}}, "in: john@example.com"},
		"URI":             {&x509.Certificate{URIs: []*url.URL{must(url.Parse("spiffe://example/john"))}}, "in: spiffe://example/john"},
		"address":         {&x509.Certificate{IPAddresses: ca.IPAddresses, Subject: pkix.Name{CommonName: "192.0.2.1"}}, "in: 192.0.2.1"},
		"another name":    {&x509.Certificate{Subject: pkix.Name{CommonName: "mallory"}}, "403"},
		"half a name":     {&x509.Certificate{Subject: pkix.Name{CommonName: "John"}}, "403"},
		"no name":         {&x509.Certificate{}, "403"},
		"name elsewhere":  {&x509.Certificate{Subject: pkix.Name{Organization: []string{"alice"}}}, "403"},
		"no certificate":  {nil, "403"},
		"name, NUL, name": {&x509.Certificate{Subject: pkix.Name{CommonName: "alice\x00.evil"}}, "403"},
	} {
		if got := get(tt.cert); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
	unverified := upgrade("")
	unverified.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{ca}}
	for name, r := range map[string]*http.Request{"plaintext": upgrade(""), "unverified": unverified} {
		r.Header.Set("SSL_CLIENT_S_DN_CN", "alice")
		if got := enter(t, p, r); got != "403" {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// Every line is a user or a remark, and no user's password is the line's text.
func FuzzParseUsers(f *testing.F) {
	f.Add("a:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\nb:$2y$05$x\n:x\nc:$apr1$ab$Z8CMypjRTfIwKGTFZ3dNf1\nd")
	f.Add("a:$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$c2FsdHNhbHRzYWx0c2FsdA")
	f.Fuzz(func(t *testing.T, text string) {
		file := content{path: "f", data: []byte(text)}
		list, wrong := parseUsers([]content{file})
		lines := 0
		for range file.lines {
			lines++
		}
		if len(list.byName)+len(wrong) != lines || len(list.all) != len(list.byName) {
			t.Errorf("%d lines, %d users, %d remarks", lines, len(list.byName), len(wrong))
		}
		for name, h := range list.byName {
			cheap := strings.HasPrefix(h.text, "{SHA}") || strings.HasPrefix(h.text, "$apr1$")
			if name == "" || cheap && h.matches(h.text) {
				t.Errorf("user %q: %q", name, h.text)
			}
		}
	})
}
