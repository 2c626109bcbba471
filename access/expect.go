package access

import (
	"context"
	"fmt"
	"io"
	"net"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"time"
)

// maxFirst is how many of a target's first bytes are looked at.
const maxFirst = 256

// Expect is how a target must begin, so that nobody can reach anything else
// through it. Only what a target says before its client says anything can be
// expected. A nil Expect expects nothing.
type Expect struct {
	// Timeout is how long the target has for it; default 10 s.
	Timeout time.Duration

	pattern *regexp.Regexp
	what    string // as in "target does not speak "
}

// ParseExpect reads "rfb" (RFC 6143, 7.1.1), "ssh" (RFC 4253, 4.2, without the
// lines that may come before), or "regex:PATTERN", which the target's first 256
// bytes must begin with. In a pattern a character up to \xff is a byte, and . is
// any. "" expects nothing, and Expect is nil.
func ParseExpect(s string) (*Expect, error) {
	pattern, isPattern := strings.CutPrefix(s, "regex:")
	switch {
	case s == "":
		return nil, nil
	case s == "rfb":
		return newExpect(`RFB 00[0-9]\.`, "RFB")
	case s == "ssh":
		return newExpect(`SSH-`, "SSH")
	case isPattern:
		return newExpect(pattern, "as expected")
	}
	if name := strings.ToLower(s); clientFirst[name] {
		return nil, fmt.Errorf("expect %q: in this protocol the client speaks first, and a target says nothing that could be expected: leave it out", name)
	}
	return nil, fmt.Errorf("expect %q is not known: write rfb, ssh or regex:PATTERN, for what the target's first bytes begin with", clip(s))
}

// clientFirst are protocols that people may ask for.
var clientFirst = map[string]bool{
	"http": true, "https": true, "tls": true, "mqtt": true, "amqp": true, "rdp": true, "postgres": true, "postgresql": true,
	"redis": true, "ldap": true, "socks": true, "socks5": true, "ws": true, "websocket": true, "spice": true, "x11": true,
}

func newExpect(pattern, what string) (*Expect, error) {
	re, err := regexp.Compile(`(?s)\A(?:` + pattern + `)`)
	if err != nil {
		return nil, fmt.Errorf("expect %q: %w", clip(pattern), err)
	}
	if tree, err := syntax.Parse(re.String(), syntax.Perl); err != nil || hasEnd(tree) {
		return nil, fmt.Errorf("expect %q: a target has no end to look for: leave out $ and \\z", clip(pattern))
	}
	if re.MatchString("") {
		return nil, fmt.Errorf("expect %q: nothing at all is like it too: write what the target begins with, as in regex:220", clip(pattern))
	}
	return &Expect{pattern: re, what: what}, nil
}

// hasEnd tells whether a pattern asks for the end, which is only what has come
// so far.
func hasEnd(re *syntax.Regexp) bool {
	return re.Op == syntax.OpEndText || re.Op == syntax.OpEndLine || slices.ContainsFunc(re.Sub, hasEnd)
}

// Dial dials, and returns the connection when its first bytes, which are still
// to be read, are as expected. Else, or when they do not come in time, it closes
// the connection and returns an *Error, or ctx's error if that ended first.
//
// What a plain socket has ready at once is looked at where it lies: the
// connection is then the one that was dialled.
func (e *Expect) Dial(ctx context.Context, dial func(context.Context) (net.Conn, error)) (net.Conn, error) {
	conn, err := dial(ctx)
	if err != nil || e == nil {
		return conn, err
	}
	checked, err := e.listen(ctx, conn)
	if err != nil {
		conn.Close()
		return nil, err
	}
	return checked, nil
}

// listen returns conn, or one that says again what was read of it.
func (e *Expect) listen(ctx context.Context, conn net.Conn) (net.Conn, error) {
	conn.SetReadDeadline(time.Now().Add(e.timeout()))
	stop := context.AfterFunc(ctx, func() { conn.SetReadDeadline(time.Unix(1, 0)) })
	checked, err := e.first(conn)
	if !stop() {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	conn.SetReadDeadline(time.Time{})
	return checked, nil
}

func (e *Expect) first(conn net.Conn) (net.Conn, error) {
	said := make([]byte, maxFirst)
	if like, _ := e.like(said[:peek(conn, said)]); like {
		return conn, nil
	}
	for n := 0; ; {
		m, err := conn.Read(said[n:])
		n += m
		like, over := e.like(said[:n])
		switch {
		case like:
			return &spoken{conn, said[:n:n]}, nil
		case over || n == len(said):
			return nil, e.failed(fmt.Errorf("it said %q", clip(string(said[:n]))))
		case err == io.EOF:
			return nil, e.failed(fmt.Errorf("it closed after %q", said[:n]))
		case err != nil:
			return nil, e.failed(fmt.Errorf("it said %q, and then: %w", said[:n], err))
		}
	}
}

// like tells whether said begins as expected, or else if it is over: nothing
// that may follow can change that.
func (e *Expect) like(said []byte) (like, over bool) {
	r := &runes{left: said}
	like = e.pattern.MatchReader(r)
	return like, !like && !r.more
}

func (e *Expect) failed(why error) error {
	reason := "target does not speak " + e.what
	return &Error{reason, fmt.Errorf("%s: %w", reason, why)}
}

func (e *Expect) timeout() time.Duration {
	if e.Timeout > 0 {
		return e.Timeout
	}
	return 10 * time.Second
}

// runes reads every byte as a rune of its own, and knows whether more was asked
// for than there is.
type runes struct {
	left []byte
	more bool
}

func (r *runes) ReadRune() (rune, int, error) {
	if len(r.left) == 0 {
		r.more = true
		return 0, 0, io.EOF
	}
	b := r.left[0]
	r.left = r.left[1:]
	return rune(b), 1, nil
}

// spoken is a connection of which something was read that is still to be.
type spoken struct {
	net.Conn
	said []byte
}

func (c *spoken) Read(p []byte) (int, error) {
	if len(c.said) == 0 {
		return c.Conn.Read(p)
	}
	n := copy(p, c.said)
	if c.said = c.said[n:]; len(c.said) == 0 {
		c.said = nil
	}
	return n, nil
}

// CloseWrite is slow.CloseWrite's twin.
func (c *spoken) CloseWrite() error { return closeWrite(c.Conn, c) }
