//go:build linux

package e2e

import (
	"strings"
	"testing"
)

// TestWscat: a person checks a TLS bridge by wscat. It connects when told to
// trust the certificate or not to check it, and then echoes a line; told
// nothing, it refuses.
func TestWscat(t *testing.T) {
	need(t, "node", modules, "openssl", "script")
	cert := certify(t, t.TempDir(), "localhost")
	b := serve(t, target(t, echo), cert.options()...)
	for name, option := range map[string][]string{
		"trusts the certificate": {"--ca", cert.cert},
		"does not check":         {"--no-check"},
	} {
		t.Run(name, func(t *testing.T) {
			person := wscat(t, b, option...)
			person.await(`Connected`)
			person.say("open sesame\n")
			person.await(`< open sesame`)
		})
	}
	t.Run("refuses a stranger", func(t *testing.T) {
		person := wscat(t, b)
		person.await(`error: self-signed certificate`)
		if person.wait() == 0 {
			t.Error("wscat ended with success")
		}
	})
}

// wscat runs on a terminal made by script, since elsewhere it says less.
func wscat(t *testing.T, b bridge, options ...string) dialogue {
	t.Helper()
	command := append([]string{modules + "/.bin/wscat", "--no-color", "--connect", b.url("wss")}, options...)
	return converse(t, "script", "--quiet", "--return", "--command", strings.Join(command, " "), "/dev/null")
}
