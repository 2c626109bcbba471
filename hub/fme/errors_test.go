package fme

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wsbridge/wsbridge/hub"
	"github.com/wsbridge/wsbridge/message"
)

// userOfTests believes a header.
func userOfTests(r *http.Request) string { return r.Header.Get("X-Test-User") }

func TestFME12SendBeforeOpen(t *testing.T) {
	r := startRig(t, nil)
	a, b := r.dial(), r.opened("a")
	a.send("too early")
	a.wantFault(notOpen)
	a.say(`{"ws_op":"open","ws_stream_id":"a"}`)
	a.send("now")
	b.wantHear("now")
}

// TestFME13EachError is reached by one message, and the connection lives on.
func TestFME13EachError(t *testing.T) {
	deep := strings.Repeat("[", 70) + strings.Repeat("]", 70)
	many := `"s0"`
	for i := range 100 {
		many += fmt.Sprintf(`,"s%d"`, i+1)
	}
	r := startRig(t, &Service{
		Hub:     &hub.Hub{MaxGroups: 2},
		Options: Options{User: userOfTests, Permits: map[string]Permit{"ann": {Open: []string{"*"}, Send: []string{"a"}}}},
	})
	for _, c := range []struct{ said, code, text string }{
		{`{"ws_op":`, badJSON, "at byte 9"},
		{`[]`, badJSON, "must be one JSON object"},
		{``, badJSON, "must be one JSON object"},
		{`{"ws_op":"send","ws_msg":'it's broken'}`, badJSON, `at byte 29`},
		{"{'ws_op':'send','ws_msg':'two\nlines'}", badJSON, `write it as \\n at byte 29`},
		{`{"ws_op":"open","ws_stream_id":"a"} {}`, badJSON, "something follows"},
		{`{"ws_op":"send","ws_msg":unquoted}`, badJSON, "a text stands in quotes at byte 25"},
		{`{"x":` + deep + `}`, badJSON, "more than 64 levels"},
		{`{"ws_op":"subscribe"}`, unknownOp, ""},
		{`{"ws_op":5}`, unknownOp, ""},
		{`{"ws_msg":"x"}`, missingField, "ws_op"},
		{`{"WS_OP":"open"}`, missingField, "ws_op"},
		{`{"ws_op":"open"}`, missingField, "ws_stream_ids"},
		{`{"ws_op":"open","ws_stream_ids":[]}`, missingField, "ws_stream_ids"},
		{`{"ws_op":"send","ws_msg":null}`, missingField, "ws_msg"},
		{`{"ws_op":"send"}`, missingField, "ws_msg"},
		{`{"ws_op":"send","ws_stream_ids":[],"ws_msg":"x"}`, missingField, "ws_stream_ids"},
		{`{"ws_op":"admin"}`, missingField, "ws_msg"},
		{`{"ws_op":"open","ws_stream_id":""}`, badStreamID, ""},
		{`{"ws_op":"open","ws_stream_id":7}`, badStreamID, ""},
		{`{"ws_op":"open","ws_stream_id":"` + strings.Repeat("é", 129) + `"}`, badStreamID, "256"},
		{`{"ws_op":"open","ws_stream_id":"a\tb"}`, badStreamID, "control"},
		{`{"ws_op":"open","ws_stream_ids":"a"}`, badStreamID, "array"},
		{`{"ws_op":"open","ws_stream_ids":["b",{}]}`, badStreamID, ""},
		{`{"ws_op":"open","ws_stream_ids":[` + many + `]}`, tooManyStreams, "100"},
		{`{"ws_op":"open","ws_stream_ids":["b","c"]}`, tooManyStreams, "hub"},
		{`{"ws_op":"send","ws_stream_id":"b","ws_msg":"x"}`, notOpen, ""},
		{`{"ws_op":"admin","ws_msg":"shutdown()"}`, unknownAdmin, "getnumchannels"},
		{`{"ws_op":"admin","ws_msg":{}}`, unknownAdmin, "getnumchannels"},
	} {
		a := r.dial("X-Test-User: ann")
		a.say(`{"ws_op":"open","ws_stream_id":"a"}`)
		a.say(c.said)
		if text := a.wantFault(c.code); !strings.Contains(text, c.text) {
			t.Errorf("%.100s: said %q, want %q in it", c.said, text, c.text)
		}
		if got, want := a.ask(askCounts), `{"numchannels":"1","streams":[{"stream":"a","numchannels":"1"}]}`; got != want {
			t.Errorf("%.100s changed something: %s", c.said, got)
		}
		a.Close(1000, "")
		eventually(t, "the client to leave", func() bool { return r.service.Stats().Members == 0 })
	}
	if errors := r.service.Stats().Errors; errors[badJSON] != 8 || errors[unknownOp] != 2 {
		t.Errorf("counted %v", errors)
	}
}

func TestFME13PermitsAreHeld(t *testing.T) {
	r := startRig(t, &Service{Options: Options{User: userOfTests, Permits: map[string]Permit{
		"ann": {Open: []string{"fleet/*", "news"}, Send: []string{"fleet/*/out"}},
		"*":   {Open: []string{"news"}},
	}}})
	ann, bob, nobody := r.dial("X-Test-User: ann"), r.dial("X-Test-User: bob"), r.dial()
	for _, c := range []struct {
		who  *client
		said string
		code string // "": allowed
	}{
		{nobody, `{"ws_op":"open","ws_stream_id":"news"}`, forbidden},
		{bob, `{"ws_op":"open","ws_stream_ids":["news","fleet/1/out"]}`, forbidden},
		{bob, `{"ws_op":"open","ws_stream_ids":["news"]}`, ""},
		{bob, `{"ws_op":"send","ws_msg":"x"}`, forbidden},
		{ann, `{"ws_op":"open","ws_stream_ids":["fleet/1/out","news"]}`, ""},
		{ann, `{"ws_op":"send","ws_msg":"x"}`, forbidden}, // to news
		{ann, `{"ws_op":"send","ws_stream_id":"fleet/1/out","ws_msg":"x"}`, ""},
		{ann, `{"ws_op":"open","ws_stream_id":"other"}`, forbidden},
	} {
		c.who.say(c.said)
		if c.code != "" {
			c.who.wantFault(c.code)
		}
		c.who.nothing()
	}
}

func TestFME13TooFast(t *testing.T) {
	r := startRig(t, &Service{Options: Options{Rate: 1e-9, Burst: 3}})
	a := r.opened("a") // takes two
	a.send("the third")
	a.send("the fourth")
	a.wantFault(rateLimited)
}

func TestFME13TenErrorsInARow(t *testing.T) {
	for name, o := range map[string]Options{"frame": {}, "silent": {Errors: ErrorsSilent}} {
		t.Run(name, func(t *testing.T) {
			r := startRig(t, &Service{Options: o})
			a := r.dial()
			for range 9 {
				a.say("no")
			}
			a.say(`{"ws_op":"open","ws_stream_id":"a"}`) // which starts the count anew
			for range 10 {
				a.say("no")
			}
			frames := 0
			for m, err := a.Read(); err == nil; m, err = a.Read() {
				if !bytes.Contains(m.Data, []byte(badJSON)) {
					t.Fatalf("heard %s", m.Data)
				}
				frames++
			}
			if want := map[Errors]int{ErrorFrames: 19}[o.Errors]; frames != want {
				t.Errorf("%d error frames, want %d", frames, want)
			}
			if _, err := a.Read(); err == nil {
				t.Error("the connection lives")
			}
		})
	}
}

func TestFME13HowConnectionsEnd(t *testing.T) {
	text := func(s string) message.Message { return message.Message{Text: true, Data: []byte(s)} }
	binary := func(s string) message.Message { return message.Message{Data: []byte(s)} }
	for name, c := range map[string]struct {
		options Options
		said    message.Message
		code    int
		reason  string
	}{
		"errors close":           {Options{Errors: ErrorsClose}, text("no"), 1008, badJSON},
		"too large":              {Options{}, text(strings.Repeat("x", 2<<20)), 1009, "larger than 1048576 bytes"},
		"text that is no UTF-8":  {Options{}, text("\xff"), 1007, "UTF-8"},
		"binary that is none":    {Options{}, binary("\xff\x00"), 1003, "JSON"},
		"binary that is no JSON": {Options{}, binary("hello"), 1003, "JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			r := startRig(t, &Service{Options: c.options})
			a := r.dial()
			go a.Write(c.said)
			_, err := a.Read()
			closed, ok := err.(*message.CloseError)
			if !ok || int(closed.Code) != c.code || !strings.Contains(closed.Reason, c.reason) {
				t.Errorf("ended with %v, want %d %s", err, c.code, c.reason)
			}
		})
	}
}

func TestFullHubRefuses(t *testing.T) {
	r := startRig(t, &Service{Hub: &hub.Hub{MaxMembers: 1}})
	a := r.opened("a")
	if _, err := r.service.Admit(&http.Request{}); err != hub.ErrFull {
		t.Errorf("a second one: %v", err)
	}
	a.Cut()
	eventually(t, "the place to be free", func() bool { return r.service.Stats().Members == 0 })
	visit, err := r.service.Admit(&http.Request{Header: http.Header{"Sec-Websocket-Protocol": {"x, fme"}}})
	if err != nil {
		t.Fatal(err)
	}
	visit.Leave()
	if got := r.service.Stats().Members; got != 0 {
		t.Errorf("%d members after Leave", got)
	}
}

func TestSubprotocolIsAnsweredOnlyWhenConfigured(t *testing.T) {
	for _, c := range []struct {
		known []string
		want  string
	}{{nil, ""}, {[]string{"fme"}, "fme"}, {[]string{"other"}, ""}} {
		s := &Service{Hub: &hub.Hub{}, Options: Options{Subprotocols: c.known}}
		visit, err := s.Admit(&http.Request{Header: http.Header{"Sec-Websocket-Protocol": {"x, fme"}}})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, visit.Subprotocol()); diff != "" {
			t.Errorf("%v: %s", c.known, diff)
		}
		visit.Leave()
	}
}
