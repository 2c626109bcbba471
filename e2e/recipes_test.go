//go:build linux

package e2e

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// works says for each recipe what must work when its programs run and its
// commands said what the page has.
var works = map[string]func(*trial, recipe){
	"nginx.md: Under a path":                (*trial).underAPath,
	"haproxy.md: Under a path":              (*trial).underAPathByHTTP2,
	"haproxy.md: TLS passed through":        (*trial).atTheRoot,
	"caddy.md: Under a path":                (*trial).underAPath,
	"novnc.md: Desktops by name":            (*trial).manyDesktops,
	"fme.md: Behind nginx":                  (*trial).hub,
	"tcp-service.md: MQTT for pages":        (*trial).mqtt,
	"tcp-service.md: A database for people": (*trial).database,
}

// TestRecipes: an administrator pastes what docs/recipes says, and it works. No
// block of a page is left out, and no recipe.
func TestRecipes(t *testing.T) {
	book := recipes(t)
	for name := range works {
		if _, there := book[name]; !there {
			t.Errorf("no page has %q", name)
		}
	}
	for name, r := range book {
		t.Run(name, func(t *testing.T) {
			must, known := works[name]
			if !known {
				t.Fatal("nothing says what must work")
			}
			tr := newTrial(t, r)
			tr.follow(r)
			must(tr, r)
		})
	}
}

var (
	heartbeat = regexp.MustCompile(`(?m)^heartbeat: (\d+)s$`)
	limit     = regexp.MustCompile(`(?m)^ +(?:proxy_read_timeout|timeout tunnel) +(\d+)s`)
)

// TestRecipesArePatient: a proxy waits for more than two heartbeats.
func TestRecipesArePatient(t *testing.T) {
	proxies := 0
	for name, r := range recipes(t) {
		beat := heartbeat.FindStringSubmatch(r.text)
		if beat == nil {
			t.Errorf("%s: no heartbeat", name)
			continue
		}
		if most := limit.FindStringSubmatch(r.text); most != nil {
			proxies++
			if seconds(t, most[1]) <= 2*seconds(t, beat[1]) {
				t.Errorf("%s: %ss between heartbeats, and the proxy waits for %ss", name, beat[1], most[1])
			}
		}
	}
	if proxies < 4 {
		t.Errorf("%d proxies with a limit", proxies)
	}
}

func seconds(t *testing.T, text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// guest is where a client comes from that is not the proxy.
const guest = "127.0.0.5"

func (tr *trial) underAPath(r recipe)        { tr.site(r, "/desk/", "HTTP/1.1") }
func (tr *trial) underAPathByHTTP2(r recipe) { tr.site(r, "/desk/", "HTTP/2") }
func (tr *trial) atTheRoot(r recipe)         { tr.site(r, "/", "HTTP/") }
func (tr *trial) manyDesktops(r recipe)      { tr.shown(r, "HTTP/") }

// site is a proxy's with the desktop at path.
func (tr *trial) site(r recipe, path, protocol string) {
	tr.t.Helper()
	tr.shown(r, protocol)
	tr.echo.Store(true)
	echoes(tr.t, []string{"node", "echo.mjs", "wss://localhost:" + tr.port(door) + path})
	tr.knowsItsGuest(path)
	tr.refusesOtherPages(path)
}

// shown opens the address of the page in a browser: the desktop is there, and
// every file that noVNC asks for. The session comes by a protocol that begins so.
func (tr *trial) shown(r recipe, protocol string) {
	tr.t.Helper()
	need(tr.t, "node", modules, "chromium", novnc+"/vnc.html")
	url := openURL.FindStringSubmatch(r.text)
	if url == nil {
		tr.t.Fatal("the page names no address to open in a browser")
	}
	paint := colour{36, 104, 172}
	tr.desktop.run("xsetroot", "-solid", paint.hex()).succeed()
	chromium, _ := exec.LookPath("chromium")
	pixels, err := json.Marshal(solid(paint).pixels(terminal))
	if err != nil {
		tr.t.Fatal(err)
	}
	browser := start(tr.t, nil, "node", "recipe.mjs", chromium, tr.here(url[1]), string(pixels))
	browser.succeed()
	browser.await(`session by ` + regexp.QuoteMeta(protocol))
}

// knowsItsGuest: the log has the client's own address, whatever it claims.
func (tr *trial) knowsItsGuest(path string) {
	tr.t.Helper()
	c := tr.visit(path, "X-Forwarded-For: 6.6.6.6", "Forwarded: for=6.6.6.6")
	c.say(masked(final|opBinary, "open sesame"))
	c.hear(len("open sesame"))
	c.shut(closing(1000, ""))
	c.end()
	if got := strings.Join(c.heard, " "); got != `101 "open sesame" close 1000 gone` {
		tr.t.Errorf("a guest hears %s", got)
	}
	logged := tr.bridge.await(`msg="session ended" client=(\S+):\d+ .* to_target=11 to_client=11 `)
	if logged[1] != guest {
		tr.t.Errorf("the log says the client is %s, want %s", logged[1], guest)
	}
}

// refusesOtherPages: pages of this site open sessions, others do not.
func (tr *trial) refusesOtherPages(path string) {
	tr.t.Helper()
	for origin, want := range map[string]string{"https://localhost:" + tr.port(door): "101", "https://elsewhere.example": "403"} {
		if got := tr.visit(path, "Origin: "+origin).heard[0]; got != want {
			tr.t.Errorf("a page of %s: %s, want %s", origin, got, want)
		}
	}
}

// visit asks for a session as a guest.
func (tr *trial) visit(path string, header ...string) *talker {
	tr.t.Helper()
	from := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(guest)}, Timeout: patience}
	conn, err := tls.DialWithDialer(&from, "tcp", tr.address(door), tr.trust())
	if err != nil {
		tr.t.Fatal(err)
	}
	tr.t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	c := &talker{t: tr.t, conn: conn, in: bufio.NewReader(conn)}
	c.upgrade(path, append(header, "Host: localhost:"+tr.port(door))...)
	return c
}

// hub: two clients of FME talk, FME's own pages are there, and the table of
// channels is not for those who come from elsewhere.
func (tr *trial) hub(recipe) {
	need(tr.t, "node", modules)
	hubWorks(tr.t, "wss://localhost:"+tr.port(door)+"/websocket")
	tr.page("FME Flow")
	c := &talker{t: tr.t, address: tr.address("7078")}
	c.upgrade("/websocket", "X-Forwarded-For: 203.0.113.9") // as nginx says it of one
	c.say(masked(final|opText, `{"ws_op":"admin","ws_msg":"getnumchannels()"}`))
	c.next()
	if got := strings.Join(c.heard, " "); !strings.Contains(got, "forbidden") {
		tr.t.Errorf("asked for the channels from elsewhere, the hub says %s", got)
	}
}

// page has something serve pages in the place of FME Flow, and gets one.
func (tr *trial) page(says string) {
	tr.t.Helper()
	l, err := net.Listen("tcp", tr.address("8080"))
	if err != nil {
		tr.t.Fatal(err)
	}
	pages := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, says) })}
	tr.t.Cleanup(func() { pages.Close() })
	go pages.Serve(l)
	client := http.Client{Transport: &http.Transport{TLSClientConfig: tr.trust(), DisableKeepAlives: true}}
	answer, err := client.Get("https://localhost:" + tr.port(door) + "/fmeserver/")
	if err != nil {
		tr.t.Fatal(err)
	}
	defer answer.Body.Close()
	if got, _ := io.ReadAll(answer.Body); string(got) != says {
		tr.t.Errorf("%s, %q instead of FME's page", answer.Status, got)
	}
}

// mqtt: a page of the site speaks with the broker, one that offers no MQTT or is
// of another site does not get there.
func (tr *trial) mqtt(recipe) {
	const greeting = "\x10\x1c\x00\x04MQTT\x04\xc2\x00\x3c\x00\x00\x00\x03ann\x00\x09change-me"
	const mqtt = "Sec-WebSocket-Protocol: mqtt"
	site := "Origin: https://localhost:" + tr.port(door)
	c := tr.visit("/mqtt", mqtt, site)
	c.say(masked(final|opBinary, greeting))
	c.hear(4)
	if want := []string{"101", "mqtt", `" \x02\x00\x00"`}; !slices.Equal(c.heard, want) {
		tr.t.Errorf("MQTT's greeting is answered by %q, want %q", c.heard, want)
	}
	for _, other := range [][]string{{mqtt, "Origin: https://elsewhere.example"}, {"Sec-WebSocket-Protocol: binary", site}, {site}} {
		if got := tr.visit("/mqtt", other...).heard[0]; got[0] != '4' {
			tr.t.Errorf("%q is answered by %s", other, got)
		}
	}
}

// database: no page gets there, not even with the password in hand.
func (tr *trial) database(recipe) {
	const ann = "Authorization: Basic YW5uOmNoYW5nZS1tZQ=="
	for _, tt := range []struct {
		header []string
		want   string
	}{
		{[]string{ann}, "101"},
		{[]string{ann, "Origin: https://localhost:" + tr.port(door)}, "403"},
		{nil, "401"},
	} {
		if got := tr.visit("/redis", tt.header...).heard[0]; got != tt.want {
			tr.t.Errorf("%q is answered by %s, want %s", tt.header, got, tt.want)
		}
	}
}
