//go:build linux

package e2e

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
)

// commandLines end by themselves; their exit statuses are compared.
var commandLines = []string{
	"",
	"6080",
	"6080 localhost",
	"x localhost:5900",
	"6080 localhost:x",
	"6080 localhost:5900 more",
	"6080 --",
	"--nosuch 6080 localhost:5900",
	"--ssl 6080 localhost:5900",
	"--heartbeat soon 6080 localhost:5900",
	"--timeout 1.5 6080 localhost:5900",
	"--ssl-version tlsv9 6080 localhost:5900",
	"--ssl-only --cert none.pem 6080 localhost:5900",
	"--token-source f 6080 localhost:5900",
	"--host-token 6080 localhost:5900",
	"--token-plugin TokenFile --token-source f 6080 localhost:5900",
	"--auth-source f 6080 localhost:5900",
	"--web-auth 6080 localhost:5900",
	"--web-auth --web . 6080 localhost:5900",
	"--legacy-syslog 6080 localhost:5900",
	"--help",
	"-h",
	"--version",
	"--timeout 0x1 127.0.0.1:{port} localhost:5900",
	"--idle-t=1 127.0.0.1:{port} localhost:5900",
	"127.0.0.1:{port} localhost:5900 -v --timeout 1",
	"-v6 --timeout 1 {port} localhost:5900",
	"--timeout 1 :{port} localhost:5900",
	"--timeout 1 [::1]:{port} localhost:5900",
	"--timeout 1 127.0.0.1:70000 localhost:5900",
	"--timeout 1 {busy} localhost:5900",
	"--timeout 1 --token-plugin Nobody --token-source f {port}",
	"--timeout 1 --auth-plugin Nobody --auth-source f {port} localhost:5900",
	"--timeout 1 --web nowhere {port} localhost:5900",
	"--timeout 1 --ssl-ciphers nonsense {port} localhost:5900",
}

// scenarios are all that is tried, from the handshake to the end.
var scenarios = []scenario{
	// Opening handshakes.
	{name: "any path", target: hears, client: opens("/any/where?x=1")},
	{name: "Upgrade in any case", target: hears, client: asks("GET / HTTP/1.1", "Upgrade: WebSocket", connection, key, version)},
	{name: "subprotocol binary", target: hears, client: opens("/", "Sec-WebSocket-Protocol: binary")},
	{name: "subprotocols binary, base64", target: hears, client: opens("/", "Sec-WebSocket-Protocol: binary, base64")},
	{name: "subprotocols base64, binary", target: hears, client: opens("/", "Sec-WebSocket-Protocol: base64, binary")},
	{name: "subprotocol chat", target: hears, client: opens("/", "Sec-WebSocket-Protocol: chat")},
	{name: "version missing", target: hears, client: asks("GET / HTTP/1.1", upgrade, connection, key)},
	{name: "version 8", target: hears, client: asks("GET / HTTP/1.1", upgrade, connection, key, "Sec-WebSocket-Version: 8")},
	{name: "version 12", target: hears, client: asks("GET / HTTP/1.1", upgrade, connection, key, "Sec-WebSocket-Version: 12")},
	{name: "key missing", target: hears, client: asks("GET / HTTP/1.1", upgrade, connection, version)},
	{name: "key of one byte", target: hears, client: asks("GET / HTTP/1.1", upgrade, connection, version, "Sec-WebSocket-Key: x")},
	{name: "Connection missing", target: hears, client: asks("GET / HTTP/1.1", upgrade, key, version)},
	{name: "upgrade by HTTP/1.0", target: hears, client: asks("GET / HTTP/1.0", upgrade, connection, key, version)},
	{name: "upgrade by POST", target: hears, client: asks("POST / HTTP/1.1", upgrade, connection, key, version, "Content-Length: 0")},
	{name: "frames with the handshake", target: hears, client: func(c *talker) {
		c.shut(strings.Join(upgrading("/", "Host: x"), "\r\n") + "\r\n\r\n" + masked(final|opBinary, "early") + closing(1000, ""))
		c.answer("GET")
		c.end()
	}},

	// What else an HTTP client may ask.
	{name: "GET /", client: asks("GET / HTTP/1.1")},
	{name: "HEAD /", client: asks("HEAD / HTTP/1.1")},
	{name: "GET /other", client: asks("GET /other HTTP/1.1")},
	{name: "POST /", client: asks("POST / HTTP/1.1", "Content-Length: 0")},
	{name: "a bad request line", client: asks("GET / nonsense")},
	{name: "a long header line", client: asks("GET / HTTP/1.1", "X: "+strings.Repeat("x", 100_000))},

	// Sessions.
	{name: "bytes come back", target: repeats, client: session(func(c *talker) { c.say(masked(final|opBinary, "hello")); c.hear(5) })},
	{name: "an empty message is nothing", target: repeats, client: session(func(c *talker) {
		c.say(masked(final|opBinary, "") + masked(final|opBinary, "hello"))
		c.hear(5)
	})},
	{name: "a fragmented message", target: repeats, client: session(func(c *talker) {
		c.say(masked(opBinary, "hel") + masked(final|opPing, "?") + masked(final|opContinuation, "lo"))
		c.next()
		c.hear(5)
	})},
	{name: "a first fragment of no bytes", target: repeats, client: session(func(c *talker) {
		c.say(masked(opBinary, "") + masked(final|opContinuation, "hello"))
		c.next()
	})},
	{name: "a large message", target: repeats, client: session(func(c *talker) { c.say(masked(final|opBinary, string(noise(200_000)))); c.hear(200_000) })},
	{name: "the target speaks first and closes", target: says("welcome"), client: session((*talker).end)},
	{name: "the target says much and closes", target: says(string(noise(1 << 20))), client: session((*talker).end)},
	{name: "the target resets", target: resets, client: session(func(c *talker) { c.say(masked(final|opBinary, "!")); c.end() })},
	{name: "the target closes one side", target: half, client: session(func(c *talker) { c.hear(3); c.shut(masked(final|opBinary, "late") + closing(1000, "")); c.end() })},
	{name: "nobody is at the target", client: session((*talker).end)},
	{name: "the target has no name", options: "127.0.0.1:{port} no.such.host.invalid:1", client: session((*talker).end)},
	{name: "a unix target", options: "--unix-target {dir}/socket 127.0.0.1:{port}", target: says("welcome"), client: reads("/")},
	{name: "no unix target", options: "--unix-target {dir}/none 127.0.0.1:{port}", client: reads("/")},
	{name: "a TLS target", options: "--ssl-target 127.0.0.1:{port} {secure}", target: says("welcome"), client: reads("/")},
	{name: "the bridge is stopped", target: greets, client: session(func(c *talker) { c.hear(2); c.program.signal(syscall.SIGTERM); c.end() }), ends: true},
	{name: "heartbeat", options: "--heartbeat 1", target: hears, client: session((*talker).next)},

	// How clients end them.
	{name: "close 1000", target: hears, client: ends(masked(final|opBinary, "last") + closing(1000, "bye"))},
	{name: "close 4000", target: hears, client: ends(closing(4000, ""))},
	{name: "close without a code", target: hears, client: ends(masked(final|opClose, ""))},
	{name: "close of one byte", target: hears, client: ends(masked(final|opClose, "x"))},
	{name: "close 1005", target: hears, client: ends(closing(1005, ""))},
	{name: "close with bad UTF-8", target: hears, client: ends(closing(1000, "\xff"))},
	{name: "the client vanishes", target: greets, client: session(func(c *talker) { c.hear(2); c.leave() })},

	// What clients must not do. One frame is read: the original stays.
	{name: "text", target: repeats, client: breaks(masked(final|opText, "hello"))},
	{name: "no mask", target: hears, client: breaks(bare(final|opBinary, "hello"))},
	{name: "unknown opcode", target: hears, client: breaks(masked(final|3, "hello"))},
	{name: "a reserved bit", target: hears, client: breaks(masked(final|rsv1|opPing, "hello"))},
	{name: "a long ping", target: hears, client: breaks(masked(final|opPing, strings.Repeat("x", 126)))},
	{name: "a fragmented close", target: hears, client: breaks(masked(opClose, ""))},
	{name: "a continuation of nothing", target: hears, client: breaks(masked(final|opContinuation, "hello"))},
	{name: "a message inside a message", target: hears, client: breaks(masked(opBinary, "hel") + masked(final|opBinary, "lo"))},
	{name: "more after a breach", target: hearsOnce, client: session(func(c *talker) {
		c.shut(bare(final|opBinary, "bad")) // which is no Close; but nor does this client answer one
		c.next()
		c.say(masked(final|opBinary, "more"))
		c.end()
	})},

	// Files.
	{name: "the index", options: "--web {dir}/web", client: fetches("/")},
	{name: "files", options: "--web {dir}/web", client: fetches("/index.html", "/app.js?v=1", "/picture.svg", "/module.wasm", "/sub/plain.txt")},
	{name: "no file", options: "--web {dir}/web", client: fetches("/none", "/app.js/", "/../secret.txt", "/%2e%2e/secret.txt")},
	{name: "a path that goes up and down", options: "--web {dir}/web", client: fetches("/sub/../app.js")},
	{name: "a link that leaves", options: "--web {dir}/web", client: fetches("/link.txt")},
	{name: "kinds of files", options: "--web {dir}/web", client: kinds("/", "/app.js", "/picture.svg", "/module.wasm", "/sub/plain.txt")},
	{name: "a directory without its slash", options: "--web {dir}/web", client: func(c *talker) {
		c.note("to %s", strings.TrimPrefix(c.ask("GET /sub HTTP/1.1").Header.Get("Location"), "/"))
	}},
	{name: "a directory's listing", options: "--web {dir}/web", client: func(c *talker) {
		listing, _ := io.ReadAll(c.ask("GET /sub/ HTTP/1.1", "Connection: close").Body)
		c.note("names plain.txt: %v", strings.Contains(string(listing), "plain.txt"))
	}},
	{name: "HEAD and POST of a file", options: "--web {dir}/web", client: func(c *talker) {
		c.ask("HEAD /app.js HTTP/1.1")
		c.ask("POST /app.js HTTP/1.1", "Content-Length: 0", "Connection: close")
	}},
	{name: "a file that has not changed", options: "--web {dir}/web", client: func(c *talker) {
		c.ask("GET /app.js HTTP/1.1", "If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT")
	}},
	{name: "a session beside files", options: "--web {dir}/web", target: hears, client: opens("/app.js")},
	{name: "a session after a file", options: "--web {dir}/web", target: says("welcome"), client: func(c *talker) {
		io.Copy(io.Discard, c.ask("GET /app.js HTTP/1.1").Body)
		c.upgrade("/")
		c.end()
	}},

	// Tokens.
	{name: "a token of a file", options: tokenFile, target: says("welcome"), client: reads("/?token=good")},
	{name: "a token of a directory", options: "--token-plugin TokenFile --token-source {dir}/desks 127.0.0.1:{port}", target: says("welcome"), client: reads("/?token=good")},
	{name: "a token of a target-config", options: "--target-config {dir}/tokens 127.0.0.1:{port}", target: says("welcome"), client: reads("/?token=good")},
	{name: "a token of a read-only file", options: "--token-plugin ReadOnlyTokenFile --token-source {dir}/tokens 127.0.0.1:{port}", target: says("welcome"), client: reads("/x?a=b&token=good")},
	{name: "a token of a server", options: "--token-plugin BaseTokenAPI --token-source {api}/plain/%s 127.0.0.1:{port}", target: says("welcome"), client: reads("/?token=good")},
	{name: "a token of a server in JSON", options: "--token-plugin JSONTokenApi --token-source {api}/json/%s 127.0.0.1:{port}", target: says("welcome"), client: reads("/?token=good")},
	{name: "a token unknown to a server", options: "--token-plugin JSONTokenApi --token-source {api}/json/%s 127.0.0.1:{port}", target: says("welcome"), client: opens("/?token=bad")},
	{name: "a token that climbs", options: "--token-plugin BaseTokenAPI --token-source {api}/none/%s 127.0.0.1:{port}", target: says("welcome"), client: reads("/?token=../plain/good")},
	{name: "a plugin by its long name", options: "--token-plugin websockify.token_plugins.TokenFile --token-source {dir}/tokens 127.0.0.1:{port}", target: says("welcome"), client: reads("/?token=goo%64")},
	{name: "a relative source beside files", options: "--web web --token-plugin TokenFile --token-source tokens 127.0.0.1:{port}", target: says("welcome"), client: reads("/?token=good")},
	{name: "an unknown token", options: tokenFile, target: says("welcome"), client: opens("/?token=bad")},
	{name: "no token", options: tokenFile, target: says("welcome"), client: opens("/")},
	{name: "a host token", options: "--host-token " + tokenFile, target: says("welcome"), client: reads("/", "Host: good:6080")},
	{name: "an unknown token without credentials", options: basic + tokenFile, target: says("welcome"), client: opens("/?token=bad")},

	// Users.
	{name: "a password", options: basic, target: says("welcome"), client: reads("/", "Authorization: Basic bWU6b3Blbg==")},
	{name: "no password", options: basic, target: hears, client: challenged()},
	{name: "a wrong password", options: basic, target: hears, client: challenged("Authorization: Basic bWU6c2h1dA==")},
	{name: "a password by another scheme", options: basic, target: hears, client: opens("/", "Authorization: Digest me")},
	{name: "a password that is no base64", options: basic, target: hears, client: opens("/", "Authorization: Basic %%%")},
	{name: "a password with bad padding", options: basic, target: hears, client: opens("/", "Authorization: Basic bWU6b3Blb")},
	{name: "files before a password", options: basic + "--web {dir}/web", client: fetches("/app.js")},
	{name: "files behind a password", options: basic + "--web-auth --web {dir}/web", client: func(c *talker) {
		c.fetch("/app.js")
		c.fetch("/app.js", "Authorization: Basic bWU6b3Blbg==")
	}},
	{name: "an expected origin", options: origin, target: says("welcome"), client: reads("/", "Origin: https://desk.example")},
	{name: "another origin", options: origin, target: hears, client: opens("/", "Origin: https://evil.example")},
	{name: "no origin", options: origin, target: hears, client: opens("/")},

	// TLS. The certificate is self.pem in the folder where the program starts.
	{name: "TLS and plain on one port", target: says("welcome"), client: func(c *talker) {
		c.upgrade("/")
		c.end()
		c.secure()
		c.upgrade("/")
		c.end()
	}},
	{name: "TLS without a certificate", options: "--cert {dir}/none.pem", target: says("welcome"), client: func(c *talker) { c.secure(); c.upgrade("/") }},
	{name: "plain where only TLS may be", options: "--ssl-only", target: says("welcome"), client: opens("/")},
	{name: "TLS where only TLS may be", options: "--ssl-only", target: says("welcome"), client: func(c *talker) { c.secure(); c.upgrade("/"); c.end() }},
	{name: "plain where certificates are asked for", options: "--verify-client --cafile {dir}/self.pem", target: says("welcome"), client: opens("/")},

	// Whole lives of a program.
	{name: "recording", options: "--record {dir}/rec", target: says("it's\x00\n"), client: func(c *talker) { c.upgrade("/"); c.end(); c.recording() }},
	{name: "run once", options: "--run-once", target: says("welcome"), client: reads("/"), ends: true},
	{name: "run once, with files before", options: "--run-once --web {dir}/web", target: says("welcome"), client: func(c *talker) {
		c.fetch("/app.js")
		c.conn = nil
		c.upgrade("/")
		c.end()
	}, ends: true},
	{name: "the summary", options: "--web {dir}/web --record {dir}/rec -v", client: (*talker).summary},
	{name: "the summary of TLS", options: "--ssl-only", client: (*talker).summary},
	{name: "the summary of tokens", options: tokenFile, client: (*talker).summary},
	{name: "the summary without a certificate", options: "--cert {dir}/none.pem", client: (*talker).summary},
	{name: "a relative web directory", options: "--web web", client: func(c *talker) {
		c.note("%s", strings.Replace(c.program.await(`Web root: .*`)[0], c.dir, "DIR", 1))
	}},
}

const (
	upgrade    = "Upgrade: websocket"
	connection = "Connection: Upgrade"
	key        = "Sec-WebSocket-Key: h3aOngl22xTlrMuoCGC4+w=="
	version    = "Sec-WebSocket-Version: 13"

	tokenFile = "--token-plugin TokenFile --token-source {dir}/tokens 127.0.0.1:{port}"
	basic     = "--auth-plugin BasicHTTPAuth --auth-source me:open "
	origin    = "--auth-plugin ExpectOrigin --auth-source https://desk.example"
)

// Targets.

func repeats(c net.Conn) string {
	io.Copy(c, c)
	return ""
}

func hears(c net.Conn) string {
	b, _ := io.ReadAll(c)
	return fmt.Sprintf("target heard %q", b)
}

// hearsOnce closes after the first bytes.
func hearsOnce(c net.Conn) string {
	b := make([]byte, 100)
	n, _ := c.Read(b)
	return fmt.Sprintf("target heard %q", b[:n])
}

func says(text string) func(net.Conn) string {
	return func(c net.Conn) string { io.WriteString(c, text); return "" }
}

func resets(c net.Conn) string {
	c.Read(make([]byte, 1))
	c.(*net.TCPConn).SetLinger(0)
	return ""
}

// greets speaks first.
func greets(c net.Conn) string {
	io.WriteString(c, "hi")
	return hears(c)
}

// half ends its sending side before it listens.
func half(c net.Conn) string {
	io.WriteString(c, "bye")
	c.(*net.TCPConn).CloseWrite()
	return hears(c)
}

// Clients.

// asks sends one request; a session that comes of it is closed.
func asks(lines ...string) func(*talker) {
	return func(c *talker) {
		if c.ask(lines...).StatusCode == http.StatusSwitchingProtocols {
			c.shut(closing(1000, ""))
			c.end()
		}
	}
}

// opens asks for a session and closes it.
func opens(path string, header ...string) func(*talker) {
	return func(c *talker) {
		if c.upgrade(path, header...) {
			c.shut(closing(1000, ""))
			c.end()
		}
	}
}

// reads asks for a session and reads it to the end.
func reads(path string, header ...string) func(*talker) {
	return func(c *talker) {
		if c.upgrade(path, header...) {
			c.end()
		}
	}
}

// session is a session and what is done in it.
func session(do func(*talker)) func(*talker) {
	return func(c *talker) { c.upgrade("/"); do(c) }
}

// ends is a session with these frames, read to the end.
func ends(frames string) func(*talker) {
	return session(func(c *talker) { c.shut(frames); c.end() })
}

// breaks is a session with these frames, of which one answer is read.
func breaks(frames string) func(*talker) {
	return session(func(c *talker) { c.say(frames); c.next() })
}

// challenged asks for a session and notes which credentials are asked for.
func challenged(header ...string) func(*talker) {
	return func(c *talker) {
		scheme, _, _ := strings.Cut(c.ask(upgrading("/", header...)...).Header.Get("WWW-Authenticate"), " ")
		c.note("%s", scheme)
	}
}

// fetches asks for files, one by one.
func fetches(paths ...string) func(*talker) {
	return func(c *talker) {
		for _, path := range paths {
			c.fetch(path)
		}
	}
}

// kinds asks for the content types of files.
func kinds(paths ...string) func(*talker) {
	return func(c *talker) {
		for _, path := range paths {
			kind, _, _ := strings.Cut(c.ask("HEAD "+path+" HTTP/1.1").Header.Get("Content-Type"), ";")
			c.note("%s", kind)
		}
	}
}

// secure makes the next connection over TLS.
func (c *talker) secure() { c.dial(&tls.Config{InsecureSkipVerify: true}) }

// milliseconds are what no two recordings have in common.
var milliseconds = regexp.MustCompile(`'([{}])\d+[{}]`)

// recording notes the one recording there is, once it is complete: wsbridge's
// has its end from the start, so it must have a frame, too.
func (c *talker) recording() {
	var text string
	eventually(c.t, "the recording has a frame and its end", func() bool {
		files, _ := filepath.Glob(c.dir + "/rec.*")
		if len(files) != 1 {
			return false
		}
		text = string(read(c.t, files[0]))
		return milliseconds.MatchString(text) && strings.HasSuffix(text, "'EOF'];\n")
	})
	c.note("%s", milliseconds.ReplaceAllString(text, "'${1}MS$1"))
}

// settings are the summary's lines, from the first to the last.
var settings = regexp.MustCompile(`(?s)WebSocket server settings:.*?proxying from [^\n]*\n`)

// summary notes what the program says when it starts.
func (c *talker) summary() {
	port := c.address[strings.LastIndexByte(c.address, ':')+1:]
	text := settings.FindString(c.program.out.String())
	text = strings.NewReplacer(c.dir, "DIR", port, "PORT").Replace(text)
	c.note("%s", regexp.MustCompile(`to 127\.0\.0\.1:\d+`).ReplaceAllString(text, "to TARGET"))
}
