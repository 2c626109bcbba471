package access

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// TargetRules say what may be dialled for a target that somebody else chose: a
// token, a request. They are read in order, and the first that fits decides; a
// target that none fits is refused if any rule allows, and else dialled.
//
// Before all that: loopback, link-local, unspecified, multicast and reserved
// addresses, and those where clouds keep a machine's secrets, are refused
// unless a rule allows them by an address or network that holds nothing else:
// "allow all" does not, nor does a host name, which is whatever its owner's
// name server says at the moment; but localhost is loopback (RFC 6761, 6.3).
// The zero value has no rule but this.
type TargetRules struct{ rules []targetRule }

// targetRule is about addresses and names, or about a unix socket.
type targetRule struct {
	allow   bool
	network netip.Prefix // not valid: see name
	zone    string       // "": any
	name    string       // in lower case; "*.lan" is all below; "*" is any target
	low     uint16       // the first port
	high    uint16       // the last
	path    string       // of a unix socket; with a slash at its end a directory

	text string
}

// target is what a rule is held against.
type target struct {
	name    string // in lower case; "" for an address
	address netip.Addr
	port    uint16
}

const errRefusedTarget = "target refused by the rules"

// ParseTargetRules reads rules in order, "allow WHAT" or "deny WHAT"; WHAT alone
// is allowed. WHAT is a host and perhaps a port or ports, as in
//
//	10.1.0.0/16:5900-5999   an address or network
//	[2001:db8::/32]:22      IPv6, in brackets if a port follows
//	desk.lan:22  *.lan      a name as the target has it, or all below, at any depth
//	all:443                 any host
//	unix:/run/vnc/          sockets in that directory, or, without the slash, that one
func ParseTargetRules(lines []string) (*TargetRules, error) {
	rs := &TargetRules{}
	for _, line := range lines {
		r, err := parseTargetRule(line)
		if err != nil {
			return nil, err
		}
		rs.rules = append(rs.rules, r)
	}
	return rs, nil
}

// Guard is for the ControlContext of the net.Dialer that dials target,
// "host:port": it is called with every address before it is connected to. So
// what is looked at is what is dialled, and a name is resolved only once. Its
// error is an *Error.
func (rs *TargetRules) Guard(to string) func(ctx context.Context, network, address string, _ syscall.RawConn) error {
	return func(_ context.Context, _, address string, _ syscall.RawConn) error { return rs.Allows(to, address) }
}

// Allows tells whether address, "ip:port", may be connected to for the target,
// "host:port". The error is an *Error.
func (rs *TargetRules) Allows(to, address string) error {
	host, _, _ := net.SplitHostPort(to)
	dialled, err := netip.ParseAddrPort(address)
	if err != nil {
		return refusedTarget(address, "it is no address")
	}
	return rs.judge(to, target{nameOf(host), dialled.Addr().Unmap(), dialled.Port()})
}

// Check looks at "host:port" before it is dialled, while an HTTP status can
// still be said. It knows only targets that are written as an address: of a
// name, Guard decides. The error is an *Error.
func (rs *TargetRules) Check(to string) error {
	if _, err := netip.ParseAddrPort(to); err != nil {
		return nil
	}
	return rs.Allows(to, to)
}

// Unix looks at the path of a unix socket and returns the one to dial, which
// has no symbolic links in it: they may not lead out of what is allowed. An
// abstract name, "@name", is one. A socket needs a rule. The error is an *Error.
func (rs *TargetRules) Unix(path string) (string, error) {
	to := "unix:" + path
	if strings.HasPrefix(path, "@") {
		return path, rs.judgePath(to, path, filepath.Clean)
	}
	if !filepath.IsAbs(path) {
		return "", refusedTarget(to, "its path is not absolute")
	}
	path = filepath.Clean(path)
	if err := rs.judgePath(to, path, filepath.Clean); err != nil {
		return "", err
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", &Error{"target socket not found", fmt.Errorf("target %s: %w", clip(to), err)}
	}
	return real, rs.judgePath(to, real, withoutLinks)
}

// withoutLinks is path itself where there is no such file.
func withoutLinks(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	return path
}

// nameOf is "" for a host that is an address.
func nameOf(host string) string {
	if _, err := netip.ParseAddr(host); err == nil {
		return ""
	}
	return strings.TrimSuffix(strings.ToLower(host), ".")
}

// judge is nil if t, which was asked for as to, may be dialled.
func (rs *TargetRules) judge(to string, t target) error {
	what, block := special(t.address)
	for _, r := range rs.rules {
		switch {
		case !r.fits(t):
		case !r.allow:
			return refusedTarget(t.String(to), "rule \""+r.text+"\"")
		case what == "" || r.namesOnly(block, t):
			return nil
		}
	}
	switch {
	case what != "":
		return refusedTarget(t.String(to), what+" needs a rule that allows it by its address")
	case rs.allowsAny():
		return refusedTarget(t.String(to), "no rule allows it")
	}
	return nil
}

// judgePath holds a clean path against the rules' paths, each as form makes it.
func (rs *TargetRules) judgePath(to, path string, form func(string) string) error {
	for _, r := range rs.rules {
		switch {
		case r.path == "" || !within(path, form(r.path), strings.HasSuffix(r.path, "/")):
		case r.allow:
			return nil
		default:
			return refusedTarget(to, "rule \""+r.text+"\"")
		}
	}
	return refusedTarget(to, "a unix socket needs a rule that allows it")
}

// within tells whether path is the rule's, or in its directory.
func within(path, rule string, directory bool) bool {
	if directory {
		return strings.HasPrefix(path, strings.TrimSuffix(rule, "/")+"/")
	}
	return path == rule
}

func (rs *TargetRules) allowsAny() bool {
	return slices.ContainsFunc(rs.rules, func(r targetRule) bool { return r.allow })
}

// fits tells whether the rule is about t.
func (r targetRule) fits(t target) bool {
	if r.path != "" || t.port < r.low || t.port > r.high {
		return false
	}
	if r.network.IsValid() {
		return networkHas(r.network, r.zone, t.address)
	}
	below, wild := strings.CutPrefix(r.name, "*")
	return r.name == t.name || wild && strings.HasSuffix(t.name, below) && (below == "" || t.name != below)
}

// namesOnly tells whether a rule that fits t is about nothing outside of block,
// which holds t's address.
func (r targetRule) namesOnly(block netip.Prefix, t target) bool {
	if r.network.IsValid() {
		return r.network.Bits() >= block.Bits()
	}
	return r.name == "localhost" && t.address.IsLoopback()
}

// String names t as it was asked for, and the address it came to.
func (t target) String(to string) string {
	if t.name == "" {
		return to
	}
	return fmt.Sprintf("%s (%s)", to, t.address)
}

func refusedTarget(to, why string) error {
	return &Error{errRefusedTarget, fmt.Errorf("target %s is refused by the rules: %s", clip(to), why)}
}

func parseTargetRule(s string) (r targetRule, err error) {
	const example = "10.0.0.0/8:5900"
	if r.allow, r.text, err = cutVerb(s, example); err != nil {
		return r, fmt.Errorf("target %w", err)
	}
	path, isPath := strings.CutPrefix(r.text, "unix:")
	if isPath {
		r.path, err = parseRulePath(path)
	} else {
		err = r.parseHost(r.text)
	}
	if err != nil {
		return r, fmt.Errorf("target rule %q: %w", clip(s), err)
	}
	r.text = verb(r.allow) + " " + r.text
	return r, nil
}

func parseRulePath(path string) (string, error) {
	directory := strings.HasSuffix(path, "/")
	switch {
	case strings.HasPrefix(path, "@") && path != "@":
		return path, nil
	case !strings.HasPrefix(path, "/"):
		return "", errors.New("the path is not absolute: write unix:/run/vnc/")
	case strings.ContainsAny(path, "*?"):
		return "", errors.New("there are no wildcards in paths: write unix:/run/vnc/ for all sockets in it")
	}
	if path = filepath.Clean(path); directory && path != "/" {
		path += "/"
	}
	return path, nil
}

// parseHost reads the host and ports of a rule.
func (r *targetRule) parseHost(s string) (err error) {
	host, ports, bracketed := s, "", false
	if inner, ok := strings.CutPrefix(s, "["); ok {
		if host, ports, bracketed = strings.Cut(inner, "]"); !bracketed || ports != "" && ports[0] != ':' {
			return errors.New("brackets enclose an IPv6 address or network: write [2001:db8::/32]:22")
		}
		ports = strings.TrimPrefix(ports, ":")
	} else if strings.Count(s, ":") == 1 {
		host, ports, _ = strings.Cut(s, ":")
	}
	if r.low, r.high, err = parsePorts(ports); err != nil {
		return err
	}
	if host == "all" || host == "*" {
		r.name = "*"
		return nil
	}
	if bracketed || strings.ContainsAny(host, ":/") || host != "" && nameOf(host) == "" {
		r.network, r.zone, err = parseNetwork(host)
		return err
	}
	r.name, err = parseName(host)
	return err
}

func parseName(s string) (string, error) {
	name := nameOf(s)
	below := strings.TrimPrefix(name, "*.")
	if below == "" || strings.ContainsFunc(below, notHost) || strings.Trim(below, "0123456789.") == "" {
		return "", errors.New("the host is no address, no network and no name: write 10.0.0.0/8, desk.lan or *.lan")
	}
	return name, nil
}

func parsePorts(s string) (low, high uint16, err error) {
	if s == "" || s == "*" {
		return 0, 65535, nil
	}
	from, to, isRange := strings.Cut(s, "-")
	if !isRange {
		to = from
	}
	first, err := strconv.ParseUint(from, 10, 16)
	last, lastErr := strconv.ParseUint(to, 10, 16)
	if err != nil || lastErr != nil || first == 0 || first > last {
		return 0, 0, errors.New("ports go from 1 to 65535: write :5900 or :5900-5999")
	}
	return uint16(first), uint16(last), nil
}
