package config

import (
	"errors"
	"io/fs"
	"path"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestIncludes: what a file says itself wins over what it includes, wherever
// the include stands in it; of the included the last one wins; lists add up.
func TestIncludes(t *testing.T) {
	c, err := parse(t, words("--config conf/bridge.yaml"), nil, map[string]string{
		"conf/bridge.yaml": `
heartbeat: 1
listen: [6081]
routes: [{path: /own, target: 'h:1'}]
include: [first.yaml, 'parts.d/*.yaml', none.d/*]
`,
		"conf/first.yaml":          "heartbeat: 2\nsession-idle: 2\ndial-timeout: 2\nlisten: [6080]\n",
		"conf/parts.d/a.yaml":      "dial-timeout: 3\nroutes: [{path: /a, target: 'h:1'}]\ninclude: deep/x.yaml\n",
		"conf/parts.d/b.yaml":      "routes: [{path: /b, target: 'h:1'}]\n",
		"conf/parts.d/c.txt":       "no YAML: [\n",
		"conf/parts.d/deep/x.yaml": "routes: [{path: /x, target: 'h:1'}]\ndial_timeout: 4\nsession-idle: 4\n",
	})
	if err != nil {
		t.Fatal(err)
	}
	type seen struct {
		Listen                  []string
		Heartbeat, Idle, Dial   time.Duration
		Routes                  []string
		ByHeartbeat, ByDial, By string
	}
	got := seen{Listen: c.Listen, Heartbeat: c.Heartbeat, Idle: c.SessionIdle, Dial: c.DialTimeout,
		ByHeartbeat: c.Origin("heartbeat").Place, ByDial: c.Origin("dial-timeout").Place, By: c.Origin("session-idle").Place}
	for _, r := range c.Routes {
		got.Routes = append(got.Routes, r.Place+" "+r.Path)
	}
	want := seen{
		Listen: words("6080 6081"), Heartbeat: time.Second, Idle: 4 * time.Second, Dial: 3 * time.Second,
		Routes: []string{
			"conf/parts.d/deep/x.yaml:1 /x", "conf/parts.d/a.yaml:2 /a", "conf/parts.d/b.yaml:1 /b", "conf/bridge.yaml:4 /own",
		},
		ByHeartbeat: "conf/bridge.yaml:2", ByDial: "conf/parts.d/a.yaml:1", By: "conf/parts.d/deep/x.yaml:3",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestAnIncludeByItsWholeName, and eight files in each other.
func TestAnIncludeByItsWholeName(t *testing.T) {
	files := map[string]string{"8.yaml": "heartbeat: 8\n"}
	dir := t.TempDir()
	for i, name := range words("0 1 2 3 4 5 6 7") {
		files[name+".yaml"] = "include: " + string(rune('1'+i)) + ".yaml\n"
	}
	files["f.yaml"] = "include: '${env:DIR}/0.yaml'\n"
	c, err := parse(t, words("--config 0.yaml 6080 h:1"), []string{"DIR=" + dir}, files)
	if err != nil || c.Heartbeat != 8*time.Second {
		t.Errorf("%+v, %v", c, err)
	}
}

// TestSecrets are taken from a file, the environment and systemd, as a whole
// value or in the middle of one, in options, lists and routes.
func TestSecrets(t *testing.T) {
	const key = "$5\\ \"x\"' # ${env:NO}" // nothing in it means anything
	c, err := parse(t, words("--config conf/f.yaml 6080"), words("HOST=desk PORT=5900 CREDENTIALS_DIRECTORY=cred WSBRIDGE_WEB=${env:NO}"), map[string]string{
		"cred/redis":    "pw",
		"conf/pass":     key + "\n",
		"conf/two":      "a\r\n\r\n",
		"conf/empty":    "",
		"${env:NO}/x":   "",
		"conf/six":      "0x6\n",
		"conf/sub/yaml": "idle-timeout: '${file:../six}'\n",
		"conf/f.yaml": `
include: sub/yaml
key-password: ${file:pass}
token-plugin: TokenRedis
token-source: redis://me:${credential:redis}@${env:HOST}:6379/$${x}$$${y}$z
record: ${file:two}
target-name: "${file:empty}"
subprotocol: ["${env:HOST}", b]
routes:
- path: /x
  target: ws://${env:HOST}:${env:PORT}/
  set_headers: "Authorization: Bearer ${credential:redis}"
  max_message: ${env:PORT}
`})
	if err != nil {
		t.Fatal(err)
	}
	want := []any{key, "redis://me:pw@desk:6379/${x}$${y}$z", "a\r\n", "", "${env:NO}", 6 * time.Second, words("desk b"),
		"ws://desk:5900/", Verbatim{"Authorization: Bearer pw"}, 5900}
	r := c.Routes[0]
	got := []any{c.KeyPassword, c.TokenSource, c.Record, c.TargetName, c.Web, c.IdleTimeout, c.Subprotocol, r.Target, r.SetHeaders, r.MaxMessage}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, option := range words("key-password token-source record target-name idle-timeout subprotocol") {
		if !c.Origin(option).Secret {
			t.Errorf("%s is not known as secret", option)
		}
	}
	for _, option := range words("token-plugin web") {
		if c.Origin(option).Secret {
			t.Errorf("%s is taken for secret", option)
		}
	}
}

// TestACredentialIsNoPath: none leads out of systemd's directory.
func TestACredentialIsNoPath(t *testing.T) {
	for _, name := range []string{"../secret", "..", ".", "/secret", `..\secret`, "a/../b"} {
		_, err := parse(t, words("--config f.yaml 6080 h:1"), words("CREDENTIALS_DIRECTORY=cred"), map[string]string{
			"f.yaml": "record: '${credential:" + name + "}'", "secret": "x", "cred/b": "x", "cred/a/b": "x",
		})
		usage(t, err, "f.yaml:1: record: ${credential:"+name+"}: a credential's name is no path", "have LoadCredential="+name+":/path in the systemd unit")
	}
}

// TestEscapedSecrets: what is escaped for a file is read as it was.
func TestEscapedSecrets(t *testing.T) {
	for _, text := range []string{"", "$", "${", "$${", "$$${x}", "a${file:b}$", "$}{", "${$${", "}${"} {
		got, secret, err := new(reader).expand("f.yaml:1", ".", escapeSecrets(text))
		if got != text || secret || err != nil {
			t.Errorf("%q: %q, secret %v, %v", text, got, secret, err)
		}
	}
}

// FuzzFile reads a file that may include another, and secrets, of no disk.
func FuzzFile(f *testing.F) {
	f.Add([]byte("listen: [6080, &a 6081, *a]\nheartbeat: 3s\n"), []byte(""))
	f.Add([]byte("a: &a [*a]\n<<: *a\n---\n"), []byte("\x00"))
	f.Add([]byte("include: [g.yaml, '*']\nroutes: [{path: /, target: '${file:g.yaml}'}]\n"), []byte("text: '${env:A}'\n"))
	f.Add([]byte("include: g.yaml\n"), []byte("include: ['f.yaml', '../${env:A}[']\n"))
	f.Fuzz(func(t *testing.T, text, other []byte) {
		files := fstest.MapFS{"f.yaml": {Data: text}, "g.yaml": {Data: other}}
		glob := func(pattern string) ([]string, error) { return fs.Glob(files, path.Clean(pattern)) }
		c := &Config{origins: make(origins)}
		r := reader{table: newTable(c), disk: disk{files.Open, glob}, env: []string{"A=$${x"}, left: maxReadSize}
		err := r.file("f.yaml", text, nil)
		if err == nil {
			err = c.origins.apply(r.given)
		}
		var usage *UsageError
		if err != nil && (!errors.As(err, &usage) || usage.Hint == "" || !strings.HasPrefix(err.Error(), "f.yaml:") && !strings.HasPrefix(err.Error(), "g.yaml:")) {
			t.Fatalf("error %q does not name the file, or has no hint", err)
		}
	})
}
