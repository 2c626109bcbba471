package listen

import (
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// suite is a cipher suite by OpenSSL's name. classes are the words that select
// it in a cipher string; only its name selects one that Go calls insecure.
type suite struct {
	name     string
	id       uint16
	insecure bool
	classes  string
}

// suites are those of Go for TLS 1.2 and before, without the broken ones (RC4,
// 3DES).
var suites = []suite{
	{"ECDHE-ECDSA-AES128-GCM-SHA256", tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, false, "ECDHE ECDSA AES AES128 AESGCM AEAD TLSv1.2"},
	{"ECDHE-RSA-AES128-GCM-SHA256", tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, false, "ECDHE aRSA AES AES128 AESGCM AEAD TLSv1.2"},
	{"ECDHE-ECDSA-AES256-GCM-SHA384", tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, false, "ECDHE ECDSA AES AES256 AESGCM AEAD TLSv1.2"},
	{"ECDHE-RSA-AES256-GCM-SHA384", tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, false, "ECDHE aRSA AES AES256 AESGCM AEAD TLSv1.2"},
	{"ECDHE-ECDSA-CHACHA20-POLY1305", tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, false, "ECDHE ECDSA CHACHA20 AEAD TLSv1.2"},
	{"ECDHE-RSA-CHACHA20-POLY1305", tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, false, "ECDHE aRSA CHACHA20 AEAD TLSv1.2"},
	{"ECDHE-ECDSA-AES128-SHA", tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, false, "ECDHE ECDSA AES AES128 SHA1 TLSv1"},
	{"ECDHE-RSA-AES128-SHA", tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, false, "ECDHE aRSA AES AES128 SHA1 TLSv1"},
	{"ECDHE-ECDSA-AES256-SHA", tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA, false, "ECDHE ECDSA AES AES256 SHA1 TLSv1"},
	{"ECDHE-RSA-AES256-SHA", tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA, false, "ECDHE aRSA AES AES256 SHA1 TLSv1"},

	{"ECDHE-ECDSA-AES128-SHA256", tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256, true, "ECDHE ECDSA AES AES128 SHA256 TLSv1.2"},
	{"ECDHE-RSA-AES128-SHA256", tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256, true, "ECDHE aRSA AES AES128 SHA256 TLSv1.2"},
	{"AES128-GCM-SHA256", tls.TLS_RSA_WITH_AES_128_GCM_SHA256, true, "RSA aRSA AES AES128 AESGCM AEAD TLSv1.2"},
	{"AES256-GCM-SHA384", tls.TLS_RSA_WITH_AES_256_GCM_SHA384, true, "RSA aRSA AES AES256 AESGCM AEAD TLSv1.2"},
	{"AES128-SHA256", tls.TLS_RSA_WITH_AES_128_CBC_SHA256, true, "RSA aRSA AES AES128 SHA256 TLSv1.2"},
	{"AES128-SHA", tls.TLS_RSA_WITH_AES_128_CBC_SHA, true, "RSA aRSA AES AES128 SHA1 SSLv3"},
	{"AES256-SHA", tls.TLS_RSA_WITH_AES_256_CBC_SHA, true, "RSA aRSA AES AES256 SHA1 SSLv3"},
}

// synonyms are other spellings of a class.
var synonyms = map[string]string{
	"EECDH": "ECDHE", "kEECDH": "ECDHE", "kECDHE": "ECDHE", "aECDSA": "ECDSA", "kRSA": "RSA", "SHA": "SHA1", "TLSv1.0": "TLSv1",
}

// everything selects every suite, none the classes of suites that Go lacks.
const (
	everything = "ALL DEFAULT HIGH"
	none       = "aNULL eNULL NULL COMPLEMENTOFALL COMPLEMENTOFDEFAULT LOW MEDIUM EXP EXPORT EXPORT40 EXPORT56 " +
		"DES 3DES RC2 RC4 IDEA SEED CAMELLIA CAMELLIA128 CAMELLIA256 ARIA ARIA128 ARIA256 ARIAGCM AESCCM AESCCM8 CBC " +
		"MD5 SHA384 DH DHE EDH kDHE kEDH kDH kDHr kDHd ADH AECDH ECDH kECDH kECDHr kECDHe aECDH aDH DSS aDSS " +
		"PSK kPSK aPSK kECDHEPSK kDHEPSK kRSAPSK SRP kSRP aSRP KRB5 GOST GOST94 GOST89MAC aGOST aGOST01 kGOST SSLv2"
)

// elsewhere are suites that usual lists name, besides those with finite-field
// Diffie-Hellman, and that are not offered here.
const elsewhere = "ECDHE-ECDSA-AES256-SHA384 ECDHE-RSA-AES256-SHA384 AES256-SHA256 CAMELLIA128-SHA CAMELLIA256-SHA " +
	"DES-CBC3-SHA ECDHE-RSA-DES-CBC3-SHA ECDHE-ECDSA-DES-CBC3-SHA " +
	"RC4-SHA RC4-MD5 ECDHE-RSA-RC4-SHA ECDHE-ECDSA-RC4-SHA"

// ParseCiphers reads an OpenSSL cipher string: items separated by colons,
// commas or spaces, each a suite by OpenSSL's or IANA's name, or a class such
// as HIGH or ECDHE+AESGCM; "!" or "-" before an item takes out what it
// selects, "!" for good. An order means nothing: Go has its own, and its TLS
// 1.3 suites are fixed; naming one is allowed.
//
// The result is what a tls.Config takes as CipherSuites: nil, its own choice,
// for an empty string, and empty when s names TLS 1.3 alone. notes say what of s
// has no effect, for the log. An unknown name is an error that lists the known.
func ParseCiphers(s string) (ids []uint16, notes []string, err error) {
	if strings.TrimSpace(s) == "" {
		return nil, nil, nil
	}
	c := choice{ids: []uint16{}}
	for _, item := range strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(":, ;\t", r) }) {
		if err := c.apply(item); err != nil {
			return nil, nil, err
		}
	}
	switch {
	case len(c.ids) > 0:
	case c.tls13:
		c.note("only TLS 1.3 suites are named: a client without it gets no connection")
	default:
		return nil, nil, fmt.Errorf("cipher string %q leaves no cipher suite", s)
	}
	return c.ids, c.notes, nil
}

// choice is what a cipher string has selected so far.
type choice struct {
	ids, banned []uint16
	tls13       bool
	notes       []string
}

func (c *choice) note(format string, args ...any) {
	c.notes = append(c.notes, fmt.Sprintf(format, args...))
}

// apply takes one item of the string into account.
func (c *choice) apply(item string) error {
	if strings.HasPrefix(item, "@") {
		c.note("%q has no effect: levels and order are Go's own", item)
		return nil
	}
	name := strings.TrimLeft(item, "!-+")
	op := item[:len(item)-len(name)]
	if isTLS13(name) {
		c.tls13 = c.tls13 || op == ""
		return nil
	}
	ids, err := selected(name, op != "")
	if err != nil {
		return err
	}
	switch op {
	case "":
		c.add(name, ids)
	case "!":
		c.banned = append(c.banned, ids...)
		c.remove(ids)
	case "-":
		c.remove(ids)
	case "+": // moves them to the end of an order that Go has none of
	default:
		return fmt.Errorf("cipher %q: write one of ! - + before a name", item)
	}
	return nil
}

func (c *choice) add(name string, ids []uint16) {
	if len(ids) == 0 {
		c.note("%q selects no cipher suite that is offered here", name)
	}
	for _, id := range ids {
		if !slices.Contains(c.ids, id) && !slices.Contains(c.banned, id) {
			c.ids = append(c.ids, id)
		}
	}
}

func (c *choice) remove(ids []uint16) {
	c.ids = slices.DeleteFunc(c.ids, func(id uint16) bool { return slices.Contains(ids, id) })
}

// selected are the suites a name or a class, or classes joined by "+", stands
// for; insecure ones are in classes only when asked for.
func selected(name string, insecure bool) (ids []uint16, err error) {
	for _, s := range suites {
		if name == s.name || name == tls.CipherSuiteName(s.id) {
			return []uint16{s.id}, nil
		}
	}
	if isElsewhere(name) {
		return nil, nil
	}
	classes := strings.Split(name, "+")
	for _, class := range classes {
		if !isClass(class) {
			return nil, unknownCipher(name)
		}
	}
	for _, s := range suites {
		if (insecure || !s.insecure) && s.inAll(classes) {
			ids = append(ids, s.id)
		}
	}
	return ids, nil
}

func (s suite) inAll(classes []string) bool {
	for _, class := range classes {
		if !hasWord(everything, class) && !s.in(class) {
			return false
		}
	}
	return true
}

func (s suite) in(class string) bool {
	if other, ok := synonyms[class]; ok {
		class = other
	}
	return hasWord(s.classes, class)
}

func isClass(word string) bool {
	return hasWord(everything, word) || hasWord(none, word) ||
		slices.ContainsFunc(suites, func(s suite) bool { return s.in(word) })
}

func hasWord(words, word string) bool { return slices.Contains(strings.Fields(words), word) }

func isElsewhere(name string) bool {
	return hasWord(elsewhere, name) ||
		strings.HasPrefix(name, "DHE-") || strings.HasPrefix(name, "EDH-") || strings.HasPrefix(name, "TLS_DHE_")
}

func isTLS13(name string) bool {
	return slices.ContainsFunc(tls.CipherSuites(), func(s *tls.CipherSuite) bool {
		return s.Name == name && slices.Equal(s.SupportedVersions, []uint16{tls.VersionTLS13})
	})
}

func unknownCipher(name string) error {
	if name == "" {
		return errors.New("a cipher string needs a name behind ! - +")
	}
	var known []string
	for _, s := range suites {
		known = append(known, s.name)
	}
	return fmt.Errorf("unknown cipher %q: known are HIGH, ECDHE+AESGCM and the like, and %s", name, strings.Join(known, " "))
}
