//go:build linux

package e2e

import (
	"bytes"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// TestAGatewayCannotBeToldFromItsTarget: a client that plays every trick hears
// the same from a server, through a gateway and through a passthrough.
func TestAGatewayCannotBeToldFromItsTarget(t *testing.T) {
	need(t, "node", modules, python, "/usr/lib/python3/dist-packages/websockets")
	for name, command := range map[string][]string{
		"Node ws":           {"node", "upstream.mjs"},
		"Python websockets": {python, "upstream_websockets.py"},
	} {
		t.Run(name, func(t *testing.T) {
			to := upstream(t, command...)
			direct := suite(t, "ws://"+to)
			if !strings.Contains(direct, "1000 messages: all came back") {
				t.Fatalf("the target itself:\n%s", direct)
			}
			b := serve(t, "ws://"+to, "--route", "/through=passthrough+ws://"+to)
			for way, url := range map[string]string{"gateway": b.url("ws"), "passthrough": b.url("ws") + "through"} {
				if got := suite(t, url); got != direct {
					t.Errorf("by the %s:\n%s", way, unlike(direct, got))
				}
			}
		})
	}
}

// upstream starts a WebSocket server and returns its host:port.
func upstream(t *testing.T, command ...string) string {
	t.Helper()
	return "127.0.0.1:" + start(t, nil, command[0], command[1:]...).await(`port (\d+)`)[1]
}

func suite(t *testing.T, url string) string {
	t.Helper()
	var out bytes.Buffer
	start(t, func(c *exec.Cmd) { c.Stdout = &out }, "node", "suite.mjs", url, "1000").succeed()
	return out.String()
}

// unlike is the lines that differ.
func unlike(want, got string) string {
	var b strings.Builder
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range max(len(w), len(g)) {
		var one, other string
		if i < len(w) {
			one = w[i]
		}
		if i < len(g) {
			other = g[i]
		}
		if one != other {
			b.WriteString("direct: " + one + "\n   got: " + other + "\n")
		}
	}
	return b.String()
}

// TestWSO18TLSOnBothSides: a TLS listener, a wss target that is verified.
func TestWSO18TLSOnBothSides(t *testing.T) {
	need(t, "node", modules, "openssl")
	dir := t.TempDir()
	c := certify(t, dir, "localhost")
	to := strings.Replace(upstream(t, "node", "upstream.mjs", c.cert, c.key), "127.0.0.1", "localhost", 1)
	for name, story := range map[string]struct {
		options []string
		want    string
	}{
		"trusted":     {[]string{"--target-ca", c.cert}, "101"},
		"not trusted": {nil, "502 target certificate is not trusted"},
		"wrong name":  {[]string{"--target-ca", c.cert, "--target-name", "other.example"}, "502 target certificate is for another name"},
		"anyone":      {[]string{"--target-insecure"}, "101"},
	} {
		t.Run(name, func(t *testing.T) {
			b := serve(t, "wss://"+to+"/", append(story.options, "--cert", c.cert, "--key", c.key)...)
			var out bytes.Buffer
			start(t, func(cmd *exec.Cmd) { cmd.Stdout = &out }, "node", "upgrade.mjs", b.url("wss")).succeed()
			if got := strings.TrimSpace(out.String()); got != story.want {
				t.Errorf("%q, want %q", got, story.want)
			}
		})
	}
}

// TestWSO19ShutdownReachesEveryPath: SIGTERM closes all of them with 1001.
func TestWSO19ShutdownReachesEveryPath(t *testing.T) {
	need(t, "node", modules)
	to := upstream(t, "node", "upstream.mjs")
	b := serve(t, "ws://"+to, "--route", "/other=ws://"+to, "--drain-timeout", "10")
	var clients []*process
	for _, path := range []string{"", "other", "third"} {
		c := start(t, nil, "node", "wait.mjs", b.url("ws")+path)
		c.await("open")
		clients = append(clients, c)
	}
	b.signal(syscall.SIGTERM)
	for _, c := range clients {
		c.await(`closed 1001 bridge shutting down`)
	}
	b.succeed()
}
