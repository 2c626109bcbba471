package listen

import (
	"encoding/pem"
	"errors"
	"os"
	"strings"
	"testing"
)

const passphrase = "correct horse"

// Keys locked by the real openssl, in each way it has, are unlocked by their
// passphrase; another one is told to be wrong.
func TestEncryptedKeys(t *testing.T) {
	d := newDir(t)
	a := issue(t, "a", nil)
	cert, plain := d.write("a.pem", a.cert), d.write("a.key", a.key)
	pkcs8 := func(args ...string) []string { return append([]string{"pkcs8", "-topk8", "-in", plain}, args...) }
	tests := []struct {
		name string
		args []string
	}{
		{"as openssl likes", pkcs8()},
		{"aes128", pkcs8("-v2", "aes-128-cbc")},
		{"aes192", pkcs8("-v2", "aes-192-cbc")},
		{"aes256", pkcs8("-v2", "aes-256-cbc", "-iter", "5000")},
		{"triple des", pkcs8("-v2", "des3")},
		{"sha1", pkcs8("-v2", "aes256", "-v2prf", "hmacWithSHA1")},
		{"sha224", pkcs8("-v2", "aes256", "-v2prf", "hmacWithSHA224")},
		{"sha384", pkcs8("-v2", "aes256", "-v2prf", "hmacWithSHA384")},
		{"sha512", pkcs8("-v2", "aes256", "-v2prf", "hmacWithSHA512")},
		{"old aes", []string{"ec", "-in", plain, "-aes256"}},
		{"old triple des", []string{"ec", "-in", plain, "-des3"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			key := d.path("locked.key")
			openssl(t, append(tt.args, "-out", key, "-passout", "pass:"+passphrase)...)
			checkLocked(t, CertificateFiles{Cert: cert, Key: key})
		})
	}
}

func checkLocked(t *testing.T, p CertificateFiles) {
	t.Helper()
	_, err := p.Load(nil)
	if err == nil || !strings.Contains(err.Error(), "is encrypted: give its passphrase, or decrypt it with openssl pkey -in "+p.Key) {
		t.Errorf("without a passphrase: %v", err)
	}
	p.Passphrase = "wrong horse"
	_, err = p.Load(nil)
	if !errors.Is(err, ErrPassphrase) || err.Error() != "key "+p.Key+": the passphrase is wrong, or the file is damaged" {
		t.Errorf("with a wrong passphrase: %v", err)
	}
	p.Passphrase = passphrase
	c, err := p.Load(nil)
	if err != nil || shown(t, c) == "" {
		t.Errorf("with its passphrase: %v", err)
	}
}

// The recipes of manuals: key and certificate made in one go, and both in one
// file, with a key from before PKCS #8.
func TestCertificateFromOpenSSL(t *testing.T) {
	d := newDir(t)
	cert, key := d.path("c.pem"), d.path("k.pem")
	openssl(t, "req", "-x509", "-newkey", "rsa:2048", "-subj", "/CN=a", "-keyout", key, "-out", cert, "-passout", "pass:"+passphrase)
	checkLocked(t, CertificateFiles{Cert: cert, Key: key})

	old := d.path("old.key")
	openssl(t, "rsa", "-in", key, "-passin", "pass:"+passphrase, "-aes128", "-traditional", "-out", old, "-passout", "pass:"+passphrase)
	checkLocked(t, CertificateFiles{Cert: cert, Key: old})
	both := d.write("self.pem", read(t, old), read(t, cert))
	c, err := CertificateFiles{Cert: both, Passphrase: passphrase}.Load(nil)
	if err != nil || shown(t, c) != "a" {
		t.Errorf("in one file: %v", err)
	}
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	check(t, err)
	return data
}

// What is not read here is told, with what to do about it.
func TestKeyFormsNotRead(t *testing.T) {
	d := newDir(t)
	a := issue(t, "a", nil)
	cert, plain, key := d.write("a.pem", a.cert), d.write("a.key", a.key), d.path("locked.key")
	tests := []struct {
		args []string
		want string
	}{
		{[]string{"-scrypt"}, "key derivation scrypt is not known here"},
		{[]string{"-v2", "camellia-128-cbc"}, "cipher 1.2.392.200011.61.1.1.1.2 is not known here"},
		{[]string{"-v1", "PBE-SHA1-3DES"}, "encryption 1.2.840.113549.1.12.1.3 is not known here"},
		{[]string{"-v2", "aes128", "-iter", "2000001"}, "damaged encrypted key: 2000001 iterations"},
	}
	for _, tt := range tests {
		args := append([]string{"pkcs8", "-topk8", "-in", plain, "-out", key, "-passout", "pass:" + passphrase}, tt.args...)
		openssl(t, args...)
		_, err := CertificateFiles{Cert: cert, Key: key, Passphrase: passphrase}.Load(nil)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v: %v, want %q", tt.args, err, tt.want)
		}
		if hint := strings.Contains(tt.want, "known"); hint && !errors.Is(err, errKeyForm) {
			t.Errorf("%v: %v does not say what to do", tt.args, err)
		}
	}
}

func TestDamagedEncryptedKeys(t *testing.T) {
	d := newDir(t)
	a := issue(t, "a", nil)
	for name, key := range map[string][]byte{"new": garbled("ENCRYPTED PRIVATE KEY"), "old": oldEncrypted()} {
		_, err := CertificateFiles{d.write("a.pem", a.cert), d.write(name, key), passphrase}.Load(nil)
		if err == nil || !strings.Contains(err.Error(), "key "+d.path(name)+": ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A passphrase is of no matter to a key without one.
func TestNeedlessPassphrase(t *testing.T) {
	d := newDir(t)
	a := issue(t, "a", nil)
	c, err := CertificateFiles{Cert: d.write("x.pem", a.cert, a.key), Passphrase: passphrase}.Load(nil)
	if err != nil || shown(t, c) != "a" {
		t.Errorf("%v", err)
	}
}

// lockedKey is from openssl genpkey -algorithm ED25519 -aes256; its passphrase
// is passphrase.
const lockedKey = `-----BEGIN ENCRYPTED PRIVATE KEY-----
MIGbMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAhuY/ay4K7N0QICCAAw
DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEIRC0W7M6r3hJi9Cbiq5HdEEQFv4
HYTNW/EdMVeyM8x5C+AFtjZUtbSHwnm3SU3Jtcc9dR6g1gbCpImRN3jLtGRBBrhr
ez2k3/A/60ZioOhS6NM=
-----END ENCRYPTED PRIVATE KEY-----
`

// Whatever the file holds, there is a key or an error, soon.
func FuzzDecryptKey(f *testing.F) {
	f.Add([]byte(lockedKey))
	f.Add([]byte(strings.Replace(lockedKey, "MIG", "MIH", 1)))
	f.Fuzz(func(t *testing.T, data []byte) {
		block, _ := pem.Decode(data)
		if block == nil {
			block = &pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: data}
		}
		open, err := decryptKey(block, passphrase)
		if (open == nil) == (err == nil) {
			t.Errorf("%v, %v", open, err)
		}
	})
}
