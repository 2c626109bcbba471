package gateway_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"github.com/wsbridge/wsbridge/content"
	"github.com/wsbridge/wsbridge/gateway"
	"github.com/wsbridge/wsbridge/hub"
	"github.com/wsbridge/wsbridge/message"
	"github.com/wsbridge/wsbridge/target"
)

// typed is a route with content types.
func typed(t *testing.T, in, out []string, set func(*gateway.Route)) func(*gateway.Route) {
	return func(rt *gateway.Route) {
		rt.Content, _ = content.ParseRule("auto")
		rt.In, rt.Out = pipeline(t, "in", in...), pipeline(t, "out", out...)
		if set != nil {
			set(rt)
		}
	}
}

const (
	asJSON = "synapse(contentType='application/json')"
	asXML  = "synapse(contentType='application/xml')"
)

func TestWSO01TheSubprotocolComesBackAsItWasOffered(t *testing.T) {
	for _, name := range []string{asJSON, asXML, "synapse(contentType='text/xml')", `synapse( contentType="application/json"; charset=utf-8 )`, "synapse.json"} {
		r := newRig(t, echo, typed(t, nil, nil, nil))
		r.choose = name
		if got := r.connect("/", name).up.Subprotocol; got != name {
			t.Errorf("offered %q, answered %q", name, got)
		}
		if got := r.asked(0).Header.Get("Sec-WebSocket-Protocol"); got != "" {
			t.Errorf("the rig is to take it off: %q", got)
		}
	}
}

func TestWSO02TheFirstAcceptableIsTaken(t *testing.T) {
	required := func(rt *gateway.Route) { rt.Content.Required = true }
	r := newRig(t, echo, typed(t, nil, nil, nil))
	r.choose = asXML
	if got := r.connect("/", "graphql-ws", asXML, asJSON).up.Subprotocol; got != asXML {
		t.Errorf("%q", got)
	}
	r = newRig(t, echo, typed(t, nil, nil, nil))
	if got := r.connect("/", "graphql-ws").up.Subprotocol; got != "" {
		t.Errorf("none acceptable: %q", got)
	}
	r = newRig(t, echo, typed(t, nil, nil, required))
	_, err := r.dial("/", func(to *target.WebSocket) { to.Subprotocols = []string{"graphql-ws"} })
	wantRefusal(t, err, http.StatusBadRequest, "synapse")
}

func TestWSO03BrowserSpellings(t *testing.T) {
	for path, subprotocols := range map[string][]string{"/": {"synapse.json"}, "/?contentType=application/json": nil} {
		r := newRig(t, echo, typed(t, nil, nil, nil))
		if len(subprotocols) > 0 {
			r.choose = subprotocols[0]
		}
		c := r.connect(path, subprotocols...)
		c.say(`{"a":1}`)
		c.hear(`{"a":1}`)
		c.say(`{"a":`)
		c.wantClose(1007, "invalid application/json at byte")
	}
}

func TestWSO05TheTargetIsOfferedTheSame(t *testing.T) {
	r := newRig(t, echo, typed(t, nil, nil, nil))
	offered := make(chan string, 1)
	r.handler = func(w http.ResponseWriter, q *http.Request) {
		offered <- strings.Join(q.Header.Values("Sec-WebSocket-Protocol"), ", ")
		r.choose = asJSON
		r.target(w, q)
	}
	r.connect("/", "other", asJSON)
	if got := <-offered; got != asJSON {
		t.Errorf("the target was offered %q", got)
	}
}

func TestWSO06StepsChangeMessages(t *testing.T) {
	r := newRig(t, echo, typed(t, []string{`jq: {msg: .["sample message"]}`}, []string{"jq: .msg |= ascii_upcase", "validate"}, nil))
	c := r.connect("/?contentType=application/json")
	c.say(`{"sample message":"test"}`)
	c.hear(`{"msg":"TEST"}`)
	r = newRig(t, echo, typed(t, []string{"validate"}, nil, nil))
	c = r.connect("/?contentType=application/json")
	odd := "{ \"z\":1,\n\"a\" : 12345678901234567890 }"
	c.say(odd)
	c.hear(odd)
}

func TestWSO06OneMessageMayBecomeNoneOrSeveral(t *testing.T) {
	r := newRig(t, echo, typed(t, []string{"jq: .[]"}, nil, nil))
	c := r.connect("/?contentType=application/json")
	c.say(`[]`)
	c.say(`[1,2]`)
	c.hear("1")
	c.hear("2")
	if got := r.route.Stats(); got != (gateway.Stats{Filtered: 1, Sessions: 1}) {
		t.Errorf("%+v", got)
	}
}

func TestWSO07XML(t *testing.T) {
	for bad, reason := range map[string]string{
		"<a/><b/>":            "invalid application/xml",
		"bare":                "invalid application/xml",
		"<!DOCTYPE a []><a/>": "invalid application/xml",
		`<!DOCTYPE l [<!ENTITY a "b">]><a>&a;</a>`: "invalid application/xml",
	} {
		r := newRig(t, echo, typed(t, nil, nil, nil))
		c := r.connect("/?contentType=application/xml")
		c.say("<a>b</a>")
		c.hear("<a>b</a>")
		c.say(bad)
		c.wantClose(1007, reason)
	}
}

// TestWSO08BadContentIsNotSilent: what becomes of it is the route's to say.
func TestWSO08BadContentIsNotSilent(t *testing.T) {
	heard := make(chan error, 1)
	serve := func(c *message.Conn) { _, err := c.Read(); heard <- err; c.Close(1007, "") }
	r := newRig(t, serve, typed(t, nil, nil, nil))
	c := r.connect("/?contentType=application/json")
	c.say("{")
	c.wantClose(1007, "invalid application/json at byte")
	var closed *message.CloseError
	if err := <-heard; !errors.As(err, &closed) || closed.Code != 1007 {
		t.Errorf("the target heard %v", err)
	}
	if !strings.Contains(r.log.String(), "message refused") || r.route.Stats().Refused != 1 {
		t.Errorf("log %q, stats %+v", r.log, r.route.Stats())
	}

	for onError, want := range map[gateway.OnError]string{
		gateway.Drop:  `{"after":1}`,
		gateway.Reply: `{"error":{"code":1007,`,
	} {
		r := newRig(t, echo, typed(t, nil, nil, func(rt *gateway.Route) { rt.OnError = onError }))
		c := r.connect("/?contentType=application/json")
		c.say("{")
		c.say(`{"after":1}`)
		m, err := c.Read()
		if err != nil || !strings.HasPrefix(string(m.Data), want) {
			t.Errorf("%v: %q, %v", onError, m.Data, err)
		}
		if r.route.Stats().Refused != 1 {
			t.Errorf("%+v", r.route.Stats())
		}
	}
}

// TestBadContentOfTheTarget is told to both sides.
func TestBadContentOfTheTarget(t *testing.T) {
	heard := make(chan error, 1)
	serve := func(c *message.Conn) {
		c.Write(message.Message{Text: true, Data: []byte("nonsense")})
		_, err := c.Read()
		heard <- err
	}
	r := newRig(t, serve, typed(t, nil, nil, nil))
	r.connect("/?contentType=application/json").wantClose(1007, "invalid application/json")
	r.wantEnding(gateway.Ending{By: "target", Code: 1007, Reason: "invalid application/json at byte 2"})
	if err := <-heard; err == nil || !strings.Contains(err.Error(), "1007") {
		t.Errorf("the target heard %v", err)
	}
}

func TestWSO09BinaryOnAContentRoute(t *testing.T) {
	r := newRig(t, echo, typed(t, nil, nil, nil))
	c := r.connect("/?contentType=application/json")
	c.Write(message.Message{Data: []byte{1}})
	c.wantClose(1003, "text required")
}

// TestWSO10AnEndlessProgramHurtsNobody else.
func TestWSO10AnEndlessProgramHurtsNobody(t *testing.T) {
	r := newRig(t, echo, func(rt *gateway.Route) {
		rt.Content, _ = content.ParseRule("auto")
		p, err := content.Compile([]string{"jq: if .loop then last(range(1e12)) else . end"}, content.Options{Stage: "in"})
		if err != nil {
			t.Fatal(err)
		}
		rt.In = p
	})
	bad, good := r.connect("/?contentType=application/json"), r.connect("/?contentType=application/json")
	bad.say(`{"loop":true}`)
	for range 20 {
		good.say(`{"n":1}`)
		good.hear(`{"n":1}`)
	}
	bad.wantClose(1011, "transform in[0]")
}

// TestWSO11Broadcast: fifty clients, half of them on another path; who hears
// what the first one's target says is exactly as the level has it.
func TestWSO11Broadcast(t *testing.T) {
	for level, hears := range map[gateway.Broadcast]func(i int) bool{
		gateway.Self:   func(i int) bool { return i == 0 },
		gateway.All:    func(i int) bool { return i%2 == 0 },
		gateway.Others: func(i int) bool { return i%2 == 0 && i > 0 },
	} {
		r := newRig(t, echo, func(rt *gateway.Route) { rt.Broadcast, rt.Hub = level, &hub.Hub{} })
		var all []*client
		for i := range 50 {
			all = append(all, r.connect([]string{"/p", "/q"}[i%2]))
		}
		all[0].say("hello")
		for i, c := range all {
			if hears(i) {
				c.hear("hello")
			}
		}
		for _, c := range all { // and nothing else was on its way
			c.Close(ws.StatusNormalClosure, "")
			c.wantClose(1000, "")
		}
	}
}

// A client that has its 101 hears its group, however much later it is served.
func TestBroadcastFromTheHandshakeOn(t *testing.T) {
	for _, acceptFirst := range []bool{false, true} {
		r := newRig(t, echo, func(rt *gateway.Route) {
			rt.Broadcast, rt.Hub, rt.AcceptFirst = gateway.All, &hub.Hub{}, acceptFirst
		})
		said := make(chan struct{})
		r.greeted = func(q *http.Request) {
			if q.URL.RawQuery == "late" {
				<-said
			}
		}
		speaker, late := r.connect("/p"), r.connect("/p?late")
		for _, word := range []string{"one", "two"} {
			speaker.say(word)
			speaker.hear(word)
		}
		close(said)
		late.hear("one")
		late.hear("two")
	}
}

// A client for whom the group has no room is refused, and its target let go.
func TestBroadcastWithoutRoom(t *testing.T) {
	r := newRig(t, echo, func(rt *gateway.Route) { rt.Broadcast, rt.Hub = gateway.All, &hub.Hub{MaxMembers: 1} })
	first := r.connect("/p")
	for range 2 {
		_, err := r.dial("/p", nil)
		if err == nil || !strings.Contains(err.Error(), "503") {
			t.Fatalf("the second: %v", err)
		}
	}
	first.Close(ws.StatusNormalClosure, "")
	first.wantClose(1000, "")
	<-r.ended
	r.connect("/p")
}

func TestWSO13TheFaultRouteGetsWhatIsBad(t *testing.T) {
	file := filepath.Join(t.TempDir(), "faults")
	r := newRig(t, echo, typed(t, nil, nil, func(rt *gateway.Route) {
		rt.OnError, rt.Fault = gateway.Fault, &gateway.Faults{Name: "faults", Deliver: gateway.FileSink(file)}
	}))
	c := r.connect("/in?contentType=application/json")
	c.say("{bad")
	c.say(`{"good":1}`)
	c.hear(`{"good":1}`)
	r.route.Fault.Close(patience)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var record struct {
		Route, Path, From, Reason, Message string
		Code                               int
	}
	if err := json.Unmarshal(text, &record); err != nil {
		t.Fatal(err)
	}
	if record.Route != "chat" || record.Path != "/in" || record.From != "client" || record.Code != 1007 || record.Message != "{bad" || !strings.HasPrefix(record.Reason, "invalid application/json") {
		t.Errorf("%s", text)
	}
}

// TestFaultsThatCannotBeKeptAreLogged and never wait.
func TestFaultsThatCannotBeKeptAreLogged(t *testing.T) {
	r := newRig(t, echo, typed(t, nil, nil, nil))
	r.route.OnError = gateway.Fault
	r.route.Fault = &gateway.Faults{Name: "faults", Deliver: func([]byte) error { return errors.New("disk full") }, Log: r.route.Log}
	c := r.connect("/?contentType=application/json")
	c.say("{")
	c.say("1")
	c.hear("1")
	r.route.Fault.Close(patience)
	if !strings.Contains(r.log.String(), "could not be kept") || !strings.Contains(r.log.String(), "disk full") {
		t.Errorf("log %q", r.log)
	}
}

// TestSinks: a fault route may be a WebSocket or a line of a TCP service.
func TestSinks(t *testing.T) {
	heard := make(chan string, 2)
	r := newRig(t, func(c *message.Conn) {
		m, _ := c.Read()
		heard <- string(m.Data)
		_, err := c.Read()
		code, _ := message.CloseCode(err)
		c.Close(code, "")
	}, nil)
	if err := gateway.MessageSink(r.route.Target)([]byte(`{"a":1}`)); err != nil {
		t.Fatal(err)
	}
	if got := <-heard; got != `{"a":1}` {
		t.Errorf("%q", got)
	}
}
