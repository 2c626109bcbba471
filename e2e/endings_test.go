//go:build linux

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"syscall"
	"testing"
)

// endings are how sessions end, by all that either side can do. Where bytes or
// messages are on their way, those that can arrive do.
var endings = []ending{
	// who     how        between            the client is told       the target hears        the log says
	{theClient, byFIN, streams, nothing, plain, "1006 client: client vanished"},
	{theClient, byFIN, gateways, nothing, "1001 client vanished", "1006 client: client vanished"},
	{theClient, byFIN, hubs, nothing, absent, "1006 client: client vanished"},

	{theClient, byTorn, overTLS, nothing, plain, "1006 client: client vanished"},

	{theClient, byRST, streams, nothing, plain, "1006 client: client reset"},
	{theClient, byRST, gateways, nothing, "1001 client reset", "1006 client: client reset"},
	{theClient, byRST, hubs, nothing, absent, "1006 client: client reset"},

	{theClient, byDataRST, streams, nothing, plain, "1006 client: client reset"},
	{theClient, byDataRST, gateways, nothing, "1001 client reset", "1006 client: client reset"},
	{theClient, byDataRST, hubs, nothing, absent, "1006 client: client reset"},

	{theClient, byClose, streams, "4321", plain, "4321 client: client closed"},
	{theClient, byClose, gateways, "4321", "4321 my reason", "4321 client: client closed"},
	{theClient, byClose, hubs, "4321", absent, "4321 client: client closed"},

	{theClient, byHalf, streams, plain, plain, "1006 client: client vanished"},
	{theClient, byHalf, gateways, plain, "1001 client vanished", "1006 client: client vanished"},
	{theClient, byHalf, hubs, plain, absent, "1006 client: client vanished"},

	{theClient, bySilence, streams, "1011 client answered none of two pings", plain, "1011 bridge: client answered none of two pings"},
	{theClient, bySilence, gateways, "1011 client answered none of two pings", "1001 client answered none of two pings", "1011 bridge: client answered none of two pings"},
	{theClient, bySilence, hubs, "1011 client answered none of two pings", absent, "1011 bridge: client answered none of two pings"},

	{theTarget, byFIN, streams, "1000 target closed", nothing, "1000 target: target closed"},
	{theTarget, byFIN, gateways, "1001 target closed without a Close frame", nothing, "1001 target: target closed without a Close frame"},

	{theTarget, byTorn, overTLS, "1000 target closed", nothing, "1000 target: target closed"},

	{theTarget, byRST, streams, "1011 target reset", nothing, "1011 target: target reset"},
	{theTarget, byRST, gateways, "1001 target closed without a Close frame", nothing, "1001 target: target closed without a Close frame"},

	{theTarget, byDataRST, streams, "1011 target reset", nothing, "1011 target: target reset"},
	{theTarget, byDataRST, gateways, "1001 target closed without a Close frame", nothing, "1001 target: target closed without a Close frame"},

	{theTarget, byUnread, overTCP | overUnix | wrapped, "1011 target reset", nothing, "1011 target: target reset"},

	{theTarget, byClose, gateways, "4321 my reason", "4321", "4321 target: my reason"},

	{theTarget, byHalf, streams, "1000 target closed", plain, "1000 target: target closed"},
	{theTarget, byHalf, gateways, "1001 target closed without a Close frame", "1001", "1001 target: target closed without a Close frame"},

	{theTarget, bySilence, streams, "1001 session idle", plain, "1001 bridge: session idle"},
	{theTarget, bySilence, gateways, "1001 session idle", "1001 session idle", "1001 bridge: session idle"},
	{theTarget, bySilence, hubs, "1001 session idle", "1001 session idle", "1001 bridge: session idle"},

	{theTarget, byKill, wrapped, "1000 target closed", "", "1000 target: target closed"},
}

// impossible are the combinations that there are not, and why.
var impossible = []struct {
	who string
	how manner
	at  kind
	why string
}{
	{theTarget, byClose, streams, "a target of bytes has no Close frames"},
	{theTarget, byFIN, hubs, "a hub's other side are clients, and the bridge itself"},
	{theTarget, byRST, hubs, "the same"},
	{theTarget, byDataRST, hubs, "the same"},
	{theTarget, byClose, hubs, "the same"},
	{theTarget, byHalf, hubs, "the same"},
}

// An ending is one row of the table. Silence of the client's is that it answers no
// ping (--heartbeat), of the target's that nobody says anything (--session-idle).
type ending struct {
	who    string // ends the session
	how    manner
	at     kind   // of bridge and target
	client string // hears this last
	target string
	log    string // code, by and reason
}

func (e ending) String() string { return e.who + ": " + string(e.how) }

// options are those of the bridge that the ending takes.
func (e ending) options() []string {
	switch {
	case e.how == byKill:
		return []string{"--wrap-mode", "respawn"}
	case e.how == bySilence && e.who == theClient:
		return []string{"--heartbeat", "5"}
	case e.how == bySilence:
		return []string{"--heartbeat", "5", "--session-idle", "12"}
	}
	return nil
}

// TestEndings: sessions end in all ways there are, several at a time. Both sides
// hear all that could arrive, and why there is no more of it; the log says the same;
// and nothing of it is left in the bridge.
func TestEndings(t *testing.T) {
	need(t, "openssl")
	var all sync.WaitGroup // not t.Parallel: they wait more than they work
	for _, p := range places {
		all.Go(func() { t.Run(p.name, p.end) })
	}
	all.Wait()
}

// TestEndingsAreAll: no combination is forgotten, and none is in both tables.
func TestEndingsAreAll(t *testing.T) {
	for _, who := range []string{theClient, theTarget} {
		for _, how := range []manner{byFIN, byRST, byDataRST, byClose, byHalf, bySilence} {
			var there, not kind
			for _, e := range endings {
				if e.who == who && e.how == how {
					there |= e.at
				}
			}
			for _, e := range impossible {
				if e.who == who && e.how == how {
					not |= e.at
				}
			}
			if there|not != streams|gateways|hubs || there&not != 0 {
				t.Errorf("%s, %s: there are %06b, there cannot be %06b", who, how, there, not)
			}
		}
	}
}

// end has sessions end in all ways that there are at p; those that take a bridge of
// their own do so meanwhile.
func (p place) end(t *testing.T) {
	var apart sync.WaitGroup
	defer apart.Wait()
	common := p.open(t)
	for _, e := range endings {
		options := e.options()
		switch {
		case e.at&p.kind == 0:
		case options == nil:
			t.Run(e.String(), func(t *testing.T) { common.endings(t, e) })
		default:
			apart.Go(func() {
				t.Run(e.String(), func(t *testing.T) { p.open(t, options...).endings(t, e) })
			})
		}
	}
	common.endings(t, inPeace(p.kind))
}

// inPeace is an ordinary ending, for before and after.
func inPeace(at kind) ending {
	i := slices.IndexFunc(endings, func(e ending) bool { return e.who == theClient && e.how == byClose && e.at&at != 0 })
	return endings[i]
}

// atOnce is how many sessions have the same ending at the same time.
const atOnce = 3

// endings has sessions end by e, and waits until nothing of them is left.
func (b *ground) endings(t *testing.T, e ending) {
	t.Helper()
	sessions := make([]*ended, atOnce)
	if e.how == byKill { // which ends them all
		sessions = sessions[:1]
	}
	var all sync.WaitGroup
	for i := range sessions {
		sessions[i] = b.prepare(e)
		all.Go(sessions[i].play)
	}
	all.Wait()
	for _, s := range sessions {
		b.judge(t, s)
	}
	if !t.Failed() {
		b.empty(t)
	}
}

// ended is a session and what its client has to say of the end.
type ended struct {
	ending
	b      *ground
	script script
	frames *frames
	side   *side
	last   string // that the client heard
	err    error
}

func (b *ground) prepare(e ending) *ended {
	o := script{ID: b.name(), Who: e.who, How: e.how}
	if e.who == theClient && e.how.resets() {
		o.Extra = 1
	}
	return &ended{ending: e, b: b, script: o}
}

func (s *ended) play() {
	if s.err = s.begin(); s.err == nil {
		s.last, s.err = s.lead()
		s.frames.conn.Close()
	}
}

// begin opens a session whose target knows what to do.
func (s *ended) begin() (err error) {
	if s.frames, err = s.b.enter("/" + s.script.ID); err != nil {
		return err
	}
	if s.b.place.kind == hubs {
		return s.beginInHub()
	}
	line, err := json.Marshal(s.script)
	if err != nil {
		return err
	}
	_, err = s.frames.Write(append(line, '\n'))
	s.side = newSide(theClient, s.frames.conn, s.frames)
	return err
}

// beginInHub has a witness in the same stream.
func (s *ended) beginInHub() error {
	seen, err := s.b.enter("/witness-of-" + s.script.ID)
	if err != nil {
		return err
	}
	witness, client := &hubTalk{frames: seen, stream: s.script.ID}, &hubTalk{frames: s.frames, stream: s.script.ID}
	if err := errors.Join(witness.open(), client.open()); err != nil {
		return err
	}
	go farEnd{s.b.far}.witness(witness, s.script)
	s.side = newSide(theClient, s.frames.conn, client)
	return nil
}

// lead plays the client, and tells what it heard last.
func (s *ended) lead() (last string, err error) {
	if err := s.side.converse(!s.script.targetFirst(), s.how.quiet(), 0); err != nil {
		return "", err
	}
	switch {
	case s.how == byKill:
		err = syscall.Kill(s.b.program, syscall.SIGKILL)
	case s.who == theClient && s.how == bySilence:
		s.frames.mute = true
	case s.who == theClient && s.how == byClose:
		err = s.frames.close(told{4321, "my reason"})
	case s.who == theClient:
		err = s.side.leave(s.how)
	case s.how.resets():
		defer s.side.chatter()()
	}
	if err != nil || s.client == nothing {
		return nothing, err
	}
	if last, err = lastHeard(s.side.listen()); err == nil && s.who == theTarget && !s.how.resets() {
		err = s.part()
	}
	return last, err
}

// part answers the Close frame that has come. A target that has only half closed
// may be told more before that.
func (s *ended) part() error {
	if s.how == byHalf && s.target == plain {
		if err := s.side.say(volume); err != nil {
			return err
		}
	}
	if err := s.frames.close(told{1000, ""}); err != nil {
		return err
	}
	if err := s.side.listen(); failing(err) != "gone" {
		return fmt.Errorf("after both Close frames: %w", err)
	}
	return nil
}

// chatter goes on talking until it is stopped, or nobody takes it.
func (s *side) chatter() (stop func()) {
	over, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for s.say(1000) == nil {
			select {
			case <-over:
				return
			default:
			}
		}
	}()
	return func() { close(over); <-ended }
}

// judge holds what both sides heard and what the log says against the table.
func (b *ground) judge(t *testing.T, s *ended) {
	t.Helper()
	if s.err != nil {
		t.Errorf("%s: %v", s.script.ID, s.err)
		return
	}
	same := func(what, got, want string) {
		if got != want {
			t.Errorf("%s: %s %q, want %q", s.script.ID, what, got, want)
		}
	}
	same("the client heard last", s.last, s.client)
	said := s.side.said
	if s.who == theTarget {
		same("bytes that the client heard:", fmt.Sprint(s.side.heard), fmt.Sprint(volume))
		if s.how.resets() {
			said = volume // and what nobody was to hear
		}
	}
	if s.target != "" {
		same("the target heard", b.report(t, s.script.ID), fmt.Sprintf("%d bytes, then %s", said, s.target))
	}
	log := b.line(t, "/"+s.script.ID)
	same("the log says", fmt.Sprintf("%s %s: %s", log["code"], log["by"], log["reason"]), s.log)
	if s.who == theClient && s.how == byClose && s.target != absent {
		same("bytes that the client heard, last words and all:", fmt.Sprint(s.side.heard), fmt.Sprint(2*volume))
	}
	if s.who == theClient {
		same("bytes to the target in the log:", log["to_target"], fmt.Sprint(s.frames.sent))
	} else {
		same("bytes to the client in the log:", log["to_client"], fmt.Sprint(s.frames.got))
	}
}
