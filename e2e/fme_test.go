//go:build linux

package e2e

import (
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// hubWorks has two clients of a hub talk to each other.
func hubWorks(t *testing.T, url string) {
	t.Helper()
	out := start(t, nil, "node", "fme.mjs", url)
	out.succeed()
	said := strings.TrimSpace(out.out.String())
	if !strings.HasPrefix(said, `{"sender":["I am here","{\"ws_op\":\"error\",\"ws_code\":\"not_open\"`) ||
		!strings.HasSuffix(said, `"receiver":["plain text","{\"id\":12345678901234567890,\"b\":1}"]}`) {
		t.Errorf("%s: %s", url, said)
	}
}

// TestFME15Paths: any path of a port of its own, /websocket of a shared one.
func TestFME15Paths(t *testing.T) {
	need(t, "node", modules)
	own := serve(t, "fme:")
	for _, path := range []string{"", "websocket", "x/y"} {
		hubWorks(t, own.url("ws")+path)
	}
	shared := serve(t, target(t, echo), "--route", "/websocket=fme:")
	hubWorks(t, shared.url("ws")+"websocket")
	echoes(t, []string{"node", "echo.mjs", shared.url("ws")})
}

// TestFME16Probes: load balancers ask for / and accept up to 400; an empty
// connection is nothing to speak of.
func TestFME16Probes(t *testing.T) {
	b := serve(t, "fme:")
	for path, want := range map[string]int{"": 200, "websocket": 400} {
		answer, err := http.Get(b.url("http") + path)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("GET /%s: %s, want %d", path, answer.Status, want)
		}
	}
	before := b.out.String()
	c, err := net.DialTimeout("tcp", b.address(), patience)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	time.Sleep(200 * time.Millisecond) // for a line that must not come
	if after := b.out.String(); after != before {
		t.Errorf("it said:%s", strings.TrimPrefix(after, before))
	}
}

// TestFME22SecureByWscat is the validation guide's own command.
func TestFME22SecureByWscat(t *testing.T) {
	need(t, "node", modules, "openssl", "script")
	c := certify(t, t.TempDir(), "localhost")
	b := serve(t, "fme:", "--cert", c.cert, "--key", c.key)
	hubWorks(t, b.url("wss"))
	person := wscat(t, b, "--ca", c.cert)
	person.await(`Connected`)
	person.say(`{"ws_op":"open","ws_stream_ids":["a"]}` + "\n")
	person.say(`{"ws_op":"admin","ws_msg":"getnumchannels();"}` + "\n")
	person.await(`\{"numchannels":"1","streams":\[\{"stream":"a","numchannels":"1"\}\]\}`)
}

// TestFME23InFrontOfFME: our certificate on the port that clients know, FME's
// own server behind it, through a gateway and through a passthrough.
func TestFME23InFrontOfFME(t *testing.T) {
	need(t, "node", modules, "openssl")
	c := certify(t, t.TempDir(), "localhost")
	behind := serve(t, "fme:").address()
	for _, to := range []string{"ws://" + behind, "passthrough+ws://" + behind} {
		front := serve(t, to, "--cert", c.cert, "--key", c.key)
		hubWorks(t, front.url("wss")+"websocket")
	}
}
