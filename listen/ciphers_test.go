package listen

import (
	"crypto/tls"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// chosen are the OpenSSL names of ids, sorted.
func chosen(ids []uint16) []string {
	names := []string{}
	for _, s := range suites {
		if slices.Contains(ids, s.id) {
			names = append(names, s.name)
		}
	}
	slices.Sort(names)
	return names
}

// Both names of each suite are OpenSSL's and IANA's own.
func TestSuiteNames(t *testing.T) {
	standard := map[string]string{}
	for line := range strings.Lines(openssl(t, "ciphers", "-stdname", "ALL:@SECLEVEL=0")) {
		if words := strings.Fields(line); len(words) > 2 {
			standard[words[2]] = words[0]
		}
	}
	for _, s := range suites {
		if iana := tls.CipherSuiteName(s.id); standard[s.name] != iana {
			t.Errorf("%s is %s to OpenSSL, %s here", s.name, standard[s.name], iana)
		}
	}
	for _, s := range tls.CipherSuites() {
		if known := slices.ContainsFunc(suites, func(o suite) bool { return o.id == s.ID && !o.insecure }); known == isTLS13(s.Name) {
			t.Errorf("%s is missing here", s.Name)
		}
	}
	for _, s := range tls.InsecureCipherSuites() {
		if slices.ContainsFunc(suites, func(o suite) bool { return o.id == s.ID && !o.insecure }) {
			t.Errorf("%s is insecure to Go", s.Name)
		}
	}
}

// A cipher string selects what OpenSSL selects by it, of what Go has and
// calls secure.
func TestCiphersLikeOpenSSL(t *testing.T) {
	for _, s := range []string{
		"HIGH", "ALL", "HIGH:!aNULL:!MD5", "HIGH:!aNULL:!eNULL:!EXPORT:!DES:!RC4:!MD5:!PSK",
		"ECDHE+AESGCM", "EECDH+AESGCM:EDH+AESGCM", "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:DHE+CHACHA20:!aNULL:!MD5:!DSS",
		"EECDH+AESGCM:EDH+AESGCM:AES256+EECDH:AES256+EDH", "ECDHE+AES:!SHA1", "ECDHE+AES128", "AES256:!SHA",
		"HIGH:!kRSA", "HIGH:-ECDHE:ECDHE+CHACHA20", "HIGH:!ECDHE:ECDHE+CHACHA20:AES128-SHA", "HIGH:!aECDSA:!CAMELLIA", "ECDSA+AESGCM",
		"AESGCM:!aRSA", "ALL:+SHA1", "HIGH:!AES128", "ECDHE+aRSA+AES256", "HIGH:!SHA1:!SHA256:!SHA384",
		"AES128-SHA:AES256-SHA", "AES128-SHA:HIGH:!RSA", "ECDHE-RSA-AES128-SHA256:-SHA256:CHACHA20",
		"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:DHE-RSA-AES128-GCM-SHA256",
		"kEECDH:TLSv1.2+kECDHE", "HIGH:!TLSv1", "HIGH:!SSLv3", "TLSv1.2", "TLSv1", "DEFAULT:!SHA", "TLS_AES_128_GCM_SHA256:ECDHE-RSA-AES256-SHA",
	} {
		want := []string{}
		for _, name := range strings.Split(strings.TrimSpace(openssl(t, "ciphers", s+":@SECLEVEL=0")), ":") {
			known := slices.IndexFunc(suites, func(o suite) bool { return o.name == name })
			if known >= 0 && (!suites[known].insecure || strings.Contains(":"+s+":", ":"+name+":")) {
				want = append(want, name)
			}
		}
		slices.Sort(want)
		ids, _, err := ParseCiphers(s)
		if len(want) == 0 && err != nil {
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", s, err)
			continue
		}
		if diff := cmp.Diff(want, chosen(ids)); diff != "" {
			t.Errorf("%s (-OpenSSL +here):\n%s", s, diff)
		}
	}
}

func TestParseCiphers(t *testing.T) {
	gcm := []string{"ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256"}
	tests := []struct {
		in    string
		want  []string
		notes []string // what each says
	}{
		{"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256", gcm, nil},
		{"ECDHE-ECDSA-AES128-GCM-SHA256,ECDHE-RSA-AES128-GCM-SHA256", gcm, nil},
		{" ECDHE-ECDSA-AES128-GCM-SHA256  ECDHE-RSA-AES128-GCM-SHA256 ", gcm, nil},
		{"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256:TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", gcm, nil},
		{"ECDHE+AESGCM+AES128:!aNULL:!MD5", gcm, nil},
		{"ECDHE+AESGCM:!AES256:TLS_AES_256_GCM_SHA384", gcm, nil},
		{"ECDHE+AES128+AESGCM:DHE+AESGCM:DHE-RSA-AES128-GCM-SHA256", gcm,
			[]string{`"DHE+AESGCM" selects no`, `"DHE-RSA-AES128-GCM-SHA256" selects no`}},
		{"ECDHE+AES128+AESGCM:@STRENGTH", gcm, []string{`"@STRENGTH" has no effect`}},
		{"AES128-SHA", []string{"AES128-SHA"}, nil},
		{"TLS_AES_128_GCM_SHA256", []string{}, []string{"only TLS 1.3 suites are named"}},
	}
	for _, tt := range tests {
		ids, notes, err := ParseCiphers(tt.in)
		if err != nil || ids == nil {
			t.Errorf("%s: %v, %v", tt.in, ids, err)
			continue
		}
		if diff := cmp.Diff(tt.want, chosen(ids)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.in, diff)
		}
		if !slices.EqualFunc(notes, tt.notes, strings.Contains) {
			t.Errorf("%s notes %q, want %q", tt.in, notes, tt.notes)
		}
	}
	if ids, notes, err := ParseCiphers(" "); ids != nil || notes != nil || err != nil {
		t.Errorf("nothing: %v, %v, %v", ids, notes, err)
	}
}

func TestParseCiphersMistakes(t *testing.T) {
	tests := []struct{ in, want string }{
		{"ECDHE-RSA-AES128-GCM-SHA265", `unknown cipher "ECDHE-RSA-AES128-GCM-SHA265": known are HIGH, ECDHE+AESGCM and the like, and ECDHE-ECDSA-AES128-GCM-SHA256 `},
		{"HIGH:!3DESS", `unknown cipher "3DESS"`},
		{"HIGH:ECDHE+AESGMC", `unknown cipher "ECDHE+AESGMC"`},
		{"HIGH:!", "needs a name behind"},
		{"HIGH:!-MD5", "write one of ! - +"},
		{"HIGH:!ALL", `cipher string "HIGH:!ALL" leaves no cipher suite`},
		{"RC4", "leaves no cipher suite"},
		{"!HIGH:TLS_CHACHA20_POLY1305_SHA256:!x", `unknown cipher "x"`},
	}
	for _, tt := range tests {
		ids, _, err := ParseCiphers(tt.in)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, %v; want %q", tt.in, chosen(ids), err, tt.want)
		}
	}
}

func TestParseVersion(t *testing.T) {
	for in, want := range map[string]uint16{
		"default": tls.VersionTLS12, "tlsv1_1": tls.VersionTLS11, "tlsv1_2": tls.VersionTLS12, "tlsv1_3": tls.VersionTLS13,
	} {
		if got, err := ParseVersion(in); got != want || err != nil {
			t.Errorf("%s: %s, %v", in, tls.VersionName(got), err)
		}
	}
	for _, in := range []string{"", "tlsv1", "TLSv1_2", "sslv3", "1.2"} {
		if _, err := ParseVersion(in); err == nil || !strings.Contains(err.Error(), "write default, tlsv1_1, tlsv1_2 or tlsv1_3") {
			t.Errorf("%q: %v", in, err)
		}
	}
}
