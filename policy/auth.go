package policy

import (
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// origins is ExpectOrigin.
type origins []string

func openOrigins(source string, _ *slog.Logger) (Authenticator, error) {
	var all origins
	for _, s := range strings.Fields(source) {
		o, ok := parseOrigin(s)
		if !ok {
			return nil, fmt.Errorf("%q is no origin: write https://host or https://host:port, without a path", s)
		}
		all = append(all, o)
	}
	if len(all) == 0 {
		return nil, errors.New("there is no origin: write https://host or https://host:port")
	}
	return all, nil
}

func (o origins) Authenticate(r *http.Request) (string, error) {
	values := r.Header.Values("Origin")
	if len(values) != 1 {
		return "", forbidden("the Origin header is missing, or there are several")
	}
	origin, ok := parseOrigin(values[0])
	if !ok || !slices.Contains(o, origin) {
		return "", forbidden("the Origin is not an allowed one")
	}
	return "", nil
}

// parseOrigin is scheme://host[:port] (RFC 6454, 6.1) in its plainest form.
func parseOrigin(s string) (string, bool) {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Hostname() == "" || !strings.EqualFold(s, u.Scheme+"://"+u.Host) {
		return "", false
	}
	scheme, host := strings.ToLower(u.Scheme), strings.ToLower(u.Hostname())
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	switch port := u.Port(); {
	case port == "", port == "80" && scheme == "http", port == "443" && scheme == "https":
		return scheme + "://" + host, true
	default:
		return scheme + "://" + host + ":" + port, true
	}
}

// certNames is ClientCertCNAuth.
type certNames []string

func openCertNames(source string, _ *slog.Logger) (Authenticator, error) {
	names, err := words(source)
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, errors.New(`there is no name: write NAME "NAME WITH SPACES"`)
	}
	return certNames(names), nil
}

// Authenticate believes the TLS state alone, and no header.
func (c certNames) Authenticate(r *http.Request) (string, error) {
	if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 || len(r.TLS.VerifiedChains[0]) == 0 {
		return "", forbidden("a verified client certificate is needed: connect by TLS with one")
	}
	for _, name := range identities(r.TLS.VerifiedChains[0][0]) {
		if slices.Contains(c, name) {
			return name, nil
		}
	}
	return "", forbidden("the client certificate's name is not an allowed one")
}

// identities are a certificate's common name and subject alternative names.
func identities(cert *x509.Certificate) []string {
	names := slices.Concat([]string{cert.Subject.CommonName}, cert.DNSNames, cert.EmailAddresses)
	for _, u := range cert.URIs {
		names = append(names, u.String())
	}
	for _, ip := range cert.IPAddresses {
		names = append(names, ip.String())
	}
	return names
}
