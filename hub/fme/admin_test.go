package fme

import (
	"encoding/json"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wsbridge/wsbridge/hub"
)

const (
	askCounts   = `{"ws_op":"admin","ws_msg":"getnumchannels()"}`
	askChannels = `{"ws_op":"admin","ws_msg":"getchannelinfo()"}`
)

// ask returns the answer to an admin request.
func (c *client) ask(text string) string {
	c.t.Helper()
	c.say(text)
	return c.hear()
}

func port(c *client) string {
	_, port, _ := net.SplitHostPort(c.raw.LocalAddr().String())
	return port
}

func TestFME09AutomaticClose(t *testing.T) {
	for name, leave := range map[string]func(*client){
		"Close frame": func(c *client) { c.Close(1000, "") },
		"FIN":         func(c *client) { c.Cut() },
		"reset": func(c *client) {
			c.raw.(*net.TCPConn).SetLinger(0)
			c.Cut()
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := startRig(t, nil)
			a, asker := r.opened("a", "b"), r.opened("a")
			leave(a)
			want := `{"numchannels":"1","streams":[{"stream":"a","numchannels":"1"}]}`
			eventually(t, "the memberships to end", func() bool { return asker.ask(askCounts) == want })
		})
	}
}

func TestFME10NumChannels(t *testing.T) {
	r := startRig(t, nil)
	asker := r.dial()
	const empty = `{"numchannels":"0","streams":[]}`
	if got := asker.ask(askCounts); got != empty {
		t.Errorf("an empty hub: %s", got)
	}
	r.opened("b", "a")
	r.opened("a", "a b", `<&>`, "é")
	want := `{"numchannels":"6","streams":[{"stream":"<&>","numchannels":"1"},{"stream":"a","numchannels":"2"},` +
		`{"stream":"a b","numchannels":"1"},{"stream":"b","numchannels":"1"},{"stream":"é","numchannels":"1"}]}`
	for _, spelling := range []string{"getnumchannels()", "  GetNumChannels();", "getnumchannels() ;\\t"} {
		got := asker.ask(`{"ws_op":"admin","ws_msg":"` + spelling + `"}`)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: -want +got\n%s", spelling, diff)
		}
	}
	var shape struct {
		NumChannels string
		Streams     []struct{ Stream, NumChannels string }
	}
	if err := json.Unmarshal([]byte(want), &shape); err != nil {
		t.Fatal(err)
	}
	sum := 0
	for _, s := range shape.Streams {
		n, _ := strconv.Atoi(s.NumChannels)
		sum += n
	}
	if strconv.Itoa(sum) != shape.NumChannels {
		t.Errorf("numchannels is %s and the streams have %d", shape.NumChannels, sum)
	}
}

func TestFME11ChannelInfo(t *testing.T) {
	// Room for what the test sends, so that the slow one is not disconnected.
	r := startRig(t, &Service{Hub: &hub.Hub{Queue: hub.Queue{MaxBytes: 1 << 30}}})
	asker := r.dial()
	if got, want := asker.ask(askChannels), `{"numchannels":"0","channels":[]}`; got != want {
		t.Errorf("an empty hub: %s", got)
	}
	a, b := r.opened("b"), r.opened("b", "a")
	row := func(c *client, stream string, writable bool) string {
		return fmt.Sprintf(`{"port":"%s","stream":"%s","host":"127.0.0.1","writable":"%v"}`, port(c), stream, writable)
	}
	first, second := row(a, "b", true), row(b, "b", true)
	if p, q := port(a), port(b); len(p) > len(q) || len(p) == len(q) && p > q {
		first, second = second, first
	}
	want := `{"numchannels":"3","channels":[` + row(b, "a", true) + "," + first + "," + second + `]}`
	if diff := cmp.Diff(want, asker.ask(askChannels)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}

	// b reads nothing until its socket takes no more and its queue grows.
	sent := 0
	eventually(t, "b not to be writable", func() bool {
		a.send(strings.Repeat("x", 256<<10))
		sent++
		return strings.Contains(asker.ask(askChannels), row(b, "a", false))
	})
	for range sent {
		b.hear()
	}
	eventually(t, "b to be writable again", func() bool { return strings.Contains(asker.ask(askChannels), row(b, "a", true)) })
}

func TestFME18AdminIsGuarded(t *testing.T) {
	user := func(name string) string { return "X-Test-User: " + name }
	local, remote := "X-Test-From: 127.0.0.1:5", "X-Test-From: 192.0.2.7:5"
	for _, c := range []struct {
		who     Admin
		headers []string
		allowed bool
	}{
		{AdminLoopback, []string{local}, true},
		{AdminLoopback, []string{"X-Test-From: [::1]:5"}, true},
		{AdminLoopback, []string{"X-Test-From: [::ffff:127.0.0.1]:5"}, true},
		{AdminLoopback, []string{remote}, false},
		{AdminLoopback, []string{remote, user("eve")}, false},
		{AdminLoopback, []string{"X-Test-From: @"}, false}, // a unix socket
		{AdminAuthenticated, []string{local}, false},
		{AdminAuthenticated, []string{remote, user("ann")}, true},
		{AdminAny, []string{remote}, true},
		{AdminOff, []string{local, user("ann")}, false},
	} {
		r := startRig(t, &Service{Options: Options{Admin: c.who, User: userOfTests}})
		client := r.dial(c.headers...)
		client.say(askChannels)
		if c.allowed {
			client.wantHear(`{"numchannels":"0","channels":[]}`)
		} else {
			client.wantFault(forbidden)
		}
	}
}

// TestIdleWithoutAStream: who opens nothing is sent away, who asks may stay.
func TestIdleWithoutAStream(t *testing.T) {
	r := startRig(t, &Service{Options: Options{IdleUnopened: 300 * time.Millisecond}})
	member := r.opened("a")
	idler, asker := r.dial(), r.dial()
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		idler.wantClose(1000, "no stream opened")
	}()
	for asking := true; asking; {
		select {
		case <-gone:
			asking = false
		case <-time.After(10 * time.Millisecond):
			asker.nothing()
		}
	}
	member.nothing()
	member.say(`{"ws_op":"close"}`)
	member.wantClose(1000, "no stream opened")
}
