package config

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// route is a route with its defaults.
func route(change func(*Route)) Route {
	r := Route{
		Path: "/chat", Name: "/chat", Target: "ws://127.0.0.1:5000/x", Enabled: true, Content: "none", OnError: "close", Binary: "refuse",
		MaxMessage: 16 << 20, OnConnect: "backend-first", SendProxy: "default", Compress: "default", Idle: 10 * time.Minute, Refused: 502, Place: "--route",
	}
	change(&r)
	return r
}

func TestRoutesOfTheCommandLine(t *testing.T) {
	for name, test := range map[string]struct {
		spec string
		want Route
	}{
		"a path":       {"/chat=ws://127.0.0.1:5000/x", route(func(r *Route) {})},
		"any path":     {"*=ws://127.0.0.1:5000/x", route(func(r *Route) { r.Path, r.Name = "*", "*" })},
		"a host":       {"ws.example.org/chat=host:1", route(func(r *Route) { r.Host, r.Name, r.Target = "ws.example.org", "ws.example.org/chat", "host:1" })},
		"a query kept": {"/chat=ws://h/x?a=b", route(func(r *Route) { r.Target = "ws://h/x?a=b" })},
		"options": {`/chat=ws://127.0.0.1:5000/x content=application/json in='jq: {a: .b, c}' in=validate broadcast=1 pass_control name=talk`,
			route(func(r *Route) {
				r.Content, r.In, r.Broadcast, r.PassControl, r.Name = "application/json", Verbatim{"jq: {a: .b, c}", "validate"}, 1, true, "talk"
			})},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := parse(t, []string{"6080", "--route", test.spec}, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]Route{test.want}, c.Routes, cmpopts.IgnoreUnexported(Route{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRoutesOfAFile(t *testing.T) {
	file := `
listen: [9092]
port_offset: 10
routes:
  - path: /websocket
    target: ws://localhost:8082/websocket
    content: auto
    subprotocols: [synapse]
    on_connect: accept-first
    in: [validate, 'jq: {msg: .["sample message"], at: $meta.time}']
    on_error: route:faults
    forward_headers: [Authorization, Cookie]
    set_headers: "X-From: bridge, one"
  - {path: /faults, name: faults, target: "tcp://127.0.0.1:9"}
`
	c, err := parse(t, words("--config f.yaml"), nil, map[string]string{"f.yaml": file})
	if err != nil {
		t.Fatal(err)
	}
	want := []Route{
		route(func(r *Route) {
			r.Path, r.Name, r.Target, r.Content, r.Offer, r.OnConnect = "/websocket", "/websocket", "ws://localhost:8082/websocket", "auto", words("synapse"), "accept-first"
			r.In, r.OnError = Verbatim{"validate", `jq: {msg: .["sample message"], at: $meta.time}`}, "route:faults"
			r.ForwardHeaders, r.SetHeaders, r.Place = words("Authorization Cookie"), Verbatim{"X-From: bridge, one"}, "f.yaml:5"
		}),
		route(func(r *Route) {
			r.Path, r.Name, r.Target, r.Place = "/faults", "faults", "tcp://127.0.0.1:9", "f.yaml:14"
		}),
	}
	if diff := cmp.Diff(want, c.Routes, cmpopts.IgnoreUnexported(Route{})); diff != "" {
		t.Error(diff)
	}
	if c.PortOffset != 10 {
		t.Errorf("port offset %d", c.PortOffset)
	}
}

// TestARouteBesideATarget: what no route takes goes to the positional target.
func TestARouteBesideATarget(t *testing.T) {
	c, err := parse(t, []string{"6080", "localhost:5900", "--route", "/chat=ws://h/x"}, nil, nil)
	if err != nil || c.Target != "localhost:5900" || len(c.Routes) != 1 {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestTargetsWithASchemeArePositionals(t *testing.T) {
	for _, target := range []string{"ws://h:1/x?y=z", "wss://h", "fme:", "fme:name", "tls://h:1", "passthrough+ws://h:1", "passthrough+unix:/s", "tcp://fme:7078", "unix:/s", "unix:@s"} {
		if c, err := parse(t, []string{"6080", target}, nil, nil); err != nil || c.Target != target {
			t.Errorf("%s: %+v, %v", target, c, err)
		}
	}
	if c, err := parse(t, words("6080 fme:7078"), nil, nil); err != nil || c.Target != "fme:7078" {
		t.Errorf("a host called fme: %v", err)
	}
}

// TestTheManualNamesEveryKey of a route, as it is written in a file.
func TestTheManualNamesEveryKey(t *testing.T) {
	var manual strings.Builder
	for _, page := range []string{"gateway", "passthrough", "content", "client-addresses", "compression"} {
		text, err := os.ReadFile("../docs/" + page + ".md")
		if err != nil {
			t.Fatal(err)
		}
		manual.Write(text)
	}
	words := strings.FieldsFunc(manual.String(), func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') })
	for _, o := range Routing() {
		if key := strings.ReplaceAll(o.Long, "-", "_"); !slices.Contains(words, key) {
			t.Errorf("%s is in no page of the manual", key)
		}
	}
}

func TestBadRoutes(t *testing.T) {
	for name, test := range map[string]struct{ spec, yaml, want, hint string }{
		"no target":        {spec: "/chat", want: `"/chat" has no target`, hint: "write --route"},
		"no slash":         {spec: "chat=h:1", want: `path "chat" does not begin with a slash`, hint: "write /chat"},
		"an open quote":    {spec: "/chat=h:1 in='x", want: "a quote is not closed"},
		"unknown option":   {spec: "/chat=h:1 contnt=auto", want: `unknown option "contnt"`, hint: "did you mean content?"},
		"no value":         {spec: "/chat=h:1 content", want: "needs a value", hint: "write content="},
		"bad choice":       {spec: "/chat=h:1 on-connect=never", want: `"never" is not one of`},
		"bad level":        {spec: "/chat=h:1 broadcast=3", want: "broadcast level 3"},
		"bad on-error":     {spec: "/chat=h:1 on-error=repl", want: "on-error", hint: "did you mean reply?"},
		"bad status":       {spec: "/chat=h:1 refused-status=404", want: `"404" is not one of 502, 503`},
		"file: no list":    {yaml: "routes: {path: /x}", want: "f.yaml:1: routes: want a list", hint: "- path"},
		"file: no mapping": {yaml: "routes:\n- /x", want: "f.yaml:2: not a mapping"},
		"file: bad key":    {yaml: "routes:\n- path: /x\n  taget: h:1", want: `f.yaml:3: unknown key "taget"`, hint: "did you mean target?"},
		"file: no path":    {yaml: "routes:\n- target: h:1", want: "f.yaml:2: the route has no path"},
		"file: bad value":  {yaml: "routes:\n- path: /x\n  target: h:1\n  broadcast: many", want: "f.yaml:4: broadcast: "},
		"file: twice":      {yaml: "routes:\n- {path: /x, target: h:1}\n- {path: /x, target: h:2}", want: `f.yaml:3: a route named "/x" is there already: f.yaml:2`},
		"bad header":       {spec: "/chat=h:1 set-headers=nothing", want: "is no header", hint: "Name: value"},
	} {
		t.Run(name, func(t *testing.T) {
			args := []string{"6080", "--config", "f.yaml"}
			if test.spec != "" {
				args = append(args, "--route", test.spec)
			}
			_, err := parse(t, args, nil, map[string]string{"f.yaml": test.yaml})
			var usage *UsageError
			if !errors.As(err, &usage) || !strings.Contains(usage.Msg, test.want) || !strings.Contains(usage.Hint, test.hint) {
				t.Errorf("%v (hint %+v), want %q, %q", err, usage, test.want, test.hint)
			}
		})
	}
}
