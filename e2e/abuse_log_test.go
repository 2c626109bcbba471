//go:build linux

package e2e

import (
	"crypto/tls"
	"encoding/base64"
	"regexp"
	"strings"
	"testing"
)

// forged would be a line of the log if a client could write one.
const forged = "time=2001-01-01T00:00:00Z level=INFO msg=forged"

// TestAbuseOfTheLog: what clients say stands in the log as text of one line, with
// no byte that a terminal would obey or that turns text around; and in no answer's
// header.
func TestAbuseOfTheLog(t *testing.T) {
	need(t, "openssl")
	cert := certify(t, t.TempDir(), "localhost")
	for format, begin := range map[string]string{"text": `time=20[2-9]`, "json": `\{"time":"20[2-9].*\}$`} {
		line := regexp.MustCompile(`^(` + begin + `|WebSocket server settings:$|  - )`)
		t.Run(format, func(t *testing.T) { abuseLog(t, line, append(cert.options(), "--log-format", format)) })
	}
}

func abuseLog(t *testing.T, line *regexp.Regexp, options []string) {
	const nasty = "\r\n" + forged + "\r\n\x1b[2J\x1b]0;owned\x07\x00\x7f\u0085\u009b31m\u200b\u202etxt.exe\u2066\u2028\xff"
	// What may stand in a header as it is.
	const turned = "a\u0085\u009b31m\u200b\u202etxt.exe\u2066\u2028\xff\t" + forged
	escaped := escape(nasty)
	s := besiege(t, append(options, "--proxy-protocol", proxies, "--verbose")...)
	known := serve(t, target(t, echo), append(options, "--verbose", "--auth-plugin", "BasicHTTPAuth", "--auth-source", "user:pw", "--trusted-proxy", "127.0.0.1")...)
	for _, header := range []string{
		"User-Agent: " + turned, "Origin: " + turned, "Sec-WebSocket-Protocol: " + turned, "Cookie: token=" + turned, "X-Forwarded-For: " + turned, "Forwarded: for=" + turned,
		"Origin: " + nasty, "X-Forwarded-For: 1.2.3.4" + nasty, "Host: " + turned, "Sec-WebSocket-Version: " + turned,
		"Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("user"+nasty+":pw")),
		"Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(nasty)),
	} {
		for _, address := range []string{s.address(), known.address()} {
			lines := append(upgrading("/", header), "Host: x", "Sec-WebSocket-Version: 8")
			tellsNothing(t, raw(t, address, strings.Join(lines, "\r\n")+"\r\n\r\n"))
		}
	}
	for _, path := range []string{"/" + escaped, "/?token=" + escaped, "/?" + escaped, "/" + turned, "/?" + turned, nasty} {
		tellsNothing(t, raw(t, s.address(), "GET "+path+" HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 1\r\n\r\n"))
		tellsNothing(t, raw(t, s.address(), "GET "+path+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
	}
	c := &talker{t: t, program: s.process, address: s.address()}
	for _, header := range []string{"PROXY " + nasty, "PROXY TCP4 " + turned + " 2 3\r\n", nasty} {
		c.from(proxies)
		c.say(header + strings.Repeat("x", 200))
		c.answers()
		c.leave()
	}
	c.reach(&tls.Config{InsecureSkipVerify: true, NextProtos: []string{nasty}})
	c.conn.(*tls.Conn).Handshake()
	c.leave()
	c.reach(nil)
	c.upgrade("/"+escaped, "Sec-WebSocket-Protocol: "+turned)
	c.leave()
	s.well(t)
	for _, p := range []*process{s.process, known.process} {
		for said := range strings.Lines(p.out.String()) {
			if !line.MatchString(strings.TrimSuffix(said, "\n")) {
				t.Errorf("the log has the line %q", said)
			}
		}
		if found := dirty.FindString(p.out.String()); found != "" {
			t.Errorf("the log has %q", found)
		}
	}
}

// escape writes every byte as a URL may have it.
func escape(text string) string {
	var b strings.Builder
	for _, c := range []byte(text) {
		b.WriteString("%" + strings.ToUpper(string("0123456789abcdef"[c>>4])+string("0123456789abcdef"[c&15])))
	}
	return b.String()
}

// tellsNothing holds that an answer's head says nothing that the client said.
func tellsNothing(t *testing.T, answer string) {
	t.Helper()
	head, _, _ := strings.Cut(answer, "\r\n\r\n")
	if strings.Contains(head, "forged") || strings.Contains(head, "\x1b") {
		t.Errorf("an answer begins with %q", head)
	}
}
