package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var commands = []string{"completion", "demo", "man", "version"}

// plain is what `wsbridge 6080 localhost:5900` means.
func plain() *Config {
	return &Config{
		Listen: []string{"6080"}, Target: "localhost:5900", Cert: "self.pem", LogFormat: "text",
		DialTimeout: 10 * time.Second, EndTimeout: 30 * time.Second, DrainTimeout: 10 * time.Second,
		HubAdmin: "loopback", HubErrors: "frame", HubSlow: "disconnect", Pump: "auto", Compress: "off", HubIdle: time.Minute,
		UnixListenMode: "600", SSLVersion: "default", HTTP2: "on", WrapMode: "exit", WrapWait: 10 * time.Second, OnReload: "keep",
		TrustedProxyHeader: "x-forwarded-for", SendProxy: "off", Sandbox: "auto",
	}
}

func words(line string) []string { return strings.Fields(line) }

// parse runs Parse in a folder of its own that holds the given files.
func parse(t *testing.T, args, env []string, files map[string]string) (*Config, error) {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return Parse(args, env, commands)
}

func same(t *testing.T, want, got *Config) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Config{}, Route{}), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("config (-want +got):\n%s", diff)
	}
}

func TestCommandLine(t *testing.T) {
	for _, test := range []struct {
		name, line string
		change     func(*Config)
	}{
		{"the two words", "6080 localhost:5900", func(c *Config) {}},
		{"options behind the words", "6080 localhost:5900 --heartbeat 30", func(c *Config) { c.Heartbeat = 30 * time.Second }},
		{"options between the words", "6080 --heartbeat=30 localhost:5900 -v", func(c *Config) { c.Heartbeat = 30 * time.Second; c.Verbose = true }},
		{"a unique prefix", "--heartb 5 6080 localhost:5900", func(c *Config) { c.Heartbeat = 5 * time.Second }},
		{"a unique prefix with =", "--heartb=5 6080 localhost:5900", func(c *Config) { c.Heartbeat = 5 * time.Second }},
		{"a switch by prefix", "--traf 6080 localhost:5900", func(c *Config) { c.Traffic = true }},
		{"an exact name that is a prefix", "--max-sessions 7 6080 localhost:5900", func(c *Config) { c.MaxSessions = 7 }},
		{"a value that looks like an option", "--cert --key 6080 localhost:5900", func(c *Config) { c.Cert = "--key" }},
		{"a value that is two dashes", "--cert -- 6080 localhost:5900", func(c *Config) { c.Cert = "--" }},
		{"a wrapped command", "2023 --text -- telnetd -debug --text", func(c *Config) {
			c.Listen, c.Target, c.Text = words("2023"), "", true
			c.Command, c.WrapPort = words("telnetd -debug --text"), 2023
		}},
		{"a wrapped command and where to listen", "--listen [::1]:2023 -- true", func(c *Config) {
			c.Listen, c.Target, c.Command, c.WrapPort = words("[::1]:2023"), "", words("true"), 2023
		}},
		{"a wrapped command behind a unix socket", "--unix-listen s 2023 -- true", func(c *Config) {
			c.Listen, c.Target, c.UnixListen, c.Command, c.WrapPort = nil, "", "s", words("true"), 2023
		}},
		{"a unix socket to listen on", "--unix-listen s localhost:5900", func(c *Config) { c.Listen, c.UnixListen = nil, "s" }},
		{"inetd", "--inetd localhost:5900", func(c *Config) { c.Listen, c.Inetd = nil, true }},
		{"a unix target", "6080 --unix-target s", func(c *Config) { c.Target, c.UnixTarget = "", "s" }},
		{"both unix", "--unix-listen a --unix-target b", func(c *Config) {
			c.Listen, c.Target, c.UnixListen, c.UnixTarget = nil, "", "a", "b"
		}},
		{"the target as an option", "6080 --target ::1:5900", func(c *Config) { c.Target = "[::1]:5900" }},
		{"tokens", "6080 --token-plugin TokenFile --token-source f --host-token", func(c *Config) {
			c.Target, c.TokenPlugin, c.TokenSource, c.HostToken = "", "TokenFile", "f", true
		}},
		{"tokens of old", "--target-config f 6080", func(c *Config) { c.Target, c.TargetConfig = "", "f" }},
		{"clustered switches", "-vD 6080 localhost:5900", func(c *Config) { c.Verbose, c.Daemon = true, true }},
		{"-6", "-6 6080 localhost:5900", func(c *Config) { c.PreferIPv6 = true }},
		{"the last one wins", "--max-sessions 1 6080 localhost:5900 --max-sessions 2", func(c *Config) { c.MaxSessions = 2 }},
		{"a switch put out again", "--text 6080 localhost:5900 --text=false", func(c *Config) {}},
		{"hexadecimal", "--max-sessions 0x10 6080 localhost:5900", func(c *Config) { c.MaxSessions = 16 }},
		{"binary", "--max-sessions 0b101 6080 localhost:5900", func(c *Config) { c.MaxSessions = 5 }},
		{"octal", "--max-sessions 010 6080 localhost:5900", func(c *Config) { c.MaxSessions = 8 }},
		{"seconds in hexadecimal", "--heartbeat 0x1e 6080 localhost:5900", func(c *Config) { c.Heartbeat = 30 * time.Second }},
		{"a duration", "--session-idle 1h30m 6080 localhost:5900", func(c *Config) { c.SessionIdle = 90 * time.Minute }},
		{"part of a second", "--dial-timeout 1.5s 6080 localhost:5900", func(c *Config) { c.DialTimeout = 1500 * time.Millisecond }},
		{"off", "--drain-timeout 0 6080 localhost:5900", func(c *Config) { c.DrainTimeout = 0 }},
		{"the longest time", "--heartbeat 1000000000 6080 localhost:5900", func(c *Config) { c.Heartbeat = 1e9 * time.Second }},
		{"subprotocols add up", "6080 localhost:5900 --subprotocol a,b --subprotocol c", func(c *Config) { c.Subprotocol = words("a b c") }},
		{"a choice", "6080 localhost:5900 --log-format json", func(c *Config) { c.LogFormat = "json" }},
		{"all addresses", ":6080 localhost:5900", func(c *Config) { c.Listen = words(":6080") }},
		{"an IPv6 address", "[::1]:0 [::1]:5900", func(c *Config) { c.Listen = words("[::1]:0"); c.Target = "[::1]:5900" }},
		{"IPv6 without brackets", "::1:6080 ::1:5900", func(c *Config) { c.Listen = words("::1:6080"); c.Target = "[::1]:5900" }},
		{"--listen and a target", "--listen 6080 --listen [::1]:6081 localhost:5900", func(c *Config) { c.Listen = words("6080 [::1]:6081") }},
		{"no certificate at all", "--cert= 6080 localhost:5900", func(c *Config) { c.Cert = "" }},
		{"a switch of web with a folder", "--web . --file-only 6080 localhost:5900", func(c *Config) { c.Web = "."; c.FileOnly = true }},
		{"--listen taken back", "--listen= 6080 localhost:5900", func(c *Config) {}},
	} {
		t.Run(test.name, func(t *testing.T) {
			want := plain()
			test.change(want)
			got, err := parse(t, words(test.line), nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			same(t, want, got)
		})
	}
}

func TestHelpAndVersionNeedNothingElse(t *testing.T) {
	for _, line := range []string{"-h", "--help", "--hel", "-vh", "--heartbeat x --help", "6080 --help --config nowhere.yaml"} {
		if c, err := parse(t, words(line), nil, nil); err != nil || !c.Help {
			t.Errorf("%s: help %v, error %v", line, c, err)
		}
	}
	if c, err := parse(t, words("--version"), []string{"WSBRIDGE_HEARTBEAT=x"}, nil); err != nil || !c.Version {
		t.Errorf("--version: %v, error %v", c, err)
	}
}

func TestPrecedence(t *testing.T) {
	const file = "heartbeat: 1\nsubprotocol: [file]\nlisten: [7001, 7002]\n"
	for _, test := range []struct {
		name, line, env string
		heartbeat       time.Duration
		origin          Origin
	}{
		{"default", "6080 localhost:5900", "", 0, Origin{Source: Default}},
		{"file", "--config f.yaml 6080 localhost:5900", "", 1 * time.Second, Origin{Source: File, Place: "f.yaml:1"}},
		{"file named by the environment", "6080 localhost:5900", "WSBRIDGE_CONFIG=f.yaml", 1 * time.Second, Origin{Source: File, Place: "f.yaml:1"}},
		{"environment over file", "--config f.yaml 6080 localhost:5900", "WSBRIDGE_HEARTBEAT=2s", 2 * time.Second, Origin{Source: Environment, Place: "WSBRIDGE_HEARTBEAT"}},
		{"an empty name is unset", "--config f.yaml 6080 localhost:5900", "WSBRIDGE_HEARTBEAT=", 1 * time.Second, Origin{Source: File, Place: "f.yaml:1"}},
		{"flag over all", "--config f.yaml --heartb 3 6080 localhost:5900", "WSBRIDGE_HEARTBEAT=2", 3 * time.Second, Origin{Source: Flag, Place: "--heartbeat"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, err := parse(t, words(test.line), words(test.env), map[string]string{"f.yaml": file})
			if err != nil {
				t.Fatal(err)
			}
			if c.Heartbeat != test.heartbeat || c.Origin("heartbeat") != test.origin {
				t.Errorf("heartbeat %v from %+v, want %v from %+v", c.Heartbeat, c.Origin("heartbeat"), test.heartbeat, test.origin)
			}
		})
	}
}

// A list of one source replaces the list of a weaker one; it is not joined to it.
func TestListsOfSeveralSources(t *testing.T) {
	files := map[string]string{"f.yaml": "subprotocol: [a, b]\nlisten: 7001\n"}
	env := words("WSBRIDGE_SUBPROTOCOL=c,d")
	for _, test := range []struct {
		line        string
		listen, sub []string
	}{
		{"localhost:5900 --config f.yaml", words("7001"), words("c d")},
		{"6080 localhost:5900 --config f.yaml --subprotocol e --subprotocol f", words("6080"), words("e f")},
		{"localhost:5900 --config f.yaml --listen 1 --listen 2 --subprotocol=", words("1 2"), nil},
	} {
		c, err := parse(t, words(test.line), env, files)
		if err != nil {
			t.Fatalf("%s: %v", test.line, err)
		}
		if d := cmp.Diff([][]string{test.listen, test.sub}, [][]string{c.Listen, c.Subprotocol}); d != "" {
			t.Errorf("%s:\n%s", test.line, d)
		}
	}
}

func TestUnknownEnvironmentNamesAreWarnings(t *testing.T) {
	c, err := parse(t, words("6080 localhost:5900"), words("WSBRIDGE_HEARTBEET=1 WSBRIDGE_SERVICE_HOST=10.0.0.1 PATH=/bin"), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"environment name WSBRIDGE_HEARTBEET is not known and ignored; did you mean WSBRIDGE_HEARTBEAT?",
		"environment name WSBRIDGE_SERVICE_HOST is not known and ignored",
	}
	if d := cmp.Diff(want, c.Warnings); d != "" {
		t.Error(d)
	}
}

// usage fails unless err is a usage error with this text and hint.
func usage(t *testing.T, err error, msg, hint string) {
	t.Helper()
	var u *UsageError
	if !errors.As(err, &u) {
		t.Fatalf("error %v, want a usage error", err)
	}
	if d := cmp.Diff([]string{msg, hint}, []string{u.Msg, u.Hint}); d != "" {
		t.Errorf("message and hint (-want +got):\n%s", d)
	}
}

func TestUsageErrors(t *testing.T) {
	const (
		seconds  = "write 30 or 30s, 5m, 1h30m; 0 is off"
		target   = "write host:port, for example localhost:5900"
		wrapHint = "for example wsbridge 2023 -- telnetd -debug 2023"
	)
	for _, test := range []struct{ line, msg, hint string }{
		{"", "too few arguments: no port to listen on and no target", "for example wsbridge 6080 localhost:5900; see wsbridge --help"},
		{"6080", `too few arguments: no target after "6080"`, "write it last: wsbridge 6080 localhost:5900"},
		{"6080 --", "too few arguments: no command after --", wrapHint},
		{"-- telnetd", "too few arguments: no port before --", wrapHint},
		{"6080 localhost:5900 -- telnetd", `too many arguments: "localhost:5900" stands before --`, wrapHint},
		{"0 -- telnetd", "cannot wrap: port 0 is not in the range 1 to 65535", "the command serves this port, and wsbridge takes its place there"},
		{"6080 --token-plugin TokenFile -- telnetd", "--token-plugin and a command after -- both lead to the target", "leave out one of them"},
		{"--inetd -- telnetd", "--inetd cannot wrap a command: there is no port for it to move from", wrapHint},
		{"6080 localhost:5900 --unix-target s", `too many arguments: "localhost:5900", but --unix-target leads to the target`, "leave out one of them"},
		{"--unix-listen s 6080 localhost:5900", `too many arguments: "6080"`, "with --listen, --unix-listen or --inetd the target is the only one"},
		{"--unix-target s", "too few arguments: no port to listen on", "write it last: [addr:]port"},
		{"--unix-target s --token-plugin TokenFile 6080", "--unix-target and --token-plugin cannot both be", "leave out one of them"},
		{"--token-source f 6080 localhost:5900", "--token-source without --token-plugin", "add --token-plugin"},
		{"--legacy-syslog 6080 localhost:5900", "--legacy-syslog without --syslog", "add --syslog"},
		{"--web-auth 6080 localhost:5900", "--web-auth without --auth-plugin", "add --auth-plugin"},
		{"--ssl-version tlsv1 6080 localhost:5900", `--ssl-version: "tlsv1" is not one of default, tlsv1_1, tlsv1_2, tlsv1_3`, "did you mean tlsv1_1?"},
		{"--listen 6080", "too few arguments: no target", "write it last: wsbridge --listen 6080 localhost:5900"},
		{"6080 localhost:5900 more", `too many arguments: "more"`, usageHint},
		{"--listen 6080 6081 localhost:5900", `too many arguments: "6081"`, "with --listen, --unix-listen or --inetd the target is the only one"},
		{"dmeo", `"dmeo" is neither a port nor a command`, "did you mean wsbridge demo?"},
		{"serve 6080", `"serve" is neither a port nor a command`, usageHint},
		{"-v demo", `command "demo" stands behind an option`, "write wsbridge demo first, its own options after it"},
		{"6080 localhost", `target "localhost" has no port`, target},
		{"--listen 6080 localhost", `target "localhost" has no port`, target},
		{"6080 5900", `target "5900" has no port`, target},
		{"6080 :5900", `target ":5900" has no host`, "write localhost:5900 for this machine"},
		{"6080 [::1:5900", `target "[::1:5900": "[::1" is no host`, target},
		{"6080 localhost:70000", `target "localhost:70000": port 70000 is not in the range 1 to 65535`, target},
		{"6080 localhost:99999999999999999999", `target "localhost:99999999999999999999": port 99999999999999999999 is not in the range 1 to 65535`, target},
		{"6080 localhost:0", `target "localhost:0": port 0 is not in the range 1 to 65535`, target},
		{"6080 localhost:vnc", `target "localhost:vnc": port "vnc" is not a number`, target},
		{"6080 localhost:+80", `target "localhost:+80": port "+80" is not a number`, target},
		{"6080 http://localhost:80", `target "http://localhost:80": a slash is in no host:port`, target},
		{"6080 localhost:5900 --nope", "unknown option --nope", "see wsbridge --help"},
		{"6080 localhost:5900 --hartbeat 3", "unknown option --hartbeat", "did you mean --heartbeat?"},
		{"6080 localhost:5900 -x", "unknown option -x in -x", "a long option has two dashes; see wsbridge --help"},
		{"6080 localhost:5900 -verbose", "unknown option -e in -erbose", "a long option has two dashes; see wsbridge --help"},
		{"--max 3 6080 localhost:5900", "option --max is ambiguous: --max-sessions-per-user, --max-sessions-per-target, --max-sessions, --max-sessions-per-ip", "write one of them out"},
		{"6080 localhost:5900 --cert", "option --cert needs a value", "write --cert F"},
		{"--heartbeat x 6080 localhost:5900", `--heartbeat: "x" is not a time from 0 to 1000000000 seconds`, seconds},
		{"--heartbeat 1.5 6080 localhost:5900", `--heartbeat: "1.5" is not a time from 0 to 1000000000 seconds`, seconds},
		{"--heartbeat -1 6080 localhost:5900", `--heartbeat: "-1" is not a time from 0 to 1000000000 seconds`, seconds},
		{"--heartbeat 1000000001 6080 localhost:5900", `--heartbeat: "1000000001" is not a time from 0 to 1000000000 seconds`, seconds},
		{"--heartbeat 9999999h 6080 localhost:5900", `--heartbeat: "9999999h" is not a time from 0 to 1000000000 seconds`, seconds},
		{"--max-sessions -1 6080 localhost:5900", `--max-sessions: "-1" is not a whole number from 0 to 2147483647`, "write it as 10, 0x1f, 0b11 or 017"},
		{"--max-sessions 2147483648 6080 localhost:5900", `--max-sessions: "2147483648" is not a whole number from 0 to 2147483647`, "write it as 10, 0x1f, 0b11 or 017"},
		{"--max-sessions 1_000 6080 localhost:5900", `--max-sessions: "1_000" is not a whole number from 0 to 2147483647`, "write it as 10, 0x1f, 0b11 or 017"},
		{"--log-format jsno 6080 localhost:5900", `--log-format: "jsno" is not one of text, json`, "did you mean json?"},
		{"--text=maybe 6080 localhost:5900", `--text: "maybe" is not true or false`, "write true or false"},
		{"--config nowhere.yaml 6080 localhost:5900", "configuration file: open nowhere.yaml: no such file or directory", "name a YAML file that may be read"},
		{"--file-only 6080 localhost:5900", "--file-only without --web", "add --web DIR"},
		{"--web nowhere 6080 localhost:5900", "--web: stat nowhere: no such file or directory", "name an existing directory"},
		{"--web file 6080 localhost:5900", "--web: file is not a directory", "name the directory that holds it"},
		{"--ssl-only 6080 localhost:5900", "--ssl-only: certificate self.pem not found", "name an existing PEM file with --cert F"},
		{"--ssl-o --cert= 6080 localhost:5900", "--ssl-only without a certificate", "add --cert F"},
		{"--key k.pem --cert= 6080 localhost:5900", "--key without a certificate", "add --cert F"},
		{"--subprotocol caf\u00e9 6080 localhost:5900", `--subprotocol: "café" has a character that no header field may hold`, "leave it out"},
	} {
		t.Run(test.line, func(t *testing.T) {
			_, err := parse(t, words(test.line), nil, map[string]string{"file": ""})
			usage(t, err, test.msg, test.hint)
		})
	}
}

func TestFile(t *testing.T) {
	for _, test := range []struct {
		name, text string
		change     func(*Config)
	}{
		{"empty", "", func(*Config) {}},
		{"comments only", "# nothing\n", func(*Config) {}},
		{"null", "~\n", func(*Config) {}},
		{"every kind", "text: yes\nmax-sessions: 0x10\nheartbeat: 30\nkey: k.pem\nsubprotocol: [a, b]\nlog-format: json\n", func(c *Config) {
			c.Text, c.MaxSessions, c.Heartbeat, c.Key = true, 16, 30*time.Second, "k.pem"
			c.Subprotocol, c.LogFormat = words("a b"), "json"
		}},
		{"a list of one without brackets", "subprotocol: a, b\n", func(c *Config) { c.Subprotocol = words("a b") }},
		{"aliases", "key: &k k.pem\ncert: *k\n", func(c *Config) { c.Key, c.Cert = "k.pem", "k.pem" }},
	} {
		t.Run(test.name, func(t *testing.T) {
			want := plain()
			want.File = "f.yaml"
			test.change(want)
			got, err := parse(t, words("--config f.yaml 6080 localhost:5900"), nil, map[string]string{"f.yaml": test.text})
			if err != nil {
				t.Fatal(err)
			}
			same(t, want, got)
		})
	}
}

func FuzzCommandLine(f *testing.F) {
	f.Add("6080 localhost:5900 --heartbeat=3 -vh --listen [::1]:0 -- x")
	f.Add("--max 3 --=x -= --cert")
	f.Add("1 -- 0")
	f.Fuzz(func(t *testing.T, line string) {
		args := strings.Split(line, " ")
		for i, a := range args {
			if strings.HasPrefix(a, "--co") { // may name any file of this machine
				args[i] = "--config=" + filepath.Join(t.TempDir(), "none")
			}
		}
		c, err := Parse(args, args, commands)
		var u *UsageError
		if err != nil && (!errors.As(err, &u) || u.Msg == "") {
			t.Fatalf("%q: error %#v is no usage error", args, err)
		}
		if err == nil && !c.Help && !c.Version && (!leads(c) || !listens(c)) {
			t.Fatalf("%q: accepted without a target or a port", args)
		}
	})
}

// leads tells whether a client could get anywhere.
func leads(c *Config) bool {
	return c.Target != "" || c.UnixTarget != "" || len(c.Command) > 0 || len(c.Routes) > 0 || len(c.WebSockets) > 0 ||
		c.TokenPlugin != "" || c.TargetConfig != ""
}

func listens(c *Config) bool { return len(c.Listen) > 0 || c.UnixListen != "" || c.Inetd }
