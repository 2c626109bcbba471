package config

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// TestDumpTellsWhoSaidIt, in the order of the table.
func TestDumpTellsWhoSaidIt(t *testing.T) {
	c, err := parse(t, words("--config f.yaml 6080 h:5900 -v --subprotocol a,b"), words("WSBRIDGE_HEARTBEAT=90 WSBRIDGE_WEB=."), map[string]string{
		"f.yaml":    "include: more.yaml\nheartbeat: 1\nlog-format: text\nroutes:\n- path: /x\n  name: 'yes'\n  target: ws://h/x\n",
		"more.yaml": "session-idle: 600\nunix-listen-mode: 0660\n",
	})
	if err != nil {
		t.Fatal(err)
	}
	want := `# What counts, and where it was set.
listen: ["6080"] # [addr:]port
unix-listen-mode: "0660" # more.yaml:2
target: h:5900 # host:port
web: . # WSBRIDGE_WEB
heartbeat: 1m30s # WSBRIDGE_HEARTBEAT
session-idle: 10m # more.yaml:1
subprotocol: ["a", "b"] # --subprotocol
verbose: true # --verbose
log-format: text # f.yaml:3
routes:
  - path: /x # f.yaml:5
    target: ws://h/x # f.yaml:7
    name: yes # f.yaml:6
`
	if diff := cmp.Diff(want, c.Dump(false)); diff != "" {
		t.Error(diff)
	}
	all := c.Dump(true)
	for _, line := range lines("dial-timeout: 10s # default", "text: false # default", `cert: self.pem # default`, "    max-message: 16777216 # default") {
		if !strings.Contains(all, line+"\n") {
			t.Errorf("a dump of all has no line %q:\n%s", line, all)
		}
	}
}

func lines(lines ...string) []string { return lines }

// TestDumpIsReadBack: a dump says what the command line, the environment and
// the file said together.
func TestDumpIsReadBack(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		env  []string
		file string
		back []string // what a file cannot say
	}{
		"two words":         {args: words("6080 h:1")},
		"nothing but flags": {args: words("--listen [::1]:1 --listen 2 -6 ::1:5900 --port-offset 3 --cert= --pump goroutines")},
		"texts":             {args: []string{"6080", "h:1", "--record", " a: #b'\"\\\n\t\x7f\u2028é🎉${x}$${", "--syslog", "~", "--log-file", "true", "--pid-file", "0x10", "--web", ".", "--key", "- a"}},
		"times":             {args: words("6080 h:1 --heartbeat 90 --session-idle 1h --timeout 1h30m --idle-timeout 1.5s --dial-timeout 0 --end-timeout 10m5s --drain-timeout 1ms --wrap-wait 3600")},
		"lists":             {args: append(words("6080 h:1 --subprotocol a,b --subprotocol c --hub-permit"), "ann a,b *", "--hub-permit", "- x,'y' z", "--admin", "6081", "--admin-name", "a, b")},
		"routes": {args: append(words("6080 --route"), "/a=ws://h/x?y=z in='jq: {a, b}' on-connect=accept-first", "--route", "*=h:1"), file: `
routes:
- {path: /b, target: "fme:", enabled: false}
- {path: /c, target: "ws://h/x", in: ["jq: {a: 1, b: \"#\"}", validate], set_headers: ["X: 1, 2", "Y: $${z}"], forward_headers: [A, B], idle: 0, refused_status: 503, max_message: 1}
- {name: faults, target: "file:x"}
`},
		"hiawatha":          {args: append(words("6080 --websocket"), "ws://127.0.0.1:5000 /chat 15")},
		"tokens":            {args: words("--token-plugin TokenFile --token-source f --token-from query:t --token-from cookie:u 6080"), env: words("WSBRIDGE_LISTEN=1,2")},
		"environment":       {args: words("6080"), env: words("WSBRIDGE_TARGET=h:1 WSBRIDGE_TEXT=yes WSBRIDGE_SUBPROTOCOL=a,b WSBRIDGE_WRAP_MODE=ignore"), file: "text: false\nlog-format: json"},
		"nothing in a list": {args: words("6080 h:1 --subprotocol="), file: "subprotocol: [a]"},
		"unix":              {args: words("--unix-listen a --unix-target b --unix-listen-mode 0600")},
		"wrapped":           {args: words("2023 --text -- telnetd -debug"), back: words("-- telnetd -debug")},
		"inetd":             {args: words("--inetd h:1")},
	} {
		t.Run(name, func(t *testing.T) {
			want, err := parse(t, append([]string{"--config", "f.yaml"}, test.args...), test.env, map[string]string{"f.yaml": test.file})
			if err != nil {
				t.Fatal(err)
			}
			for _, all := range []bool{false, true} {
				dump := want.Dump(all)
				if err := os.WriteFile("dump.yaml", []byte(dump), 0o600); err != nil {
					t.Fatal(err)
				}
				got, err := Parse(append(words("--config dump.yaml"), test.back...), nil, nil)
				if err != nil {
					t.Fatalf("%v of\n%s", err, dump)
				}
				if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.IgnoreUnexported(Config{}, Route{}), cmpopts.IgnoreFields(Config{}, "File"), cmpopts.IgnoreFields(Route{}, "Place")); diff != "" {
					t.Errorf("%s\nof\n%s", diff, dump)
				}
			}
		})
	}
}

// TestSecretsAreMasked in what people paste into a bug report.
func TestSecretsAreMasked(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		file string
		want string // a line of the dump
	}{
		"a password":             {args: words("--key-password pw"), want: `key-password: '***' # --key-password`},
		"a file":                 {file: "target-name: 'a${file:pw}b'\nssl-target: true", want: `target-name: '***' # f.yaml:1`},
		"the environment":        {file: "record: '${env:PW}'", want: `record: '***' # f.yaml:1`},
		"in a list":              {file: "admin: 6081\nadmin-name: [a, '${env:PW}', b]", want: `admin-name: ["***"] # f.yaml:2`},
		"a number":               {file: "heartbeat: '${env:N}'", want: `heartbeat: '***' # f.yaml:1`},
		"a file, overridden":     {args: words("--record mine"), file: "record: '${env:PW}'", want: `record: mine # --record`},
		"in a route":             {file: "routes:\n- path: /x\n  target: ws://h/${env:PW}", want: `    target: '***' # f.yaml:3`},
		"a header":               {file: "routes:\n- path: /x\n  target: ws://h/\n  set-headers: ['X-From: me', 'Authorization: Bearer pw']", want: `    set-headers: ["X-From: me", "Authorization: ***"] # f.yaml:4`},
		"a header as a word":     {args: []string{"--route", "/x=ws://h/ set-headers='X-Api-Key: pw' single"}, want: `route: ["/x=ws://h/ set-headers='X-Api-Key: ***' single"] # --route`},
		"a URL":                  {args: words("--hub-engine nats://me:pw@h:4222,nats://me:pw@g:4222/"), want: `hub-engine: nats://me:***@h:4222,nats://me:***@g:4222/ # --hub-engine`},
		"a URL with a token":     {args: words("--hub-engine nats://pw@h:4222"), want: `hub-engine: nats://***@h:4222 # --hub-engine`},
		"a URL with an at":       {args: words("--hub-engine nats://me:p@pw@h:4222"), want: `hub-engine: nats://me:***@h:4222 # --hub-engine`},
		"a URL in a route":       {args: words("--route /x=ws://me:pw@h/x"), want: `route: ["/x=ws://me:***@h/x"] # --route`},
		"a URL of a file":        {file: "routes:\n- path: /x\n  target: ws://me:pw@h/x@y", want: `    target: ws://me:***@h/x@y # f.yaml:3`},
		"a URL for a plugin":     {args: words("--auth-plugin http://me:pw@h/x"), want: `auth-plugin: http://me:***@h/x # --auth-plugin`},
		"users":                  {args: words("--auth-plugin BasicHTTPAuth --auth-source me:pw"), want: `auth-source: me:*** # --auth-source`},
		"users, by the old name": {args: words("--auth-plugin websockify.auth_plugins.BasicHTTPAuth --auth-source me:pw"), want: `auth-source: me:*** # --auth-source`},
		"a file of users":        {args: words("--auth-plugin BasicHTTPAuth --auth-source users"), want: `auth-source: users # --auth-source`},
		"origins":                {args: words("--auth-plugin ExpectOrigin --auth-source https://h:1"), want: `auth-source: https://h:1 # --auth-source`},
		"redis":                  {args: words("--token-plugin TokenRedis --token-source redis://me:pw@h:6379/0"), want: `token-source: redis://me:***@h:6379/0 # --token-source`},
		"redis as of old":        {args: words("--token-plugin TokenRedis --token-source h:6379:0:pw:space"), want: `token-source: h:6379:0:*** # --token-source`},
		"redis, no password":     {args: words("--token-plugin TokenRedis --token-source h:6379:0"), want: `token-source: h:6379:0 # --token-source`},
		"redis, IPv6":            {args: words("--token-plugin TokenRedis --token-source [::1]:6379:0:pw"), want: `token-source: '[::1]:6379:0:***' # --token-source`},
	} {
		t.Run(name, func(t *testing.T) {
			args := append(words("--config f.yaml --listen 6080 --target localhost:1"), test.args...)
			if strings.Contains(test.want, "token-source") {
				args = append(words("--config f.yaml --listen 6080"), test.args...)
			}
			c, err := parse(t, args, words("PW=pw N=7"), map[string]string{"f.yaml": test.file, "pw": "pw\n"})
			if err != nil {
				t.Fatal(err)
			}
			dump := c.Dump(false)
			if !strings.Contains(dump, "\n"+test.want+"\n") || strings.Contains(strings.ReplaceAll(dump, "key-password", ""), "pw") {
				t.Errorf("want %s, and no pw, in\n%s", test.want, dump)
			}
			text, err := c.DumpJSON(true)
			if err != nil || strings.Contains(strings.ReplaceAll(string(text), "key-password", ""), "pw") {
				t.Errorf("%s, %v", text, err)
			}
		})
	}
}

func TestDumpForPrograms(t *testing.T) {
	c, err := parse(t, words("--config f.yaml 6080 h:1"), words("WSBRIDGE_TEXT=1"), map[string]string{
		"f.yaml": "max-sessions: 7\nkey-password: '${file:f.yaml}'\nroutes: [{path: /x, target: 'h:1'}]\n",
	})
	if err != nil {
		t.Fatal(err)
	}
	text, err := c.DumpJSON(false)
	if err != nil {
		t.Fatal(err)
	}
	var got any
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	said := func(value any, source, place string) map[string]any {
		return map[string]any{"value": value, "source": source, "place": place}
	}
	secret := said("***", "file", "f.yaml:2")
	secret["secret"] = true
	want := map[string]any{
		"options": map[string]any{
			"listen": said([]any{"6080"}, "flag", "[addr:]port"), "target": said("h:1", "flag", "host:port"),
			"text": said(true, "environment", "WSBRIDGE_TEXT"), "max-sessions": said(7.0, "file", "f.yaml:1"), "key-password": secret,
		},
		"routes": []any{map[string]any{"path": said("/x", "file", "f.yaml:3"), "target": said("h:1", "file", "f.yaml:3")}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
