//go:build linux

package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/wsbridge/wsbridge/internal/freeport"
)

// second is a request that hides behind another. Nobody who does not take it for
// one of its own answers it.
const second = "GET /smuggled.txt HTTP/1.1\r\nHost: x\r\n\r\n"

// smuggling are requests of which two readers may see different ends. Where the
// bridge is the only one, status is all that it answers, before it ends the
// connection.
func smuggling() []struct{ name, text, status string } {
	get, post := "GET /innocent.txt HTTP/1.1\r\nHost: x\r\n", "POST /innocent.txt HTTP/1.1\r\nHost: x\r\n"
	length, upgrade := fmt.Sprintf("Content-Length: %d\r\n", len(second)), strings.Join(upgrading("/", "Host: x"), "\r\n")+"\r\n"
	wrong := strings.Replace(upgrade, "Version: 13", "Version: 777", 1)
	const chunked, nothing = "Transfer-Encoding: chunked\r\n", "0\r\n\r\n"
	return []struct{ name, text, status string }{
		{"CL.TE", post + "Content-Length: 5\r\n" + chunked + "\r\n" + nothing + second, "405|400"},
		{"TE.CL", post + chunked + "Content-Length: 4\r\n\r\n" + fmt.Sprintf("%x\r\n", len(second)) + second + "\r\n" + nothing, "405|400"},
		{"TE behind a space", post + length + "Transfer-Encoding : chunked\r\n\r\n" + nothing + second, "400"},
		{"TE in another form", post + length + "Transfer-Encoding: xchunked\r\n\r\n" + second, "501"},
		{"TE twice", post + chunked + "Transfer-Encoding: identity\r\n\r\n" + nothing + second, "501|400"},
		{"TE with a control byte", post + length + "Transfer-Encoding: \x0bchunked\r\n\r\n" + nothing + second, "400|501"},
		{"TE in a folded line", post + length + "Transfer-Encoding:\r\n chunked\r\n\r\n" + nothing + second, "400|405|501"},
		{"a folded line", post + length + "X: y\r\n Content-Length: 0\r\n\r\n" + second, "400|405"},
		{"a first line that is folded", post[:len(post)-len("Host: x\r\n")] + " X: y\r\nHost: x\r\n\r\n" + second, "400"},
		{"two lengths", post + length + "Content-Length: 0\r\n\r\n" + second, "400"},
		{"two lengths in one line", post + fmt.Sprintf("Content-Length: 0, %d\r\n\r\n", len(second)) + second, "400"},
		{"a length with a sign", post + "Content-Length: +0\r\n\r\n" + second, "400"},
		{"a length below zero", post + "Content-Length: -1\r\n\r\n" + second, "400"},
		{"a length of 2^64", post + "Content-Length: 18446744073709551616\r\n\r\n" + second, "400"},
		{"a length in hexadecimal", post + "Content-Length: 0x0\r\n\r\n" + second, "400"},
		{"a chunk of 2^64", post + chunked + "\r\n10000000000000000\r\n" + second, "405|400"},
		{"a chunk of less than nothing", post + chunked + "\r\n-1\r\n" + second, "405|400"},
		{"a space before a colon", get + "X : y\r\n\r\n" + second, "400"},
		{"a header without a name", get + ": y\r\n\r\n" + second, "400"},
		{"a header without a colon", get + "GET /smuggled.txt HTTP/1.1\r\n\r\n" + second, "400"},
		{"NUL", get + "X: a\x00b\r\n\r\n" + second, "400"},
		{"CR alone", get + "X: a\rContent-Length: 0\r\n\r\n" + second, "400"},
		{"NUL in the address", "GET /innocent.txt\x00 HTTP/1.1\r\nHost: x\r\n\r\n" + second, "400"},
		{"a space in the address", "GET /innocent.txt /smuggled.txt HTTP/1.1\r\nHost: x\r\n\r\n" + second, "400"},
		{"an upgrade with a body", upgrade + length + "\r\n" + second, "400"},
		{"an upgrade with a chunked body", upgrade + chunked + "\r\n" + nothing + second, "400"},
		{"an upgrade with two lengths", upgrade + length + "Content-Length: 0\r\n\r\n" + second, "400"},
		{"an upgrade with a space before a colon", upgrade + "X : y\r\n\r\n" + second, "400"},
		{"an upgrade of another version", wrong + "\r\n" + second, "426"},
		{"an upgrade of another version with a body", wrong + length + "\r\n" + second, "400"},
		{"an upgrade by POST", "POST" + upgrade[3:] + length + "\r\n" + second, "405"},
		{"an upgrade of HTTP/1.0", strings.Replace(upgrade, "HTTP/1.1", "HTTP/1.0", 1) + "Connection: keep-alive\r\n\r\n" + second, "505"},
		{"an upgrade whose address has a line end", strings.Replace(upgrade, "GET / ", "GET /\r\nX: /", 1) + "\r\n" + second, "400"},
	}
}

// TestSmugglingToTheBridge: of a request that can be read in two ways the bridge
// answers one, by a refusal, and reads no further.
func TestSmugglingToTheBridge(t *testing.T) {
	dir := t.TempDir()
	put(t, dir+"/innocent.txt", "innocent")
	put(t, dir+"/smuggled.txt", "smuggled")
	for name, options := range map[string][]string{"as it is": nil, "with HTTP/2 in cleartext": {"--http2", "cleartext"}} {
		t.Run(name, func(t *testing.T) {
			s := besiege(t, append(options, "--web", dir)...)
			for _, tc := range smuggling() {
				t.Run(tc.name, func(t *testing.T) {
					c := &talker{t: t, program: s.process, address: s.address()}
					c.shout(tc.text)
					told := strings.Join(c.heard, ", ")
					status, end, _ := strings.Cut(told, ", ")
					if !strings.Contains("|"+tc.status+"|", "|"+status+"|") || end != "gone" && end != "reset" {
						t.Errorf("told %q, want %s, and the end", told, tc.status)
					}
				})
			}
			s.well(t)
			h2c := &talker{t: t, program: s.process, address: s.address()}
			h2c.shout("GET /innocent.txt HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
			if told := strings.Join(h2c.heard, ", "); told != "200, gone" {
				t.Errorf("an upgrade to h2c: told %q", told)
			}
		})
	}
}

const smuggleProxy = `
defaults
  mode http
  timeout connect 5s
  timeout client 10s
  timeout server 10s
frontend door
  bind %s
  default_backend bridges
backend bridges
  http-reuse always
  server bridge %s
`

const smuggleNginx = `
map $http_upgrade $switch { default "upgrade"; "" ""; }
upstream bridges { server %[2]s; keepalive 1; }
server {
  listen %[1]s;
  location / {
    proxy_pass http://bridges;
    proxy_http_version 1.1;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection $switch;
  }
}
`

// TestSmugglingThroughAProxy: whatever a client makes of its requests, who comes
// after it by the same proxy, and so by the same connections to the bridge, gets
// what it asked for.
func TestSmugglingThroughAProxy(t *testing.T) {
	need(t, "haproxy")
	dir := t.TempDir()
	put(t, dir+"/innocent.txt", "innocent")
	put(t, dir+"/smuggled.txt", "smuggled")
	for name, begin := range map[string]func(*testing.T, string, string){
		"haproxy": func(t *testing.T, door, bridge string) {
			start(t, nil, "haproxy", "-db", "-f", write(t, t.TempDir(), "conf", fmt.Appendf(nil, smuggleProxy, door, bridge)))
			eventually(t, "haproxy listens", func() bool { return answers(door) })
		},
		"nginx": func(t *testing.T, door, bridge string) {
			startNginx(t, t.TempDir(), door, fmt.Sprintf(smuggleNginx, door, bridge))
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := besiege(t, "--web", dir)
			door := freeport.Address(t)
			begin(t, door, s.address())
			for _, tc := range smuggling() {
				attacker := &talker{t: t, program: s.process, address: door}
				attacker.reach(nil)
				attacker.say(tc.text)
				attacker.conn.(*net.TCPConn).CloseWrite()
				attacker.answers()
				attacker.leave()
				for range 3 {
					if got := fetchInnocent(door); got != "200 innocent" {
						t.Errorf("after %s (told %s) another client gets %q", tc.name, strings.Join(attacker.heard, ", "), got)
					}
				}
			}
			if err := s.friend.echo(noise(1000)); err != nil {
				t.Error(err)
			}
		})
	}
}

// fetchInnocent is what a client of no evil gets.
func fetchInnocent(door string) string {
	conn, err := net.Dial("tcp", door)
	if err != nil {
		return err.Error()
	}
	defer conn.Close()
	io.WriteString(conn, "GET /innocent.txt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return err.Error()
	}
	body, _ := io.ReadAll(answer.Body)
	return fmt.Sprint(answer.StatusCode, " ", string(body))
}

const smuggleServer = `
server {
  access_log %s;
  listen %s;
  return 200 "no WebSocket here";
}
`

// TestSmugglingToAPassthrough: to a target that answers an upgrade by something
// else, and would take a next request on the same connection, nobody says one.
func TestSmugglingToAPassthrough(t *testing.T) {
	folder, door := t.TempDir(), freeport.Address(t)
	startNginx(t, folder, door, fmt.Sprintf(smuggleServer, folder+"/asked", door))
	b := serve(t, "passthrough+ws://"+door)
	attacks := append(smuggling(), struct{ name, text, status string }{
		"a second request behind the upgrade", strings.Join(upgrading("/upgrade", "Host: x"), "\r\n") + "\r\n\r\n" + second, "200"})
	for _, tc := range attacks {
		t.Run(tc.name, func(t *testing.T) {
			c := &talker{t: t, program: b.process, address: b.address()}
			c.reach(nil)
			c.say(tc.text)
			c.answers()
			c.leave()
			told := strings.Join(c.heard, ", ")
			if status, end, _ := strings.Cut(told, ", "); !regexp.MustCompile(`^\d{3}$`).MatchString(status) || end != "gone" && end != "reset" {
				t.Errorf("told %q, want one answer and the end", told)
			}
		})
	}
	asked, err := os.ReadFile(folder + "/asked")
	if err != nil || !strings.Contains(string(asked), `"GET /upgrade `) || strings.Contains(string(asked), "smuggled") {
		t.Errorf("the target was asked (%v):\n%s", err, asked)
	}
}
