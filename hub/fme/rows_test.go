package fme

import (
	"fmt"
	"testing"

	"github.com/gobwas/ws"

	"github.com/wsbridge/wsbridge/message"
)

// Rows FME-01 to FME-08: what FME's own clients do.

func TestFME01OpenIsNotAnswered(t *testing.T) {
	r := startRig(t, nil)
	a, b := r.dial(), r.dial()
	for _, c := range []*client{a, b} {
		c.say(`{"ws_op" : "open", "ws_stream_ids" : ["a"]}`)
		c.nothing()
	}
	a.send("hello")
	b.wantHear("hello")
}

func TestFME02OpenOneStream(t *testing.T) {
	r := startRig(t, nil)
	a, b := r.dial(), r.dial()
	for _, c := range []*client{a, b} {
		c.say(`{"ws_op":"open","ws_stream_id":"a"}`)
		c.nothing()
	}
	a.send("hello")
	b.wantHear("hello")
	a.say(`{"ws_op":"open","ws_stream_id":"b","ws_stream_ids":["c","a"]}`)
	a.say(`{"ws_op":"admin","ws_msg":"getnumchannels()"}`)
	a.wantHear(`{"numchannels":"4","streams":[{"stream":"a","numchannels":"2"},{"stream":"b","numchannels":"1"},{"stream":"c","numchannels":"1"}]}`)
}

func TestFME03OnlyTheTextIsRelayed(t *testing.T) {
	r := startRig(t, nil)
	a, b := r.opened("a"), r.opened("a")
	for said, want := range map[string]string{
		`{"ws_op":"send","ws_msg":"just this"}`:                                   "just this",
		`{"ws_op":"send","ws_msg":""}`:                                            "",
		`{"ws_op":"send","ws_msg":"{\"lat\":52.1,\n \"lon\":5.1}"}`:               "{\"lat\":52.1,\n \"lon\":5.1}",
		`{"ws_op":"send","ws_msg":"line\nbreak \u20ac \ud83d\ude00 \"q\" \\ \/"}`: "line\nbreak € 😀 \"q\" \\ /",
		`{"ws_op":"SEND","ws_msg":"in capitals"}`:                                 "in capitals",
		`{"ws_msg":"first","x":[1,{"ws_op":"close"}],"ws_op":"send"}`:             "first",
		`{"ws_op":"open","ws_op":"send","ws_msg":"a","ws_msg":"the last"}`:        "the last",
	} {
		a.say(said)
		b.wantHear(want)
	}
	a.Write(message.Message{Data: []byte(`{"ws_op":"send","ws_msg":"sent as binary"}`)})
	b.wantHear("sent as binary")
}

func TestFME04AnObjectIsRelayedAsItsSource(t *testing.T) {
	r := startRig(t, nil)
	a, b := r.opened("a"), r.opened("a")
	for _, c := range []struct{ msg, want string }{
		{`{"id":12345678901234567890,"b":1}`, ""},
		{`{ "id" : 1.50e+2 , "id":[ true,null ] }`, ""},
		{`[1,2,{"k":"v"}]`, ""},
		{`-0.5`, ""},
		{`true`, ""},
		{`{id: 12345678901234567890, 'name': 'O\'Hara "x"', list: [1,2,],}`, `{"id":12345678901234567890,"name":"O'Hara \"x\"","list":[1,2]}`},
		{`{"b":1,"a":2,}`, `{"b":1,"a":2}`},
	} {
		if c.want == "" {
			c.want = c.msg
		}
		a.say(`{ws_op: "send", ws_msg: ` + c.msg + ` }`)
		b.wantHear(c.want)
	}
}

// TestFME05LenientJSON sends what workspaces and pages of Safe send, as they
// wrote it; under strict JSON the same is an error.
func TestFME05LenientJSON(t *testing.T) {
	said := []string{
		`{ws_op : "open", ws_stream_id : "sd_plane"}`,
		`{ws_op : open, ws_stream_id : sd_plane}`,
		`{ws_op:'open', ws_stream_ids:['sd_plane', sd_bus,],}`,
		`{ws_op: 'send', ws_msg: 'x',}`,
		`{ws_op:'send', ws_msg:'x',}`,
		`{ws_op: "send", ws_msg: {"lat" : 49.1, "lon" : -122.8}}`,
	}
	heard := []string{"x", "x", `{"lat" : 49.1, "lon" : -122.8}`}

	r := startRig(t, nil)
	b := r.opened("sd_plane")
	a := r.dial()
	for _, text := range said {
		a.say(text)
	}
	a.nothing()
	for _, want := range heard {
		b.wantHear(want)
	}

	strict := startRig(t, &Service{Options: Options{StrictJSON: true}})
	c := strict.dial()
	for _, text := range said {
		c.say(text)
		c.wantFault(badJSON)
	}
	c.say(`{ "ws_op":"open","ws_stream_ids":["swmslive"]}`)
	c.nothing()
}

func TestFME06SeveralStreamsOneCopy(t *testing.T) {
	r := startRig(t, nil)
	a, b, c := r.opened("a", "b"), r.opened("b", "a", "c"), r.opened("b")
	a.send("once")
	for _, receiver := range []*client{b, c} {
		receiver.wantHear("once")
		receiver.nothing()
	}
	a.say(`{"ws_op":"send","ws_stream_ids":["a"],"ws_msg":"for a alone"}`)
	b.wantHear("for a alone")
	a.nothing()
	c.nothing()
}

func TestFME07SenderIsNotEchoed(t *testing.T) {
	for name, echo := range map[string]bool{"by default": false, "with echo": true} {
		t.Run(name, func(t *testing.T) {
			r := startRig(t, &Service{Options: Options{Echo: echo}})
			a, b := r.opened("a", "b"), r.opened("a")
			a.send("hello")
			b.wantHear("hello")
			if echo {
				a.wantHear("hello")
			}
			a.nothing()
		})
	}
}

func TestFME08ManySendsThenClose(t *testing.T) {
	r := startRig(t, nil)
	a, b := r.opened("a"), r.opened("a")
	for i := range 900 { // below the rate limit
		a.send(fmt.Sprint(i))
	}
	for i := range 900 {
		b.wantHear(fmt.Sprint(i))
	}
	a.say(`{"ws_op":"close"}`)
	a.nothing()
	b.send("does a hear?")
	b.nothing()
	a.nothing()
	a.send("may a send?")
	a.wantFault(notOpen)

	a.say(`{"ws_op":"open","ws_stream_ids":["a","b","c"]}`)
	a.say(`{"ws_op":"close","ws_stream_ids":["a","c"]}`)
	a.say(`{"ws_op":"close","ws_stream_ids":["never opened"]}`)
	a.nothing()
	b.send("a has left this one")
	b.nothing()
	a.nothing()
	a.send("but may send to b")
	a.nothing()
}

func TestCloseMayEndTheConnection(t *testing.T) {
	r := startRig(t, &Service{Options: Options{CloseSocket: true}})
	a := r.opened("a")
	a.say(`{"ws_op":"close","ws_stream_id":"a"}`)
	a.nothing()
	a.say(`{"ws_op":"close"}`)
	a.wantClose(ws.StatusNormalClosure, "closed as asked")
}

// TestFME15AnyPath: the hub does not look at the path; the shared listener's
// route is told in e2e.
func TestFME15AnyPath(t *testing.T) {
	r := startRig(t, nil)
	for _, path := range []string{"", "/", "/websocket", "/x"} {
		c := r.dialPath(path)
		c.say(`{"ws_op":"open","ws_stream_id":"a"}`)
		c.nothing()
	}
}
