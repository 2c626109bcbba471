package access

import (
	"bytes"
	"crypto/tls"
	"log/slog"
	"net/http"
	"strings"
	"testing"
)

// Which pages may open sessions at https://desk.example:8443, by the list.
func TestOrigins(t *testing.T) {
	for _, tt := range []struct{ list, in, out string }{
		{"*", "https://evil.example null - nonsense", ""},
		{"https://desk.example", "https://desk.example https://desk.example:443 HTTPS://Desk.Example",
			"http://desk.example https://desk.example:8443 https://desk.example.evil https://a.desk.example null - https://desk.example/"},
		{"desk.example", "https://desk.example", "http://desk.example"},
		{"https://desk.example:443", "https://desk.example", "https://desk.example:8443"},
		{"http://localhost:*", "http://localhost http://localhost:3000", "https://localhost:3000 http://localhost.evil:3000"},
		{"*.example.com", "https://a.example.com https://a.b.example.com", "https://example.com https://aexample.com https://example.com.evil http://a.example.com https://a.example.com:8443 https://.example.com"},
		{"http://*.lan:8080,none", "http://a.lan:8080 -", "http://a.lan http://lan:8080"},
		{"https://[2001:DB8:0::1]", "https://[2001:db8::1]:443 https://[2001:db8::1]", "https://[2001:db8::2]"},
		{"chrome-extension://abcdef", "chrome-extension://abcdef", "https://abcdef moz-extension://abcdef"},
		{"null", "null", "- https://null"},
		{"none", "-", "null https://desk.example:8443"},
		{"same-host", "https://desk.example:8443 https://DESK.example:8443", "https://desk.example http://desk.example:8080 https://evil.example:8443 null -"},
		{"same-host,none,https://shop.example", "https://desk.example:8443 - https://shop.example", "https://evil.example"},
	} {
		origins := parseOrigins(t, tt.list)
		for _, text := range strings.Fields(tt.in) {
			if err := origins.Check(from(text, "desk.example:8443")); err != nil {
				t.Errorf("%q refuses %s: %v", tt.list, text, err)
			}
		}
		for _, text := range strings.Fields(tt.out) {
			reason := "the page's origin is not an allowed one"
			if text == "-" {
				reason = "the Origin header is missing"
			}
			refused(t, origins.Check(from(text, "desk.example:8443")), 403, reason)
		}
	}
}

func parseOrigins(t *testing.T, list string) *Origins {
	t.Helper()
	o, err := ParseOrigins(strings.Split(list, ","))
	check(t, err)
	o.Log = slog.New(slog.DiscardHandler)
	return o
}

// from is an upgrade from the page; "-": without a header.
func from(page, host string) *http.Request {
	if page == "-" {
		return upgrade(host)
	}
	return upgrade(host, page)
}

// same-host: a browser leaves out the port that its scheme has (RFC 6454, 6.2;
// RFC 9110, 4.2), and a proxy may have taken TLS off.
func TestSameHost(t *testing.T) {
	o := parseOrigins(t, "same-host")
	for _, tt := range []struct {
		page, host string
		tls, in    bool
	}{
		{"http://desk.example", "desk.example", false, true},
		{"https://desk.example", "desk.example", true, true},
		{"https://desk.example", "desk.example", false, true}, // behind a proxy with TLS
		{"http://desk.example", "desk.example", true, false},  // another port, and another page
		{"https://desk.example", "desk.example:443", true, true},
		{"http://desk.example", "desk.example:80", false, true},
		{"https://desk.example", "desk.example:80", false, false},
		{"http://desk.example:6080", "desk.example:6080", false, true},
		{"http://desk.example:6081", "desk.example:6080", false, false},
		{"http://[::1]:6080", "[::1]:6080", false, true},
		{"http://[::1]:6080", "[0::1]:6080", false, true},
		{"http://127.0.0.1:6080", "localhost:6080", false, false},
		{"http://desk.example", "desk.example.", false, false},
		{"file://desk.example", "desk.example", false, false},
		{"chrome-extension://desk.example", "desk.example", false, false},
		{"http://desk.example:6080", "", false, false},
		{"http://desk.example:6080", "desk.example:6080:1", false, false},
	} {
		r := upgrade("placeholder", tt.page)
		if r.Host = tt.host; tt.tls {
			r.TLS = &tls.ConnectionState{}
		}
		if err := o.Check(r); (err == nil) != tt.in {
			t.Errorf("%+v: %v", tt, err)
		}
	}
}

// Behind a trusted proxy the page is of the host that the proxy was asked for.
func TestForwardedHost(t *testing.T) {
	o := parseOrigins(t, "same-host")
	o.Host = func(r *http.Request) string { return r.Header.Get("X-Forwarded-Host") }
	r := upgrade("10.0.0.5:6080", "https://desk.example")
	r.Header.Set("X-Forwarded-Host", "desk.example")
	check(t, o.Check(r))
	r.Header.Set("Origin", "http://10.0.0.5:6080")
	refused(t, o.Check(r), 403, "the page's origin is not an allowed one")
}

// The client is told nothing of what it sent; the log is, in bounds.
func TestOriginInLog(t *testing.T) {
	var log bytes.Buffer
	o := parseOrigins(t, "https://desk.example")
	o.Log = slog.New(slog.NewTextHandler(&log, nil))
	refused(t, o.Check(upgrade("desk.example", "https://evil.example\n"+strings.Repeat("x", 10_000))), 403, "the page's origin is not an allowed one")
	if got := log.String(); !strings.Contains(got, `origin="https://evil.example\n`) || len(got) > 400 {
		t.Errorf("the log: %s", got)
	}
	refused(t, o.Check(upgrade("desk.example", "https://desk.example", "https://desk.example")), 403, "there are several Origin headers")
}

func TestOriginMistakes(t *testing.T) {
	for list, says := range map[string]string{
		"":                              "the host is no name and no address",
		"https://desk.example/":         "write https://host, without a path",
		"https://desk.example/app":      "without a path",
		"://desk.example":               "the scheme is missing",
		"ht tp://desk.example":          "the scheme is missing",
		"https://":                      "the host is no name",
		"https://user@desk.example":     "the host is no name",
		"https://desk.example:0":        "the port is no number from 1 to 65535",
		"https://desk.example:65536":    "the port is no number",
		"https://desk.example:080":      "the port is no number",
		"https://[desk.example]":        "brackets enclose an IPv6 address",
		"https://[192.0.2.1]":           "brackets enclose an IPv6 address",
		"https://desk.*":                "the host is no name",
		"https://*":                     "the host is no name",
		"same-origin or so":             "the host is no name",
		"2001:db8::1":                   "the host is no name",
		strings.Repeat("x", 1000) + "/": "...",
	} {
		_, err := ParseOrigins([]string{list})
		wantError(t, list, err, says)
	}
	_, err := ParseOrigins(nil)
	wantError(t, "no origin", err, "write https://host, same-host, none or *")
}

// What a browser sends is another's outside bytes; what the list has of the same
// text lets it in.
func FuzzOrigin(f *testing.F) {
	for _, s := range []string{"https://desk.example", "http://[::1]:6080", "null", "https://a.example:443", "*", "https://*.example.com:*", "-"} {
		f.Add(s, "desk.example:443")
	}
	f.Fuzz(func(t *testing.T, page, host string) {
		r := upgrade("placeholder", page)
		r.Host = host
		same := parseOrigins(t, "same-host").Check(r) == nil
		o, err := parseOrigin(page)
		if same && (err != nil || !strings.Contains(strings.ToLower(page), o.host)) {
			t.Errorf("%q is of %q: %v", page, host, err)
		}
		listed, err := ParseOrigins([]string{page})
		if err != nil || strings.Contains(page, "*") || page == "none" || page == "same-host" || !strings.Contains(page, "://") {
			return
		}
		if err := listed.Check(r); err != nil {
			t.Errorf("%q does not let itself in: %v", page, err)
		}
	})
}
