package ticket

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Claims are what a ticket says.
type Claims struct {
	Target    string       // where it leads; what is in it is the caller's matter
	User      string       // who it is for; "": whoever has it
	ID        string       // what tells it from all others
	Issued    time.Time    // to the millisecond, as are the other two
	NotBefore time.Time    // zero: from the beginning
	Expires   time.Time    // the first moment it is not good any more
	Once      bool         // it lets in once
	Client    netip.Prefix // from where it may be used; zero: from anywhere
	Path      string       // where it may be used; "": everywhere
	Audience  []string     // the bridges it is for; empty: all
}

// The most that a claim may have, in bytes.
const (
	minID     = 16
	maxID     = 128
	maxUser   = 256
	maxTarget = 512
	maxPath   = 512
)

// names are the claims there are. One that is not known could be a limit that
// was meant, so it is no claim to overlook.
var names = []string{"aud", "client", "exp", "iat", "jti", "nbf", "once", "path", "sub", "target"}

// wire is Claims as JSON has them.
type wire struct {
	Target    string   `json:"target"`
	User      string   `json:"sub,omitempty"`
	Audience  audience `json:"aud,omitempty"`
	Client    string   `json:"client,omitempty"`
	Path      string   `json:"path,omitempty"`
	Once      bool     `json:"once,omitempty"`
	ID        string   `json:"jti"`
	Issued    moment   `json:"iat"`
	NotBefore moment   `json:"nbf,omitzero"`
	Expires   moment   `json:"exp"`
}

// audience is one name, or a list of them (RFC 7519, 4.1.3).
type audience []string

func (a audience) MarshalJSON() ([]byte, error) {
	if len(a) == 1 {
		return json.Marshal(a[0])
	}
	return json.Marshal([]string(a))
}

func (a *audience) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		*a = []string{""}
		return json.Unmarshal(b, &(*a)[0])
	}
	return json.Unmarshal(b, (*[]string)(a))
}

// moment is a NumericDate (RFC 7519, 2) in milliseconds.
type moment int64

// maxMoment is the end of the year 9999.
const maxMoment = 253402300800_000

func (m moment) MarshalJSON() ([]byte, error) {
	text := fmt.Sprintf("%d.%03d", m/1000, m%1000)
	return []byte(strings.TrimSuffix(strings.TrimRight(text, "0"), ".")), nil
}

func (m *moment) UnmarshalJSON(b []byte) error {
	var seconds float64
	if err := json.Unmarshal(b, &seconds); err != nil {
		return err
	}
	if seconds <= 0 || seconds*1000 >= maxMoment {
		return errors.New("no time from 1970 to 9999")
	}
	*m = moment(math.Round(seconds * 1000))
	return nil
}

func momentOf(t time.Time) moment {
	if t.IsZero() {
		return 0
	}
	return moment(t.UnixMilli())
}

func (m moment) time() time.Time {
	if m == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(m)).UTC()
}

// marshal is c as JSON, once it is whole.
func (c Claims) marshal() ([]byte, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	w := wire{
		Target: c.Target, User: c.User, ID: c.ID, Once: c.Once, Path: c.Path, Audience: c.Audience,
		Issued: momentOf(c.Issued), NotBefore: momentOf(c.NotBefore), Expires: momentOf(c.Expires),
	}
	if c.Client.IsValid() {
		w.Client = c.Client.String()
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(w)
	return bytes.TrimSpace(b.Bytes()), err
}

// unmarshal reads what marshal wrote, and what others may write instead.
func unmarshal(payload []byte) (c Claims, err error) {
	if err := checkMembers(payload); err != nil {
		return c, err
	}
	var w wire
	if json.Unmarshal(payload, &w) != nil {
		return c, errors.New("a claim is of the wrong kind")
	}
	c = Claims{
		Target: w.Target, User: w.User, ID: w.ID, Once: w.Once, Path: w.Path, Audience: w.Audience,
		Issued: w.Issued.time(), NotBefore: w.NotBefore.time(), Expires: w.Expires.time(),
	}
	if w.Client != "" {
		if c.Client, err = ParseClient(w.Client); err != nil {
			return c, err
		}
	}
	return c, c.validate()
}

// checkMembers looks for what encoding/json would overlook: members that are
// unknown, there twice, written otherwise, or null.
func checkMembers(payload []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(payload))
	if open, err := decoder.Token(); err != nil || open != json.Delim('{') || !utf8.Valid(payload) {
		return errors.New("the claims are no JSON object")
	}
	seen := map[string]bool{}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return errors.New("the claims are no JSON object")
		}
		text, _ := name.(string)
		var value json.RawMessage
		switch {
		case decoder.Decode(&value) != nil:
			return errors.New("the claims are no JSON object")
		case !slices.Contains(names, text):
			return errors.New("there is a claim that is not known")
		case seen[text]:
			return errors.New("a claim is there twice")
		case string(value) == "null":
			return errors.New("a claim is null")
		}
		seen[text] = true
	}
	return nil
}

// validate tells what is missing or too much.
func (c Claims) validate() error {
	switch {
	case c.Target == "" || len(c.Target) > maxTarget || strings.ContainsFunc(c.Target, isControl):
		return fmt.Errorf("target must have 1 to %d bytes and no control character", maxTarget)
	case len(c.ID) < minID || len(c.ID) > maxID || strings.ContainsFunc(c.ID, isReserved):
		return fmt.Errorf("jti must have %d to %d of A-Z a-z 0-9 - . _ ~", minID, maxID)
	case len(c.User) > maxUser || strings.ContainsFunc(c.User, isControl):
		return fmt.Errorf("sub must have no more than %d bytes and no control character", maxUser)
	case c.Path != "" && !isPath(c.Path):
		return fmt.Errorf("path must begin with / and have no more than %d bytes, no control character, no // and no dot segment", maxPath)
	case c.Issued.IsZero() || c.Expires.IsZero():
		return errors.New("iat and exp must be there")
	case !c.Issued.Before(c.Expires) || !c.NotBefore.Before(c.Expires):
		return errors.New("exp must be after iat and nbf")
	case slices.Contains(c.Audience, ""):
		return errors.New("a name in aud is empty")
	}
	return nil
}

// ParseClient reads an address or a network, which is then without host bits.
func ParseClient(text string) (netip.Prefix, error) {
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		address, wrong := netip.ParseAddr(text)
		if wrong != nil || address.Zone() != "" {
			return netip.Prefix{}, errors.New("client is no address: write 192.0.2.7, 192.0.2.0/24 or 2001:db8::/64")
		}
		address = address.Unmap()
		prefix = netip.PrefixFrom(address, address.BitLen())
	}
	if prefix.Addr().Is4In6() || prefix != prefix.Masked() {
		return netip.Prefix{}, errors.New("client is no network: write it as 192.0.2.0/24, with nothing behind the mask")
	}
	return prefix, nil
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f || r == utf8.RuneError }

// isReserved tells what is not unreserved in a URL (RFC 3986, 2.3).
func isReserved(r rune) bool {
	letter := r|0x20 >= 'a' && r|0x20 <= 'z'
	return !letter && (r < '0' || r > '9') && !strings.ContainsRune("-._~", r)
}
