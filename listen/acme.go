package listen

import (
	"cmp"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
)

// ACME is an authority that gives certificates for names to whom it finds
// behind them (RFC 8555). It looks on port 443 of each name, by TLS (tls-alpn-01,
// RFC 8737): that port has to lead to one that wsbridge listens on.
type ACME struct {
	Names     []string     // in ASCII, without wildcards
	Email     string       // where the authority may write to; may be empty
	Directory string       // URL of the authority; default Let's Encrypt
	Cache     string       // folder for certificates and keys, made if it is not there
	CAFile    string       // who signed the authority's own certificate, PEM; "": the system knows
	KeyID     string       // external account binding, where the authority wants one; "": none
	Key       string       // of KeyID, in base64url
	Log       *slog.Logger // nil: slog.Default
}

const (
	maxNames       = 100
	requestTimeout = 30 * time.Second
)

// Open makes the cache's folder and asks nobody. The terms of the authority
// count as accepted. The caller calls Start, and Close.
func (a ACME) Open() (*Obtained, error) {
	a.Log = cmp.Or(a.Log, slog.Default())
	names, err := a.names()
	if err != nil {
		return nil, err
	}
	if a.Cache == "" {
		return nil, errors.New("certificates by ACME need a folder to keep them in: an authority gives only so many")
	}
	if err := os.MkdirAll(a.Cache, 0o700); err != nil {
		return nil, fmt.Errorf("ACME cache %s: %w", a.Cache, reason(err))
	}
	if err := keepsSecrets(a.Cache); err != nil {
		return nil, fmt.Errorf("ACME cache %s %w", a.Cache, err)
	}
	o := newObtained(names, a.Log)
	if err := a.manage(o); err != nil {
		return nil, err
	}
	return o, nil
}

// manage gives o what obtains certificates.
func (a ACME) manage(o *Obtained) error {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if a.CAFile != "" {
		pool, err := file{"ACME CA file", a.CAFile}.pool()
		if err != nil {
			return err
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool}
	}
	o.wire.base = transport
	o.cache = autocert.DirCache(a.Cache)
	o.manager = &autocert.Manager{
		Prompt:     autocert.AcceptTOS,
		Cache:      reporting{o.cache, o},
		HostPolicy: autocert.HostWhitelist(o.names...),
		Email:      a.Email,
		Client: &acme.Client{
			DirectoryURL: cmp.Or(a.Directory, autocert.DefaultACMEDirectory),
			HTTPClient:   &http.Client{Transport: o.wire, Timeout: requestTimeout},
			UserAgent:    "wsbridge",
		},
	}
	if a.KeyID == "" {
		return nil
	}
	key, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(a.Key, "="))
	if err != nil || len(key) == 0 {
		return fmt.Errorf("the ACME key of %s is not base64url: copy it as the authority shows it", a.KeyID)
	}
	o.manager.ExternalAccountBinding = &acme.ExternalAccountBinding{KID: a.KeyID, Key: key}
	return nil
}

// names are those that an authority can look behind.
func (a ACME) names() (names []string, err error) {
	for _, name := range a.Names {
		ascii := strings.ToLower(strings.TrimSuffix(name, "."))
		switch {
		case strings.Contains(ascii, "*"):
			return nil, fmt.Errorf("ACME name %q: a wildcard needs DNS: name each host, or use --cert", name)
		case net.ParseIP(ascii) != nil:
			return nil, fmt.Errorf("ACME name %q is an address: certificates are for names", name)
		case !strings.Contains(ascii, "."):
			return nil, fmt.Errorf("ACME name %q has no dot: write the full name, as in desk.example.com", name)
		case strings.ContainsFunc(ascii, isNotOfName) || len(ascii) > 253:
			return nil, fmt.Errorf("ACME name %q is not a host name in ASCII: write desk.example.com, and xn-- for other letters", name)
		case !slices.Contains(names, ascii):
			names = append(names, ascii)
		}
	}
	if len(names) == 0 || len(names) > maxNames {
		return nil, fmt.Errorf("certificates by ACME need 1 to %d names, and not %d", maxNames, len(names))
	}
	return names, nil
}

func isNotOfName(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '.'
}
