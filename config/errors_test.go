package config

import (
	"fmt"
	"strings"
	"testing"
)

const anything = "wsbridge config schema has every key"

const (
	secondsHint = "write 30 or 30s, 5m, 1h30m; 0 is off"
	numberHint  = "write it as 10, 0x1f, 0b11 or 017"
	readHint    = "name a file that may be read; a relative name starts at the folder of this file"
)

// fileError is what can be wrong with a file: where, what, and what to do about
// it.
type fileError struct{ name, text, msg, hint string }

func TestYAMLErrors(t *testing.T) {
	const (
		syntax = "indent with spaces, put a space behind each colon, and quotes around a value that holds : # { or ["
		text   = "save it as plain text in UTF-8"
	)
	refused(t, []fileError{
		{"indented by a tab", "text: true\n\theartbeat: 3\n", "f.yaml:2: found a tab character that violates indentation", syntax},
		{"a bracket not closed", "text: true\nlisten: [1, 2\n", "f.yaml:2: did not find expected ',' or ']'", syntax},
		{"a key without a colon", "text: true\nheartbeat 3\nweb: x\n", "f.yaml:2: could not find expected ':'", syntax},
		{"a key further in", "text: true\n  web: x\n", "f.yaml:2: mapping values are not allowed in this context", syntax},
		{"a key further out", "routes:\n  - path: /x\n target: h\n", "f.yaml:3: did not find expected key", syntax},
		{"a quote not closed", "text: true\nweb: \"x\n", "f.yaml:2: found unexpected end of stream", syntax},
		{"a colon in a value", "text: true\ntarget: ws://h: x\n", "f.yaml:2: mapping values are not allowed in this context", syntax},
		{"a name for nothing", "text: true\nweb: *nothing\n", "f.yaml:2: unknown anchor 'nothing' referenced", syntax},
		{"not UTF-8", "text: true\nweb: caf\xe9\n", "f.yaml:2: byte 0xe9 is not UTF-8", text},
		{"not text", "text: true\n\x00", "f.yaml:2: control character 0x00", text},
		{"two documents", "text: true\n---\ntext: false\n", "f.yaml:2: more than one YAML document", "leave out --- and what stands before or behind it"},
		{"no mapping", "- text\n", "f.yaml:1: not a mapping of keys to values", "write one key: value in each line"},
		{"too large", strings.Repeat("#", 1<<20+1), "configuration file: f.yaml is larger than 1048576 bytes", "name a YAML file that may be read"},
	})
}

func TestKeyErrors(t *testing.T) {
	refused(t, []fileError{
		{"unknown key", "\nhart-beat: 3\n", `f.yaml:2: unknown key "hart-beat"`, "did you mean heartbeat?"},
		{"nearly a list of routes", "rotes: []\n", `f.yaml:1: unknown key "rotes"`, "did you mean routes?"},
		{"nearly an include", "includes: x\n", `f.yaml:1: unknown key "includes"`, "did you mean include?"},
		{"a flag that is no key", "config: g.yaml", `f.yaml:1: unknown key "config"`, anything},
		{"a merged mapping", "a: &a {text: true}\n<<: *a", `f.yaml:1: unknown key "a"`, anything},
		{"same key twice", "text: true\nverbose: true\ntext: false\n", `f.yaml:3: key "text" is already set in line 1`, "leave out one of them"},
		{"same key twice, spelt otherwise", "ssl-only: true\nssl_only: true\n", `f.yaml:2: key "ssl_only" is already set in line 1`, "leave out one of them"},
		{"same key twice, spelt otherwise first", "ssl_only: true\nssl-only: true\n", `f.yaml:2: key "ssl-only" is already set in line 1`, "leave out one of them"},
		{"two lists of routes", "routes: []\nroutes: []\n", `f.yaml:2: key "routes" is already set in line 1`, "leave out one of them"},
	})
}

func TestValueErrors(t *testing.T) {
	refused(t, []fileError{
		{"no time", "text: true\nheartbeat: soon\n", `f.yaml:2: heartbeat: "soon" is not a time from 0 to 1000000000 seconds`, secondsHint},
		{"no number", "max-sessions: 1.5\n", `f.yaml:1: max-sessions: "1.5" is not a whole number from 0 to 2147483647`, numberHint},
		{"no switch", "text: maybe\n", `f.yaml:1: text: "maybe" is not true or false`, "write true or false"},
		{"no choice", "log-format: jsno\n", `f.yaml:1: log-format: "jsno" is not one of text, json`, "did you mean json?"},
		{"no value", "web:\n", "f.yaml:1: web: want one value", `write web: DIR, or web: "" for none`},
		{"no value for a switch", "text: {}\n", "f.yaml:1: text: want true or false", "write text: true"},
		{"a list for a switch", "text: [true]\n", "f.yaml:1: text: want true or false", "write text: true"},
		{"a mapping in a list", "listen:\n- 6080\n- a: b\n", "f.yaml:3: listen: want a value or a list of values", "write listen: [ADDR]"},
		{"a list where one value goes", "web: [a, b]\n", "f.yaml:1: web: want one value", `write web: DIR, or web: "" for none`},
	})
}

// TestCompanionErrors: options against each other, wherever they stand.
func TestCompanionErrors(t *testing.T) {
	refused(t, []fileError{
		{"alone", "text: true\ntoken-source: x\n", "f.yaml:2: token-source without --token-plugin", "add --token-plugin"},
		{"against another", "web: .\npages: true\n", "f.yaml:1: web and --pages cannot both be", "leave out one of them"},
		{"a web root that is not there", "\nweb: nowhere\n", "f.yaml:2: web: stat nowhere: no such file or directory", "name an existing directory"},
		{"a certificate that is not there", "ssl-only: true\ncert: none.pem\n", "f.yaml:1: ssl-only: certificate none.pem not found", "name an existing PEM file with --cert F"},
		{"a target without a port", "text: true\ntarget: desk\n", `f.yaml:2: target "desk" has no port`, "write host:port, for example localhost:5900"},
	})
}

func TestRouteErrors(t *testing.T) {
	refused(t, []fileError{
		{"routes: no list", "routes: {path: /x}", "f.yaml:1: routes: want a list of mappings", "write - path: /chat below it"},
		{"routes: no mapping", "routes:\n- /x", "f.yaml:2: not a mapping of keys to values", "write key: value"},
		{"route: unknown key", "routes:\n- path: /x\n  taget: h:1", `f.yaml:3: unknown key "taget"`, "did you mean target?"},
		{"route: a key of no route", "routes:\n- path: /x\n  cert: h:1", `f.yaml:3: unknown key "cert"`, anything},
		{"route: same key twice", "routes:\n- path: /x\n  path: /y", `f.yaml:3: key "path" is already set in line 2`, "leave out one of them"},
		{"route: no number", "routes:\n- path: /x\n  target: h:1\n  broadcast: many", `f.yaml:4: broadcast: "many" is not a whole number from 0 to 2147483647`, numberHint},
		{"route: no level", "routes:\n- {path: /x, target: 'h:1', broadcast: 3}", "f.yaml:2: broadcast level 3 does not exist", "0 the client, 1 all clients of the path, 2 all but the client"},
		{"route: no path", "routes:\n- target: h:1", "f.yaml:2: the route has no path", `path: "*" is every path`},
		{"route: no target", "routes:\n- path: /x", "f.yaml:2: the route has no target", "write target: host:port below its path"},
		{"route: no slash", "routes:\n- {path: x, target: 'h:1'}", `f.yaml:2: path "x" does not begin with a slash`, "write /x"},
		{"route: no way out", "routes:\n- {path: /x, target: 'h:1', on_error: repl}", `f.yaml:2: on-error: "repl" is not one of close, drop, reply, route:NAME`, "did you mean reply?"},
		{"route: a way to nowhere", "routes:\n- {path: /x, target: 'h:1', on_error: 'route:'}", "f.yaml:2: on-error names no route", "write route:NAME"},
		{"route: no header", "routes:\n- {path: /x, target: 'h:1', set_headers: [x]}", `f.yaml:2: set-headers: "x" is no header`, "write 'Name: value'"},
		{"two routes of a name", "routes:\n- {path: /x, target: 'h:1'}\n- {path: /x, target: 'h:2'}", `f.yaml:3: a route named "/x" is there already: f.yaml:2`, "give one of them another name"},
	})
}

func TestIncludeErrors(t *testing.T) {
	refused(t, []fileError{
		{"include: not there", "text: true\ninclude: none.yaml\n", "f.yaml:2: include: open none.yaml: no such file or directory", readHint},
		{"include: a folder", "include: [parts]\n", "f.yaml:1: include: read parts: is a directory", readHint},
		{"include: a mapping", "include: {a: b}\n", "f.yaml:1: include: want a value or a list of values", "write include: [F]"},
		{"include: no pattern", "include: 'parts/[*.yaml'\n", `f.yaml:1: include: "parts/[*.yaml": syntax error in pattern`, "write a [ that is part of a name as [[]"},
		{"include: itself", "text: true\ninclude: f.yaml\n", "f.yaml:2: include: files include each other: f.yaml > f.yaml", "leave out one of these includes"},
		{"include: in a ring", "include: parts/ring.yaml\n", "parts/ring.yaml:2: include: files include each other: f.yaml > parts/ring.yaml > f.yaml", "leave out one of these includes"},
		{"include: too deep", "include: deep/1.yaml\n", "deep/8.yaml:1: include: deep/9.yaml would be more than 8 files deep", "include it from a file further out"},
		{"include: too much", "include: large/*\n", "f.yaml:1: include: large/4: with this file more than 4194304 bytes of configuration", "include less"},
		{"include: too large", "include: toolarge\n", "f.yaml:1: include: toolarge is larger than 1048576 bytes", readHint},
		{"included: unknown key", "include: parts/bad.yaml\n", `parts/bad.yaml:2: unknown key "heartbeet"`, "did you mean heartbeat?"},
		{"included: a second route of a name", "include: parts/route.yaml\nroutes:\n- {path: /x, target: 'h:2'}", `f.yaml:3: a route named "/x" is there already: parts/route.yaml:2`, "give one of them another name"},
		{"included: a bad value that nobody keeps", "include: parts/soon.yaml\nheartbeat: 3\n", `parts/soon.yaml:1: heartbeat: "soon" is not a time from 0 to 1000000000 seconds`, secondsHint},
	})
}

func TestSecretErrors(t *testing.T) {
	const kinds = "write ${file:/path}, ${env:NAME} or ${credential:NAME}; $${ is ${ itself"
	refused(t, []fileError{
		{"secret: no file", "key: k\nkey-password: '${file:none}'\n", "f.yaml:2: key-password: ${file:none}: open none: no such file or directory", readHint},
		{"secret: too large", "key-password: '${file:toolarge}'\n", "f.yaml:1: key-password: ${file:toolarge}: toolarge is larger than 65536 bytes", readHint},
		{"secret: not in the environment", "target: '${env:DESK}'\n", "f.yaml:1: target: ${env:DESK}: DESK is not in the environment", "set DESK where wsbridge is started"},
		{"secret: not from systemd", "target: '${credential:desk}'\n", "f.yaml:1: target: ${credential:desk}: CREDENTIALS_DIRECTORY is not in the environment", "have LoadCredential=desk:/path in the systemd unit"},
		{"secret: unknown kind", "target: '${vault:desk}'\n", "f.yaml:1: target: ${vault:desk}: want file:, env: or credential: and a name", kinds},
		{"secret: misspelt kind", "target: '${flie:desk}'\n", "f.yaml:1: target: ${flie:desk}: want file:, env: or credential: and a name", "did you mean ${file:...}?"},
		{"secret: without a kind", "target: 'x${DESK}'\n", "f.yaml:1: target: ${DESK}: want file:, env: or credential: and a name", kinds},
		{"secret: without a name", "target: '${env:}'\n", "f.yaml:1: target: ${env:}: want file:, env: or credential: and a name", kinds},
		{"secret: not closed", "target: '${env:DESK'\n", "f.yaml:1: target: ${ without a }", "write ${file:/path}, or $${ for ${ itself"},
		{"secret: in a route", "routes:\n- path: /x\n  target: '${env:DESK}'\n", "f.yaml:3: target: ${env:DESK}: DESK is not in the environment", "set DESK where wsbridge is started"},
		{"secret: in a list", "subprotocol:\n- a\n- ${env:DESK}\n", "f.yaml:3: subprotocol: ${env:DESK}: DESK is not in the environment", "set DESK where wsbridge is started"},
		{"secret: in an include", "include: '${env:DESK}'\n", "f.yaml:1: include: ${env:DESK}: DESK is not in the environment", "set DESK where wsbridge is started"},
		{"secret: a bad value is not told", "heartbeat: '${file:soon}'\n", `f.yaml:1: heartbeat: "***" is not a time from 0 to 1000000000 seconds`, secondsHint},
		{"secret: in no target's error", "target: '${file:soon}'\n", `f.yaml:1: target "***" has no port`, "write host:port, for example localhost:5900"},
		{"secret: in no list's error", "subprotocol: ['${file:words}']\n", `f.yaml:1: subprotocol: "***" has a character that no header field may hold`, "leave it out"},
		{"secret: in no route's error", "routes:\n- {path: /x, target: 'h:1', set_headers: ['${file:words}']}\n", `f.yaml:2: set-headers: "***" is no header`, "write 'Name: value'"},
		{"secret: in no name of a route", "routes:\n- {path: /y, target: 'h:1', name: soon}\n- {path: /x, target: 'h:1', name: '${file:soon}'}\n", `f.yaml:3: a route named "***" is there already: f.yaml:2`, "give one of them another name"},
	})
}

func refused(t *testing.T, files []fileError) {
	t.Helper()
	for _, test := range files {
		t.Run(test.name, func(t *testing.T) {
			_, err := parse(t, words("--config f.yaml --listen 6080 --unix-target s"), nil, brokenFiles(test.text))
			if strings.Contains(test.msg, "has no port") {
				_, err = Parse(words("--config f.yaml --listen 6080"), nil, commands)
			}
			usage(t, err, test.msg, test.hint)
		})
	}
}

// brokenFiles is f.yaml and what it may include.
func brokenFiles(text string) map[string]string {
	files := map[string]string{
		"f.yaml":           text,
		"soon":             "soon",
		"words":            "a \"b\"",
		"toolarge":         strings.Repeat("#", 1<<20+1),
		"parts/ring.yaml":  "text: true\ninclude: ../f.yaml\n",
		"parts/bad.yaml":   "text: true\nheartbeet: 3\n",
		"parts/soon.yaml":  "heartbeat: soon\n",
		"parts/route.yaml": "routes:\n- {path: /x, target: 'h:1'}\n",
	}
	for i := 1; i <= 9; i++ {
		files[fmt.Sprintf("deep/%d.yaml", i)] = fmt.Sprintf("include: %d.yaml\n", i+1)
	}
	if strings.Contains(text, "large/") {
		for i := 1; i <= 5; i++ {
			files[fmt.Sprint("large/", i)] = strings.Repeat("#", 1<<20)
		}
	}
	return files
}
