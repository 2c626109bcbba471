package main

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/wsbridge/wsbridge/config"
)

// websockify's options, of all its versions.
const ancestral = `verbose traffic record daemon run-once timeout idle-timeout
	cert key key-password ssl-only ssl-target verify-client cafile ssl-version ssl-ciphers
	unix-listen unix-listen-mode unix-target inetd web web-auth file-only wrap-mode
	prefer-ipv6 libserver target-config token-plugin token-source host-token
	auth-plugin auth-source heartbeat log-file syslog legacy-syslog auto-pong target-list`

// TestMigrating: the guide speaks of every option of websockify, and what it
// calls absent is what there is not.
func TestMigrating(t *testing.T) {
	guide, err := os.ReadFile("../../docs/migrating-from-websockify.md")
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile("(?m)^\\| (?:`-.`, )?`--([a-z0-9-]+)[^`]*` \\| (same|better|absent) \\|")
	told := map[string]string{}
	for _, m := range row.FindAllStringSubmatch(string(guide), -1) {
		told[m[1]] = m[2]
	}
	exist := optionNames()
	for _, name := range strings.Fields(ancestral) {
		switch word, ok := told[name]; {
		case !ok:
			t.Errorf("--%s: no word in the guide", name)
		case slices.Contains(exist, name) == (word == "absent"):
			t.Errorf("--%s: the guide says %s", name, word)
		}
		delete(told, name)
	}
	for name := range told {
		t.Errorf("--%s: websockify has no such option", name)
	}
}

func optionNames() (names []string) {
	for _, s := range config.Sections() {
		for _, o := range s.Options {
			names = append(names, o.Long)
		}
	}
	return names
}
